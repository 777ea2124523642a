"""An image order in which every part has about the mean number of nonzero pixels, for calls of one image each."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

TOLERANCE = 0.02


def balanced_order(nonzero: npt.NDArray[np.integer], images: int, seed: int) -> npt.NDArray[np.int64]:
    """Return a seeded order of distinct images, in pairs that have the mean number of nonzero pixels.

    The first image of a pair is drawn at random. The second is the remaining image that brings the running total
    nearest to the mean. The mean of each pair is within 2 % of the mean of all images. So is the mean of any even
    number of consecutive images that starts at an even position. An image without a partner of this kind is left out,
    for example one with more than about twice the mean.

    If fewer than half of the requested images find a partner, the images are returned in random order, without this
    guarantee.

    Parameters
    ----------
    nonzero : ndarray of integers, shape (N,)
        Number of nonzero pixels of each image.
    images : int
        Largest number of images to return.
    seed : int
        Seed of the random order.

    Returns
    -------
    order : ndarray of int64, shape (M,)
        Indices of the images, each at most once; M is at most ``images``.
    """
    drawn = np.random.default_rng(seed).permutation(len(nonzero))
    counts = nonzero[drawn].tolist()
    left = sorted(zip(counts, range(len(drawn)), strict=True))  # ties in drawing order
    mean, surplus = sum(counts) / max(len(counts), 1), 0.0
    places: list[int] = []
    for place, count in enumerate(counts):
        if len(places) + 2 > images:
            break
        found = bisect_left(left, (count, place))
        if left[found : found + 1] != [(count, place)]:
            continue  # already the partner of an earlier image
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
