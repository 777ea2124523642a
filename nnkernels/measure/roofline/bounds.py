"""Lower bounds of the time of a workload on a machine with known limits.

There are two bounds, for two kinds of float32 programs that compute matrix products by definition. *Dense*
programs store and multiply every input, whether or not it is zero. *Sparse* programs skip zero inputs, but still
multiply the zeros that ReLU produces. (A program that skips these too is covered by neither bound. In the first epoch
on MNIST, 48 to 65 % of the hidden units are active, so it could save about a fifth of the sparse arithmetic.)

A bound is the largest of three times. It is not their sum, because arithmetic and memory traffic can overlap.

**Arithmetic.** The multiply-adds of the matrix products, two operations each, at the rate of the machine's best matrix
product. Biases, softmax, loss and the parameter update are omitted. They are a few percent, and an update can be fused
with the product that computes its gradient: ``W -= lr X.T @ dZ`` is one accumulating product.

**Data that does not fit into L1**, at the rate of reading from L2. Two amounts are computed and the larger one counts,
because the same capacity of L1 could hold data of either kind:

* The images. Each is used once per epoch, so at most one L1's capacity of them can be cached already. In the dense
  case, a pixel is one byte. In the sparse case, a nonzero pixel is one byte, without an index: a contender may convert
  the data before the timing. The usual uint16 index would make three bytes, but a bitmap or run lengths need less.
* ``W1``. It is 63 kB, more than many L1 caches, but little of it must come from L2. A step needs only the rows of
  inputs that are nonzero in its batch. L1 keeps as many rows as it can hold between steps. A row's update can be fused
  with its use in the next step, and rows that a step does not change can be used ahead of time. One part cannot be
  avoided: a row whose input is nonzero in two successive batches. It is needed after the forward pass of the first
  batch, on which its update depends, and before the forward pass of the second one is complete. So for each pair of
  successive batches, the bound counts these rows minus the capacity of L1. Writing them back is omitted, because it may
  overlap with reading.

**Images that do not fit into all caches together**, at the rate of reading from DRAM. The capacity of the caches is
subtracted, because an earlier epoch or call may have used the same images.

References
----------
S. Williams, A. Waterman and D. Patterson, "Roofline: An Insightful Visual Performance Model for Multicore
Architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import CLASSES
from nnkernels.measure.roofline.peaks import GIGA, MachineLimits
from nnkernels.recipes import SGD, Recipe
from nnkernels.training import batch_order

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Workload:
    """Size and sparsity of a workload.

    Attributes
    ----------
    images, inputs, hidden, classes, batch_size : int
        N, D, H, C and B.
    nonzero : float
        Mean number of nonzero inputs per image.
    common : float
        Mean number of inputs that are nonzero both in some image of a batch and in some image of the previous batch. If
        unknown, 0, which leaves this traffic out of the bound.
    """

    images: int
    inputs: int
    hidden: int
    classes: int
    batch_size: int
    nonzero: float
    common: float = 0.0


@dataclass(frozen=True)
class Bounds:
    """Lower bounds of the time of a workload.

    Attributes
    ----------
    dense_seconds : float
        For programs that multiply zero inputs.
    sparse_seconds : float
        For programs that skip zero inputs.
    """

    dense_seconds: float
    sparse_seconds: float


def workload_of(X: npt.NDArray[Any], recipe: Recipe = SGD, classes: int = CLASSES) -> Workload:
    """Return the workload of an epoch, or of predicting, on these images.

    The batches are those of the first epoch with seed 0.

    Parameters
    ----------
    X : ndarray, shape (N, D)
        Images, whose zeros are counted.
    recipe : Recipe
        Its hidden width and batch size are used.
    classes : int
        Number of classes, C.

    Returns
    -------
    work : Workload
        Sizes and counts.
    """
    nonzero = X != 0
    starts = np.arange(0, len(X), recipe.batch_size)
    in_batch = np.logical_or.reduceat(nonzero[batch_order(0, 0, len(X))], starts, axis=0)
    common = np.count_nonzero(in_batch[1:] & in_batch[:-1], axis=1)
    return Workload(
        images=len(X),
        inputs=X.shape[1],
        hidden=recipe.hidden,
        classes=classes,
        batch_size=recipe.batch_size,
        nonzero=int(np.count_nonzero(nonzero)) / len(X),
        common=float(common.mean()) if len(common) else 0.0,
    )


def epoch_bounds(limits: MachineLimits, work: Workload) -> Bounds:
    """Compute lower bounds of the time of a training epoch.

    An epoch has ``2 N (2 D H + 3 H C)`` operations: per image, ``D H`` multiply-adds for each of ``Z1`` and ``dW1``,
    and ``H C`` for each of the logits, ``dW2`` and ``dA1``. In the sparse case, D is the mean number of nonzero inputs.

    Parameters
    ----------
    limits : MachineLimits
        Measured limits of the machine.
    work : Workload
        The workload.

    Returns
    -------
    bounds : Bounds
        Seconds of a dense and of a sparse program.
    """

    def seconds(inputs: float, common: float) -> float:
        operations = 2 * work.images * (2 * inputs * work.hidden + 3 * work.hidden * work.classes)
        pairs = max(0, -(-work.images // work.batch_size) - 1)
        rows = common * work.hidden * FLOAT32_BYTES
        return _seconds(limits, operations, work.images * inputs, pairs * max(0.0, rows - limits.l1_bytes))

    return Bounds(seconds(work.inputs, work.inputs), seconds(work.nonzero, work.common))


def inference_bounds(limits: MachineLimits, work: Workload) -> Bounds:
    """Compute lower bounds of the time to predict all images.

    Predicting takes ``2 N (D H + H C)`` operations. A sparse program has to read all pixels too, because it receives
    them as they are.

    Parameters
    ----------
    limits : MachineLimits
        Measured limits of the machine.
    work : Workload
        The workload.

    Returns
    -------
    bounds : Bounds
        Seconds of a dense and of a sparse program.
    """

    def seconds(inputs: float) -> float:
        operations = 2 * work.images * (inputs * work.hidden + work.hidden * work.classes)
        return _seconds(limits, operations, work.images * work.inputs)

    return Bounds(seconds(work.inputs), seconds(work.nonzero))


def _seconds(limits: MachineLimits, operations: float, image_bytes: float, weight_bytes: float = 0.0) -> float:
    """Return the largest of the three times. ``weight_bytes`` already excludes what L1 can hold."""
    return max(
        operations / (limits.peak_gflops * GIGA),
        max(image_bytes - limits.l1_bytes, weight_bytes) / (limits.l2_gbytes_per_second * GIGA),
        (image_bytes - limits.cache_bytes) / (limits.dram_gbytes_per_second * GIGA),
    )
