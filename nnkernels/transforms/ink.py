"""Ink and ground: which is which in a grey picture, and which ink is the digit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# All of brightness, which lies between 0 and 1.
LEAST_CONTRAST = 0.04
LEAST_CONTRAST_IN_NOISE = 6  # standard deviations: a picture has some 100,000 pixels, whose noise reaches 4 to 5
SURELY_INK = 0.4  # of the strongest contrast; the lines of squared paper are mostly fainter
EDGE_OF_INK = 0.25  # of the strongest contrast, where the ground is not perfectly flat
LEAST_INSIDE = 0.15  # of the longest side: something shorter is a splinter, and no digit
SOLID = 0.75  # of a box: 1 in 10,000 of MNIST's digits covers as much, a sheet of paper more


class Box(NamedTuple):
    """A rectangle of pixels: columns ``left`` to ``right``, rows ``top`` to ``bottom``, the ends not included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def longer_side(self) -> int:
        """Pixels on the longer side."""
        return max(self.right - self.left, self.bottom - self.top)

    def of(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return this part of a picture, as a view."""
        return picture[self.top : self.bottom, self.left : self.right]

    def lies_in(self, other: Box) -> bool:
        """Return whether no pixel of this box lies outside the other."""
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


class Ink(NamedTuple):
    """The digit in a picture.

    Attributes
    ----------
    amount : ndarray of float32, shape (bottom - top, right - left)
        From 0 (ground) to 1 (as much ink as anywhere in the picture).
    box : Box
        Where in the picture this is.
    is_dark : bool
        Whether the ink is darker than the ground.
    """

    amount: FloatImage
    box: Box
    is_dark: bool


def find_ink(picture: FloatImage) -> Ink | None:
    """Return the digit's ink, or None if nothing stands out from the ground.

    Parameters
    ----------
    picture : ndarray of float32, shape (h, w)
        Brightness, 0 to 1.
    """
    guess = is_ink_dark(picture)
    found = _ink_of(picture, guess)
    if found is not None and np.mean(found.amount > SURELY_INK) < SOLID:
        return found
    # Nothing, or something solid, which may be a light sheet on a dark table with the digit inside.
    other = _ink_of(picture, not guess)
    return other if other is not None and (found is None or other.box.lies_in(found.box)) else found


def is_ink_dark(picture: FloatImage) -> bool:
    """Return whether the ink is the dark part, judging by the tones of the picture and of its border.

    The median tone is the ground's, since ink is the smaller part, and nearly absent from the border, which therefore
    counts as much as all the rest. Of the darkest and the lightest tone, the ink's is the one farther from it. In
    logarithms, since half the light on the same paper is one step there, wherever it is.
    """
    from scipy import ndimage

    tone = np.log(ndimage.gaussian_filter(picture, max(picture.shape) / 128) + 0.05)
    border = np.concatenate([tone[0], tone[-1], tone[:, 0], tone[:, -1]])
    ground = np.median(np.concatenate([tone.ravel(), np.repeat(border, -(-tone.size // border.size))]))
    darkest, lightest = np.percentile(tone, [0.1, 99.9])
    return bool(ground - darkest > lightest - ground)


def _ink_of(picture: FloatImage, dark: bool) -> Ink | None:
    """Return the digit's ink, taken to be darker than the ground, or lighter."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(_contrast(picture, dark), max(picture.shape) / 256)
    ground = smooth[smooth <= smooth.max() / 2]
    level = np.median(ground)
    noise = 1.4826 * np.median(np.abs(ground - level))
    strongest = smooth.max() - level
    if strongest < max(LEAST_CONTRAST, LEAST_CONTRAST_IN_NOISE * noise):
        return None
    digit = _main_group(smooth > level + SURELY_INK * strongest)
    strongest = smooth[digit].max() - level
    # The soft edge of a stroke is about one of MNIST's pixels wide. What lies farther off is no ink.
    reach = max(1, round(_box_of(digit).longer_side / 20))
    near = ndimage.maximum_filter(digit, 2 * reach + 1)
    # On a perfectly flat ground, as in a drawing, even the faintest grey is ink; elsewhere it may be noise.
    is_flat = bool(np.all(np.abs(smooth[~near] - level) < 1e-3))
    amount = np.where(near, np.clip((smooth - level) / strongest, 0, 1), 0).astype(np.float32)
    if not is_flat:
        amount[amount <= min(3 * noise / strongest, EDGE_OF_INK)] = 0
    box = _box_of(amount > (0 if is_flat and max(picture.shape) < 64 else EDGE_OF_INK))
    return Ink(box.of(amount), box, dark)


def _contrast(picture: FloatImage, dark: bool) -> FloatImage:
    """Return how much each pixel differs from the ground around it; positive where there may be ink.

    The ground is what is left when everything narrower than a stroke can be is painted over (a grey closing). It
    follows slopes of the light and the edges of shadows. On light ground the contrast is relative to the ground's
    brightness, since the same ink in half the light differs half as much.
    """
    from scipy import ndimage

    inked = picture if dark else 1 - picture
    longer = max(picture.shape)
    # A little smoothing, or the closing would pick out the noise. Below 64 pixels the filter changes nothing.
    ground = ndimage.grey_closing(ndimage.gaussian_filter(inked, longer / 128), size=max(3, int(0.4 * longer)))
    contrast: FloatImage = ground - inked
    return contrast / np.maximum(ground, np.float32(0.1)) if dark else contrast


def _box_of(mask: Mask) -> Box:
    """Return the bounding box of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _main_group(ink: Mask) -> Mask:
    """Return the parts of the ink that make up the digit: the largest group of parts close to each other."""
    from scipy import ndimage

    labels, count = ndimage.label(ink, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    sides = np.array(
        [0]
        + [max(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in ndimage.find_objects(labels)]
    )
    keep = np.arange(count + 1) > 0
    at_border = np.zeros(count + 1, bool)
    at_border[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    at_border[0] = False
    inside = keep & ~at_border
    # A table's edge, a shadow, a frame: dropped if there is something inside that can be a digit. A digit that fills
    # the picture to its border has only splinters beside it.
    if inside.any() and sides[inside].max() >= LEAST_INSIDE * sides.max():
        keep &= ~at_border
    largest = np.max(areas * keep)
    keep &= areas * 30 >= largest
    parts = keep[labels]
    gap = max(1, round(sides[areas * keep == largest][0] / 8), ink.shape[0] // 40, ink.shape[1] // 40)
    groups, _ = ndimage.label(ndimage.maximum_filter(parts, 2 * gap + 1))
    sizes = np.bincount(groups.ravel(), weights=parts.ravel())
    sizes[0] = 0
    main: Mask = parts & (groups == np.argmax(sizes))
    return main
