"""How long some work takes at least, on a machine of known limits: a floor under every contender's time.

Two floors, for two kinds of float32 programs, whose matrix products follow the definition. *Dense* ones keep and
multiply every input, without a look whether it is zero. *Sparse* ones skip zero inputs, and nothing else: they multiply
zeros behind the ReLU. (One that skipped these as well would be outside of both: with 48 to 65 % of the hidden units
active, as in the first epoch on MNIST, it could save about a fifth of the sparse arithmetic.)

A floor is the largest of three times. It is not their sum, because arithmetic and traffic go on at once.

**Arithmetic.** The multiply-adds of the matrix products, two operations each, at the rate of the machine's best matrix
product. Biases, softmax, loss and the update are left out: they are a few percent, and an update can be part of the
product that gives its gradient (``W -= lr X.T @ dZ`` is one accumulating product).

**What L1 cannot hold**, at the rate of reading from L2, through which it has to come. Two amounts, of which the larger
counts, because the same bytes of L1 could save either:

* The images: each is used in one step of an epoch, so at most one fill of L1 of them is there already. Dense, a pixel
  is a byte. Sparse, a nonzero pixel is a byte, and nothing says where it is: a contender may convert the data outside
  the clock, and though the usual index (uint16) beside the value makes three bytes, a bit an input, or runs, do
  with less.
* ``W1``. At 63 kB it is larger than many an L1, and yet hardly any of it has to come from L2: a step needs only the
  rows of inputs that are nonzero in its batch, L1 may keep as much as it holds from step to step, a row's update can be
  fused with its use in the next step, and a row that a step does not change can be used ahead of time. What is
  left is sure: a row whose input is nonzero in two successive batches has to be at hand after the first one's forward
  pass, which its update waits for, and before the second one's is complete. So for each pair of successive batches,
  such rows less all of L1. Writing them back is left out, as it may overlap with reading.

**What all caches cannot hold** of the images, at the rate of reading from DRAM: not all of them, because an epoch or
a call may follow another on the same images.
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
    """What is to be computed.

    Attributes
    ----------
    images, inputs, hidden, classes, batch_size : int
        N, D, H, C and B.
    nonzero : float
        Mean number of nonzero inputs of an image.
    common : float
        Mean number of inputs that are nonzero in some image of a batch and in some of the batch before it; 0, of
        which no traffic follows, if it is not known.
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
    """Seconds that the work takes at least, by a program that multiplies zero inputs and by one that skips them."""

    dense_seconds: float
    sparse_seconds: float


def workload_of(X: npt.NDArray[Any], recipe: Recipe = SGD, classes: int = CLASSES) -> Workload:
    """Return the work of an epoch, or of predicting, on these images, whose zeros are counted.

    Batches are those of the first epoch of seed 0.
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
    """Return how long an epoch of training takes at least.

    ``2 N (2 D H + 3 H C)`` operations: ``D H`` multiply-adds an image for ``Z1`` and ``dW1``, ``H C`` for the logits,
    ``dW2`` and ``dA1``; sparse, with the nonzero inputs for ``D``.
    """

    def seconds(inputs: float, common: float) -> float:
        operations = 2 * work.images * (2 * inputs * work.hidden + 3 * work.hidden * work.classes)
        pairs = max(0, -(-work.images // work.batch_size) - 1)
        rows = common * work.hidden * FLOAT32_BYTES
        return _seconds(limits, operations, work.images * inputs, pairs * max(0.0, rows - limits.l1_bytes))

    return Bounds(seconds(work.inputs, work.inputs), seconds(work.nonzero, work.common))


def inference_bounds(limits: MachineLimits, work: Workload) -> Bounds:
    """Return how long predicting all images takes at least.

    ``2 N (D H + H C)`` operations. All pixels are read, by the sparse program too: it gets them as they are.
    """

    def seconds(inputs: float) -> float:
        operations = 2 * work.images * (inputs * work.hidden + work.hidden * work.classes)
        return _seconds(limits, operations, work.images * work.inputs)

    return Bounds(seconds(work.inputs), seconds(work.nonzero))


def _seconds(limits: MachineLimits, operations: float, image_bytes: float, weight_bytes: float = 0.0) -> float:
    """Return the largest of three times; ``weight_bytes`` are those that L1 cannot hold."""
    return max(
        operations / (limits.peak_gflops * GIGA),
        max(image_bytes - limits.l1_bytes, weight_bytes) / (limits.l2_gbytes_per_second * GIGA),
        (image_bytes - limits.cache_bytes) / (limits.dram_gbytes_per_second * GIGA),
    )
