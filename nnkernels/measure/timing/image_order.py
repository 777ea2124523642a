"""An order of images of which any part costs what the mean image does: for calls that take one image each."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

TOLERANCE = 0.02


def balanced_order(nonzero: npt.NDArray[np.integer], images: int, seed: int) -> npt.NDArray[np.int64]:
    """Return a seeded order of different images, in pairs that have the mean number of nonzero pixels.

    The first image of a pair is drawn at random. The second is the one, of those left, that brings the running total
    nearest to the mean. The mean of each pair is within 2 % of that of all images, and so is the mean of each run of
    neighbouring pairs: of any even number of images from an even place on. An image that finds no such partner is
    left out, as those are that have more than about twice the mean.

    Where fewer than half of the wanted images find a partner, there is no such order. Then the images come as they are
    drawn, without a bound on the means.

    Parameters
    ----------
    nonzero : ndarray of integers, shape (N,)
        Number of nonzero pixels of each image.
    images : int
        How many are wanted; fewer come back where there are fewer, or where fewer find a partner.
    seed : int

    Returns
    -------
    ndarray of int64, shape (M,)
        Numbers of images, each at most once; M is at most ``images``.
    """
    drawn = np.random.default_rng(seed).permutation(len(nonzero))
    counts = nonzero[drawn].tolist()
    left = sorted(zip(counts, range(len(drawn)), strict=True))  # equal counts in the order in which they are drawn
    mean, surplus = sum(counts) / max(len(counts), 1), 0.0
    places: list[int] = []
    for place, count in enumerate(counts):
        if len(places) + 2 > images:
            break
        found = bisect_left(left, (count, place))
        if left[found : found + 1] != [(count, place)]:
            continue  # the partner of an earlier one
        del left[found]
        wanted = 2 * mean - surplus - count
        above = bisect_left(left, (wanted,))
        nearest = range(max(above - 1, 0), min(above + 1, len(left)))
        if not nearest:
            break
        partner = min(nearest, key=lambda other: abs(left[other][0] - wanted))
        excess = count + left[partner][0] - 2 * mean
        if abs(excess) <= 2 * TOLERANCE * mean:
            places += [place, left.pop(partner)[1]]
            surplus += excess
    at_most = min(images, len(drawn))
    return drawn[places] if len(places) >= max(at_most / 2, 1) else drawn[:at_most]
