"""Separation of ink and background in a grayscale picture, and selection of the ink that forms the digit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Brightness and contrast are between 0 and 1.
MIN_CONTRAST = 0.04
# In standard deviations of the noise. Among 100,000 pixels, noise alone reaches 4 to 5.
MIN_CONTRAST_TO_NOISE = 6
# As fractions of the strongest contrast. Most lines of squared paper are fainter than the first. The second applies
# where the background is not perfectly flat.
INK_THRESHOLD = 0.4
EDGE_THRESHOLD = 0.25
# As a fraction of the longest component. A shorter component is a splinter, not a digit.
MIN_INTERIOR_SIZE = 0.15
# As a fraction of the bounding box. One in 10,000 MNIST digits covers as much; a sheet of paper covers more.
SOLID_FILL = 0.75


class Box(NamedTuple):
    """A rectangle of pixels.

    Attributes
    ----------
    left, top : int
        The first column and row, counted from the top left corner of the picture.
    right, bottom : int
        One more than the last column and row.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def longer_side(self) -> int:
        """The length of the longer side in pixels."""
        return max(self.right - self.left, self.bottom - self.top)

    def crop(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the part of a picture inside the box.

        Parameters
        ----------
        picture : ndarray, shape (height, width)
            Any picture that contains the box.

        Returns
        -------
        part : ndarray, shape (bottom - top, right - left)
            A view.
        """
        return picture[self.top : self.bottom, self.left : self.right]

    def is_inside(self, other: Box) -> bool:
        """Return whether the box is contained in another one.

        Parameters
        ----------
        other : Box
            The other box.

        Returns
        -------
        inside : bool
            True if no pixel of this box is outside the other one.
        """
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
        The amount of ink per pixel, from 0 (background) to 1 (the maximum of the picture).
    box : Box
        The bounding box of the digit in the picture.
    is_dark : bool
        Whether the ink is darker than the background.
    """

    amount: FloatImage
    box: Box
    is_dark: bool


def find_ink(picture: FloatImage) -> Ink | None:
    """Find the ink of the digit in a picture.

    Parameters
    ----------
    picture : ndarray of float32, shape (height, width)
        Brightness, 0 to 1.

    Returns
    -------
    ink : Ink or None
        None if nothing stands out from the background.
    """
    dark_guess = is_ink_dark(picture)
    found = _extract_ink(picture, dark_guess)
    if found is not None and np.mean(found.amount > INK_THRESHOLD) < SOLID_FILL:
        return found
    # Nothing was found, or something solid: perhaps a light sheet on a dark table, with the digit on the sheet.
    candidate = _extract_ink(picture, not dark_guess)
    return candidate if candidate is not None and (found is None or candidate.box.is_inside(found.box)) else found


def is_ink_dark(picture: FloatImage) -> bool:
    """Decide whether the ink is darker than the background, from the tones of the picture and of its border.

    The median tone is that of the background, because ink covers the smaller part of the picture. The border has hardly
    any ink, so it gets as much weight as the whole picture. The ink is the extreme tone, darkest or lightest, that
    differs more from the median. Tones are logarithms of brightness: halving the light changes the tone by the same
    amount everywhere.

    Parameters
    ----------
    picture : ndarray of float32, shape (height, width)
        Brightness, 0 to 1.

    Returns
    -------
    dark : bool
        True if the ink is the dark part.
    """
    from scipy import ndimage

    tone = np.log(ndimage.gaussian_filter(picture, max(picture.shape) / 128) + 0.05)
    border = np.concatenate([tone[0], tone[-1], tone[:, 0], tone[:, -1]])
    background = np.median(np.concatenate([tone.ravel(), np.repeat(border, -(-tone.size // border.size))]))
    darkest, lightest = np.percentile(tone, [0.1, 99.9])
    return bool(background - darkest > lightest - background)


def _extract_ink(picture: FloatImage, dark: bool) -> Ink | None:
    """Return the ink of the digit, assuming that ink is darker (or lighter) than the background."""
    from scipy import ndimage

    smoothed = ndimage.gaussian_filter(_contrast(picture, dark), max(picture.shape) / 256)
    background = smoothed[smoothed <= smoothed.max() / 2]
    level = np.median(background)
    noise = 1.4826 * np.median(np.abs(background - level))
    strongest = smoothed.max() - level
    if strongest < max(MIN_CONTRAST, MIN_CONTRAST_TO_NOISE * noise):
        return None
    digit = _digit_components(smoothed > level + INK_THRESHOLD * strongest)
    strongest = smoothed[digit].max() - level
    # The soft edge of a stroke is about one MNIST pixel wide. Pixels farther away are not ink.
    reach = max(1, round(_bounding_box(digit).longer_side / 20))
    near = ndimage.maximum_filter(digit, 2 * reach + 1)
    # On a perfectly flat background, as in a drawing, even the faintest grey is ink. Elsewhere it may be noise.
    is_flat = bool(np.all(np.abs(smoothed[~near] - level) < 1e-3))
    amount = np.where(near, np.clip((smoothed - level) / strongest, 0, 1), 0).astype(np.float32)
    if not is_flat:
        amount[amount <= min(3 * noise / strongest, EDGE_THRESHOLD)] = 0
    box = _bounding_box(amount > (0 if is_flat and max(picture.shape) < 64 else EDGE_THRESHOLD))
    return Ink(box.crop(amount), box, dark)


def _contrast(picture: FloatImage, dark: bool) -> FloatImage:
    """Return the difference between each pixel and its local background.

    The background is estimated by a grey closing, which removes everything narrower than 0.4 of the longer side, and so
    every stroke. It follows gradients of the light and the edges of shadows. For dark ink, the contrast is divided by
    the brightness of the background, because the same ink differs half as much in half the light.

    Returns
    -------
    contrast : ndarray of float32, shape (height, width)
        Positive where there may be ink.
    """
    from scipy import ndimage

    inked = picture if dark else 1 - picture
    side = max(picture.shape)
    # Smooth slightly, because the closing would amplify noise. Below 64 pixels the filter has no effect.
    background = ndimage.grey_closing(ndimage.gaussian_filter(inked, side / 128), size=max(3, int(0.4 * side)))
    contrast: FloatImage = background - inked
    return contrast / np.maximum(background, np.float32(0.1)) if dark else contrast


def _bounding_box(mask: Mask) -> Box:
    """Return the bounding box of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _digit_components(ink: Mask) -> Mask:
    """Return the components of the ink that form the digit: the largest group of neighbouring components."""
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
    interior = keep & ~at_border
    # Components at the border, such as the edge of a table, a shadow or a frame, are dropped if the interior has a
    # component that may be a digit. Next to a digit that fills the picture there are only splinters.
    if interior.any() and sides[interior].max() >= MIN_INTERIOR_SIZE * sides.max():
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
