"""Small random networks and batches for gradient checks, away from the kinks of ReLU."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import ConfigurationError
from nnkernels.parameters import FloatArray, Parameters

# The minimum distance of Z1 from zero. The numerical derivative changes Z1 by only about 0.001.
MARGIN = 0.02


class ProblemSizes(NamedTuple):
    """The sizes of a network and its batch. The defaults all differ, so that swapped sizes are detected.

    Attributes
    ----------
    inputs, hidden, classes : int
        The widths of the layers.
    images : int
        The number of images in the batch.
    """

    inputs: int = 7
    hidden: int = 5
    classes: int = 4
    images: int = 6

    def __str__(self) -> str:
        images = "1 image" if self.images == 1 else f"{self.images} images"
        return f"{images} on a {self.inputs}-{self.hidden}-{self.classes} network"


FULL_SIZE = ProblemSizes(784, 20, 10, 32)
# Equal sizes, so a missing transpose or a hard-coded 10 gives wrong numbers instead of an error.
SQUARE = ProblemSizes(10, 10, 10, 10)


class Problem(NamedTuple):
    """A network and a batch.

    Attributes
    ----------
    params : Parameters
        Weights and biases, float64.
    X : ndarray of float64, shape (N, D)
        Features.
    y : ndarray of int64, shape (N,)
        Class indices.
    """

    params: Parameters
    X: FloatArray
    y: npt.NDArray[np.int64]

    @property
    def sizes(self) -> ProblemSizes:
        """The widths of the layers and the number of images."""
        inputs, hidden = self.params.W1.shape
        return ProblemSizes(inputs, hidden, len(self.params.b2), len(self.X))


def check_sizes(sizes: ProblemSizes, seed: int) -> None:
    """Check that sizes and seed are valid for a gradient check.

    Parameters
    ----------
    sizes : ProblemSizes
        The sizes.
    seed : int
        The seed.

    Raises
    ------
    ConfigurationError
        If a size is not an integer or too small, or if the seed is negative.
    """
    for field, size in sizes._asdict().items():
        # With one class, the softmax is always 1 and every gradient is zero.
        minimum = 2 if field == "classes" else 1
        if not isinstance(size, int | np.integer):
            raise ConfigurationError(f"{field} is {size!r}; expected an integer")
        if size < minimum:
            raise ConfigurationError(f"{field} is {size}; a gradient check needs at least {minimum}")
    if seed < 0:
        raise ConfigurationError(f"seed is {seed}; expected 0 or more")


def draw_problem(sizes: ProblemSizes, seed: int) -> Problem:
    """Draw a random problem for which central differences are accurate.

    Every hidden unit is active for some images and inactive for others. Where possible, b1 keeps ``Z1`` at least
    :data:`MARGIN` away from zero, because ReLU has no derivative there, and a difference quotient across zero would be
    meaningless. Some values of ``Z1`` are exactly this far above or below zero, so that a ReLU mask with a wrong
    threshold is detected. Every class occurs if there are enough images.

    Parameters
    ----------
    sizes : ProblemSizes
        The sizes of the network and the batch.
    seed : int
        The seed.

    Returns
    -------
    problem : Problem
        Parameters and batch.
    """
    D, H, C, N = sizes
    rng = np.random.default_rng([seed, *sizes])
    X = rng.random((N, D))
    W1 = rng.normal(scale=2 / np.sqrt(D), size=(D, H))
    W2 = rng.normal(scale=1 / np.sqrt(H), size=(H, C))
    b2 = rng.normal(scale=0.3, size=C)
    y = rng.permutation(np.arange(N, dtype=np.int64) % C)
    return Problem(Parameters(W1, _biases_avoiding_kinks(X @ W1), W2, b2), X, y)


def _biases_avoiding_kinks(products: FloatArray) -> FloatArray:
    units = np.arange(products.shape[1])
    if len(products) == 1:
        # A single image cannot activate and deactivate the same unit, so every other unit is active.
        return np.asarray(np.choose(units % 4, (0.5, -0.5, MARGIN, -MARGIN)) - products[0])
    # Choose the bias of each unit so that zero lies in the widest gap between its products: for one unit in the middle
    # of the gap, for the next two near its lower and its upper end.
    ordered = np.sort(products, axis=0)
    gaps = np.diff(ordered, axis=0)
    widest = np.argmax(gaps, axis=0)
    lower, gap = ordered[widest, units], gaps[widest, units]
    margin = np.minimum(MARGIN, gap / 2)
    return np.asarray(-(lower + np.choose(units % 3, (gap / 2, margin, gap - margin))))
