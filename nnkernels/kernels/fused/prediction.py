"""Prediction: a single image with minimal overhead, or many images on several threads.

Many images of bytes can take one of several paths, which are in ``BYTE_PATHS``. Lists of nonzero pixels are always
possible.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused import byte_products
from nnkernels.kernels.fused.buffers import aligned_zeros
from nnkernels.kernels.fused.layout import Layout
from nnkernels.kernels.fused.many_images import GROUP_SIZE, PANEL_LANES, many_images_kernel
from nnkernels.kernels.fused.one_image import one_image_kernel
from nnkernels.kernels.fused.paths import is_permitted
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.team import run_partitioned

MIN_IMAGES_PER_THREAD = 256  # with fewer images, starting another thread takes longer than it saves

Predict = Callable[[npt.NDArray[Any]], FloatArray]
Convert = Callable[[npt.NDArray[Any]], FloatArray]


class ManyImages(NamedTuple):
    """A kernel for many images, and the parameters of a network in its layout.

    Attributes
    ----------
    kernel : callable
        ``kernel(*memory, X, probs, start, end)`` writes the probabilities of groups ``start`` to ``end - 1`` of the
        images ``X`` (N, D) to ``probs`` (N, C).
    memory : tuple of ndarray
        The parameters.
    group_size : int
        Number of images of a group.
    """

    kernel: Callable[..., None]
    memory: tuple[npt.NDArray[Any], ...]
    group_size: int


class BytePath(NamedTuple):
    """A path for many uint8 images, which needs certain instructions.

    Attributes
    ----------
    name : str
        A key of ``paths.PATHS``, which contains the instructions.
    prepare : callable
        ``prepare(params, pixel_scale) -> (kernel, memory)``, as in :class:`ManyImages`. It copies the parameters, and
        returns None if the path does not suit them.
    group_size : int
        Number of images of a group.
    """

    name: str
    prepare: Callable[[Parameters, float], tuple[Callable[..., None], tuple[npt.NDArray[Any], ...]] | None]
    group_size: int


# The first one that is permitted and suits the parameters is used.
BYTE_PATHS = (BytePath("vnni", byte_products.byte_predictor, byte_products.GROUP_SIZE),)
MIN_IMAGES_OF_BYTE_PATH = 64  # with fewer images, converting the parameters takes longer than it saves


def compiled_predictor(params: Parameters, pixel_scale: float, as_features: Convert) -> Predict:
    """Return a function that predicts with a copy of the given parameters.

    The function uses up to ``numba.get_num_threads()`` threads. Each image is computed by one thread, so the results do
    not depend on their number. They do depend, in the last bits, on whether an image is predicted alone or among many.

    Parameters
    ----------
    params : Parameters
        Finite float32 parameters with at most 64 classes.
    pixel_scale : float
        Factor from uint8 pixels to features.
    as_features : callable
        Converts all images other than contiguous uint8 arrays to contiguous float32 features (N, D), or raises an
        exception if they are invalid.

    Returns
    -------
    predict : callable
        ``predict(X) -> probs``, from images (N, D) to float32 probabilities (N, C).
    """
    layout = Layout.of(params, PANEL_LANES)
    # One array instead of four, because converting arguments takes most of the time of a single image.
    weights = aligned_zeros(layout.ends[-1])
    layout.pack(params, layout.view(weights), -np.inf)
    lanes = (layout.panel_lanes, layout.panels, layout.class_lanes)
    inputs, classes = layout.inputs, layout.classes
    shapes = [array.shape for array in params]
    one = one_image_kernel(*lanes, pixel_scale, np.uint8)
    lists = ManyImages(many_images_kernel(*lanes, pixel_scale), (weights,), GROUP_SIZE)
    uint8 = np.dtype(np.uint8)
    one_row = np.zeros((1, classes), np.float32)  # copying an array is faster than creating one
    # A TypeError from Numba takes 0.1 ms. Checking the flags takes a twentieth of the time of an image, so they are
    # checked only after such an error.
    refused_once = False

    def predict(X: npt.NDArray[Any]) -> FloatArray:
        nonlocal refused_once
        if X.dtype is uint8 and not (refused_once and not X.flags.c_contiguous):
            probs = one_row.copy()
            try:
                if one(weights, X, probs):
                    return probs
            except TypeError:  # not contiguous, or not two-dimensional
                refused_once = True
        return predict_any(X)

    @cache  # the conversion of the parameters waits until many images are predicted
    def fastest_for_bytes() -> ManyImages:
        for path in BYTE_PATHS:
            if is_permitted(path.name):
                unpadded = Parameters(*(np.empty(shape, np.float32) for shape in shapes))
                layout.unpack(layout.view(weights), unpadded)
                if prepared := path.prepare(unpadded, pixel_scale):
                    return ManyImages(*prepared, path.group_size)
        return lists

    def predict_any(X: npt.NDArray[Any]) -> FloatArray:
        if X.dtype == uint8 and X.ndim == 2 and not X.flags.c_contiguous:
            return predict(np.ascontiguousarray(X))  # one image must use the kernel for one image
        if not (X.dtype == uint8 and X.flags.c_contiguous and X.shape[1:] == (inputs,)):
            X = as_features(X)
            if len(X) == 1:
                probs = one_row.copy()
                one_image_kernel(*lanes, pixel_scale, np.float32)(weights, X, probs)
                return probs
        N = len(X)
        probs = np.empty((N, classes), np.float32)
        many = fastest_for_bytes() if X.dtype == uint8 and N >= MIN_IMAGES_OF_BYTE_PATH else lists
        threads = max(1, min(numba.get_num_threads(), N // MIN_IMAGES_PER_THREAD))
        run_partitioned(many.kernel, threads, -(-N // many.group_size), *many.memory, X, probs)
        return probs

    return predict
