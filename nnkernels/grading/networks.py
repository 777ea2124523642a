"""The small networks and batches that a backward pass is checked on, away from the edges of ReLU."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import ConfigurationError
from nnkernels.parameters import FloatArray, Parameters

# Distance of Z1 from zero. The steps of the numerical derivative move Z1 by a thousandth.
MARGIN = 0.02


class ProblemSizes(NamedTuple):
    """Widths of the layers and images in the batch. All differ by default, so that a confusion of two shows."""

    inputs: int = 7
    hidden: int = 5
    classes: int = 4
    images: int = 6

    def __str__(self) -> str:
        images = "1 image" if self.images == 1 else f"{self.images} images"
        return f"{images} on a {self.inputs}-{self.hidden}-{self.classes} network"


FULL_SIZE = ProblemSizes(784, 20, 10, 32)
# All products of two matrices fit here, so a missing transpose gives numbers, no error; and so does a fixed 10 in code.
SQUARE = ProblemSizes(10, 10, 10, 10)


class Problem(NamedTuple):
    """Parameters and a batch, all float64; labels int64."""

    params: Parameters
    X: FloatArray
    y: npt.NDArray[np.int64]

    @property
    def sizes(self) -> ProblemSizes:
        """The widths and the number of images."""
        inputs, hidden = self.params.W1.shape
        return ProblemSizes(inputs, hidden, len(self.params.b2), len(self.X))


def check_sizes(sizes: ProblemSizes, seed: int) -> None:
    """Raise a ConfigurationError for sizes or a seed that check nothing."""
    for field, size in sizes._asdict().items():
        # With one class the softmax is always 1 and every gradient zero.
        least = 2 if field == "classes" else 1
        if not isinstance(size, int | np.integer):
            raise ConfigurationError(f"{field} is {size!r}; expected a whole number")
        if size < least:
            raise ConfigurationError(f"{field} is {size}; a gradient check needs at least {least}")
    if seed < 0:
        raise ConfigurationError(f"seed is {seed}; expected 0 or more")


def draw_problem(sizes: ProblemSizes, seed: int) -> Problem:
    """Draw a problem at which central differences are exact.

    Every hidden unit is active for some images and inactive for others, and b1 keeps ``Z1`` at least :data:`MARGIN`
    from zero where that is possible: ReLU has no derivative at zero, and a difference across it would be worthless.
    Some ``Z1`` are that near on either side, so that a mask with another threshold shows. Every class occurs if there
    are enough images.
    """
    D, H, C, N = sizes
    rng = np.random.default_rng([seed, *sizes])
    X = rng.random((N, D))
    W1 = rng.normal(scale=2 / np.sqrt(D), size=(D, H))
    W2 = rng.normal(scale=1 / np.sqrt(H), size=(H, C))
    b2 = rng.normal(scale=0.3, size=C)
    y = rng.permutation(np.arange(N, dtype=np.int64) % C)
    return Problem(Parameters(W1, _biases_off_the_kinks(X @ W1), W2, b2), X, y)


def _biases_off_the_kinks(products: FloatArray) -> FloatArray:
    units = np.arange(products.shape[1])
    if len(products) == 1:
        # One image cannot be on both sides: every other unit is active.
        return np.asarray(np.choose(units % 4, (0.5, -0.5, MARGIN, -MARGIN)) - products[0])
    # Zero goes into the widest gap between two images: to its middle, its lower end, its upper end, in turn.
    ordered = np.sort(products, axis=0)
    gaps = np.diff(ordered, axis=0)
    widest = np.argmax(gaps, axis=0)
    lower, gap = ordered[widest, units], gaps[widest, units]
    margin = np.minimum(MARGIN, gap / 2)
    return np.asarray(-(lower + np.choose(units % 3, (gap / 2, margin, gap - margin))))
