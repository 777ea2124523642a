"""Checks of batches of images, and the division of a batch among threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import DataError

ByteArray = npt.NDArray[np.uint8]

MAX_SIDE = 1024  # pixels, so that positions fit into 32 bits
MIN_IMAGES_PER_THREAD = 256  # fewer take less time than waking a thread


class Batch(NamedTuple):
    """Images as rows of pixels, and where the result is written.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, height * width)
        The images.
    out : ndarray of uint8, shape (N, height * width)
        Memory of the result, a view of ``result``.
    height, width : int
        The size of the images.
    result : ndarray of uint8
        The result, in the shape that the caller passed.
    """

    images: ByteArray
    out: ByteArray
    height: int
    width: int
    result: ByteArray


def batch_of(images: npt.NDArray[Any], out: npt.NDArray[Any] | None) -> Batch:
    """Check images, and allocate their result.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, height, width) or (N, D)
        The images. D is a square number.
    out : ndarray of uint8 or None
        Where the result is written: C-contiguous, of the shape of ``images``. It may be ``images`` itself.

    Returns
    -------
    batch : Batch
        The images.

    Raises
    ------
    DataError
        If an array has another dtype or shape, or if ``out`` cannot be written to or partly overlaps the images.
    """
    pixels = np.asarray(images)
    if pixels.dtype != np.uint8:
        raise DataError(
            f"images have dtype {pixels.dtype}; expected pixels from 0 to 255 as uint8. Transform images before scaling"
        )
    height, width = _size(pixels)
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), height * width)
    if out is None:
        result = np.empty(pixels.shape, np.uint8)
    else:
        result = out
        _check_out(out, pixels)
    target = result.reshape(rows.shape)
    rows = rows.view()
    rows.flags.writeable = False  # so that kernels are compiled only once, for memory maps and other arrays alike
    return Batch(rows, target, height, width, result)


def _size(pixels: ByteArray) -> tuple[int, int]:
    if pixels.ndim == 2:
        height = width = math.isqrt(pixels.shape[1])
        if height * width != pixels.shape[1]:
            raise DataError(
                f"images have {pixels.shape[1]} pixels, which is not a square number; pass them as (N, height, width)"
            )
    elif pixels.ndim == 3:
        height, width = pixels.shape[1:]
    else:
        raise DataError(f"images have shape {pixels.shape}; expected (N, height, width), or (N, D) for square images")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise DataError(f"images have {height} x {width} pixels; expected 1 to {MAX_SIDE} in each direction")
    return height, width


def _check_out(out: npt.NDArray[Any], pixels: ByteArray) -> None:
    if not isinstance(out, np.ndarray) or out.dtype != np.uint8 or out.shape != pixels.shape:
        given = f"dtype {out.dtype} and shape {out.shape}" if isinstance(out, np.ndarray) else f"type {type(out)}"
        raise DataError(f"out has {given}; expected a uint8 array of shape {pixels.shape}, like the images")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise DataError("out must be a C-contiguous array that can be written to; pass another one, or none")
    same = out.__array_interface__["data"] == pixels.__array_interface__["data"] and pixels.flags.c_contiguous
    if not same and np.may_share_memory(out, pixels):
        raise DataError("out overlaps the images; pass the images themselves or separate memory")


def run_on_threads(kernel: Callable[..., None], images: int, *arguments: Any) -> None:
    """Run a kernel on ranges of images, on up to ``numba.get_num_threads()`` threads.

    Parameters
    ----------
    kernel : callable
        Called as ``kernel(*arguments, start, end)``.
    images : int
        The number of images.
    *arguments
        Further arguments of the kernel.
    """
    import numba

    from nnkernels.team import run_partitioned

    threads = max(1, min(numba.get_num_threads(), images // MIN_IMAGES_PER_THREAD))
    run_partitioned(kernel, threads, images, *arguments)
