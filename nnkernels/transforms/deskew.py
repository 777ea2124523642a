"""Removal of the slant of digits, centring, and normalisation of their size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.transforms.batches import batch_of, run_on_threads


def deskew(
    images: npt.NDArray[Any], out: npt.NDArray[np.uint8] | None = None, *, normalize_size: bool = False
) -> npt.NDArray[np.uint8]:
    """Remove the slant of digits, centre them by their mass, and normalise their size if asked.

    With the mean (x, y) of the positions of the ink, weighted by its amount, and the slant s = cov(x, y) / var(y), the
    pixel in row i and column j of the result is interpolated bilinearly at the row ``y + b (i - H // 2)`` and the
    column ``x + a (j - W // 2) + s b (i - H // 2)``. So the result has no covariance of rows and columns, and its
    centre of mass is the pixel ``(H // 2, W // 2)``, as in MNIST.

    Without `normalize_size`, a = b = 1. With it, b is the standard deviation of the rows divided by ``0.2 H``, and a is
    that of the columns (of the digit without slant) divided by ``0.15 W``. So all digits are equally large, as far as
    0.4 <= a, b <= 2 allows. This is the moment normalization of Casey.

    The transform looks at one image at a time and uses no labels; apply it to training and test images alike.

    The slant is limited to 2 pixels per row. Outside the image there are zeros. Results are computed in integers and
    rounded to the nearest, halves upwards; they differ by at most 1 from exact interpolation for images of up to 100 x
    100 pixels. A blank image is unchanged. A single pixel is moved to the centre; with `normalize_size`
    it becomes a spot of 5 x 5 pixels.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W) or (N, D)
        Light ink on a black background. D is a square number.
    out : ndarray of uint8, optional
        Where the result is written: C-contiguous, of the shape of ``images``. It may be ``images`` itself.
    normalize_size : bool, default: False
        Whether the digits are scaled to the same height and width, measured by their moments.

    Returns
    -------
    deskewed : ndarray of uint8, shape (N, H, W) or (N, D)
        The images, or ``out``.

    Raises
    ------
    DataError
        If the images have another dtype or shape, or if ``out`` does not fit.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings
    of the IEEE 86, 1998, section III; R. G. Casey, "Moment Normalization of Handprinted Characters", IBM Journal of
    Research and Development 14, 1970.
    """
    from nnkernels.transforms.compiled.moments import make_upright

    batch = batch_of(images, out)
    shape = batch.height, batch.width
    run_on_threads(make_upright, len(batch.images), batch.images, batch.out, shape, bool(normalize_size))
    return batch.result
