"""Random numbers that depend on a seed, an epoch and the number of an image alone: Philox4x64-10, as in NumPy.

A counter-based generator has no state. So each image has a stream of its own, in whatever order, on whatever thread
and in whatever chunks images are computed. The stream of an image is that of
``numpy.random.Philox(key=[seed, epoch], counter=[0, image, 0, 0])``.

References
----------
J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined
from nnkernels.transforms.compiled.operations import multiply_high

ROUNDS = 10
FIRST_MULTIPLIER, SECOND_MULTIPLIER = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
FIRST_WEYL, SECOND_WEYL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)

Block = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@inlined
def random_block(seed: np.uint64, epoch: np.uint64, image: np.uint64, block: int) -> Block:
    """Return a block of the stream of an image: four random 64-bit numbers.

    Parameters
    ----------
    seed, epoch, image : uint64
        What the stream depends on.
    block : int
        Number of the block. As in NumPy, the first one is 1.

    Returns
    -------
    numbers : tuple of uint64
        Four numbers.
    """
    numbers = np.uint64(block), image, np.uint64(0), np.uint64(0)
    first_key, second_key = seed, epoch
    for _ in range(ROUNDS):
        numbers = _round(numbers, first_key, second_key)
        first_key, second_key = np.uint64(first_key + FIRST_WEYL), np.uint64(second_key + SECOND_WEYL)
    return numbers


@inlined
def fill_random(
    out: npt.NDArray[np.uint64],
    state: npt.NDArray[np.uint64],
    seed: np.uint64,
    epoch: np.uint64,
    image: np.uint64,
    first_block: int,
) -> None:
    """Write consecutive blocks of the stream of an image.

    All blocks go through a round before any goes through the next, because the products of a block wait for each other.

    Parameters
    ----------
    out : ndarray of uint64, shape (4 * n_blocks,)
        The numbers.
    state : ndarray of uint64, shape (4, n_blocks)
        A buffer.
    seed, epoch, image : uint64
        What the stream depends on.
    first_block : int
        Number of the first block.
    """
    a, b, c, d = state[0], state[1], state[2], state[3]
    for k in range(len(a)):
        i = np.uint64(k)
        a[i], b[i], c[i], d[i] = np.uint64(first_block + k), image, np.uint64(0), np.uint64(0)
    first_key, second_key = seed, epoch
    for _ in range(ROUNDS):
        for k in range(len(a)):
            i = np.uint64(k)
            a[i], b[i], c[i], d[i] = _round((a[i], b[i], c[i], d[i]), first_key, second_key)
        first_key, second_key = np.uint64(first_key + FIRST_WEYL), np.uint64(second_key + SECOND_WEYL)
    for k in range(len(a)):
        i, first = np.uint64(k), 4 * k
        out[np.uint64(first)], out[np.uint64(first + 1)] = a[i], b[i]
        out[np.uint64(first + 2)], out[np.uint64(first + 3)] = c[i], d[i]


@inlined
def _round(numbers: Block, first_key: np.uint64, second_key: np.uint64) -> Block:
    a, b, c, d = numbers
    high, low = multiply_high(FIRST_MULTIPLIER, a), np.uint64(FIRST_MULTIPLIER * a)
    other_high, other_low = multiply_high(SECOND_MULTIPLIER, c), np.uint64(SECOND_MULTIPLIER * c)
    return np.uint64(other_high ^ b ^ first_key), other_low, np.uint64(high ^ d ^ second_key), low


@inlined
def symmetric(number: np.uint64) -> float:
    """Convert a random 64-bit number to a float.

    Parameters
    ----------
    number : uint64
        The number. Its upper 53 bits are used, as in NumPy's ``Generator.random``.

    Returns
    -------
    value : float
        Uniform in [-1, 1).
    """
    return float(np.int64(number >> np.uint64(11))) * 2.0**-52 - 1.0
