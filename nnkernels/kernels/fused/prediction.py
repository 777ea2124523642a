"""Probabilities of images: one with the least possible overhead, many shared among threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from nnkernels.jit import inlined_part, ordered_kernel
from nnkernels.kernels import simd
from nnkernels.kernels.fused.model import Layout, Model, aligned_zeros
from nnkernels.kernels.fused.nonzero import PADDING, PLACES, find_places
from nnkernels.kernels.fused.nonzero_layer import row_of
from nnkernels.kernels.simd import at, load, load_places, relu, store, width, zeros
from nnkernels.kernels.team import run_shares
from nnkernels.parameters import FloatArray, Parameters

PANEL_LANES = 24  # three vectors of sums, four times
GROUP = 4  # images whose lists are written before they are read
IMAGES_A_THREAD = 256  # with fewer, a second thread costs more than it saves

Predict = Callable[[npt.NDArray[Any]], FloatArray]
Convert = Callable[[npt.NDArray[Any]], FloatArray]


def compiled_predictor(params: Parameters, pixel_scale: float, as_features: Convert) -> Predict:
    """Return a function that computes the probabilities (N, C) of images (N, D) with these parameters as they are now.

    It works on as many threads as ``numba.get_num_threads()`` says, each image on one, so that the answer does not
    depend on the number.

    Parameters
    ----------
    params : Parameters
        float32, finite, at most 64 classes.
    pixel_scale : float
        What makes features of uint8 pixels.
    as_features : callable
        Makes contiguous float32 features (N, D) of anything but contiguous uint8 images, or refuses.
    """
    layout = Layout.of(params, PANEL_LANES)
    model = Model(*aligned_zeros(*layout.lengths))
    layout.pack(params, model, -np.inf)
    # One array in place of four: taking arguments in is most of what one image costs.
    (weights,) = aligned_zeros(sum(layout.lengths))
    np.concatenate(model, out=weights)
    kernel = prediction_kernel(layout.panel_lanes, layout.panels, layout.class_lanes)
    inputs, classes, strides, uint8 = layout.inputs, layout.classes, (layout.inputs, 1), np.dtype(np.uint8)
    one_row = np.zeros((1, classes), np.float32)  # copying it is faster than making another

    def predict(X: npt.NDArray[Any]) -> FloatArray:
        if X.dtype is uint8 and X.strides == strides and X.shape[1] == inputs:
            scale = pixel_scale
        else:
            X, scale = as_features(X), 1.0
        N = len(X)
        if N == 1:
            probs = one_row.copy()
            kernel(weights, X, probs, scale, 0, 1)
            return probs
        probs = np.empty((N, classes), np.float32)
        threads = max(1, min(numba.get_num_threads(), N // IMAGES_A_THREAD))
        run_shares(kernel, threads, N, weights, X, probs, scale)
        return probs

    return predict


@cache
def prediction_kernel(panel_lanes: int, panels: int, class_lanes: int) -> Callable[..., None]:
    """Return the kernel for a network of that many panels of lanes and that many lanes of classes."""
    hidden_lanes = panels * panel_lanes
    table = PLACES

    @ordered_kernel
    def predict(
        weights: FloatArray, X: npt.NDArray[Any], probs: FloatArray, scale: float, start: int, end: int
    ) -> None:
        inputs, classes = X.shape[1], probs.shape[1]
        panel, outputs = zeros(panel_lanes), zeros(class_lanes)
        b1 = hidden_lanes * inputs
        W2 = b1 + hidden_lanes
        b2 = W2 + hidden_lanes * class_lanes
        flat = X.reshape(-1)
        length = inputs + PADDING
        pixels = np.empty(GROUP * length, np.uint16)
        ends = np.empty(GROUP, np.int64)
        A1 = np.empty(hidden_lanes + class_lanes, np.float32)
        factor = np.float32(scale)
        for group in range(start, end, GROUP):
            # A list is read after those of a few images more are written: read at once, it would have to wait until the
            # last of its stores, which overlap, has left for the cache.
            for i in range(min(GROUP, end - group)):
                ends[i] = find_places(flat, (group + i) * inputs, 0, inputs, pixels, i * length, table)
            for i in range(min(GROUP, end - group)):
                n = group + i
                for p in range(0, hidden_lanes, panel_lanes):
                    sums = listed_rows(weights, flat, n * inputs, pixels, i * length, ends[i], p * inputs, panel)
                    store(A1, p, relu(factor * sums + load(weights, b1 + p, panel)))
                logits, other = load(weights, b2, outputs), outputs
                for h in range(0, hidden_lanes, 2):
                    w = W2 + h * class_lanes
                    logits += at(A1, h) * load(weights, w, outputs)
                    other += at(A1, h + 1) * load(weights, w + class_lanes, outputs)
                logits = logits + other
                exponentials = simd.exp_nonpositive(logits - simd.highest(logits))
                store(A1, hidden_lanes, exponentials * (np.float32(1) / simd.total(exponentials)))
                for c in range(classes):
                    probs[n, c] = at(A1, hidden_lanes + c)

    return predict


@inlined_part
def listed_rows(
    W1: FloatArray,
    images: npt.NDArray[Any],
    first: int,
    pixels: npt.NDArray[np.uint16],
    start: int,
    end: int,
    panel_start: int,
    panel: Any,
) -> Any:
    """Return ``sum_k x[pixels[k]] W1[pixels[k]]`` of an image x; see ``nonzero_layer.weighted_rows``."""
    lanes = width(panel)
    s0, s1, s2, s3 = panel, panel, panel, panel
    fours = start + (end - start) // 4 * 4
    for k in range(start, fours, 4):
        places = load_places(pixels, k)
        s0 += feature(images, first, places, 0) * load(W1, panel_start + row_of(places, 0, lanes), panel)
        s1 += feature(images, first, places, 1) * load(W1, panel_start + row_of(places, 1, lanes), panel)
        s2 += feature(images, first, places, 2) * load(W1, panel_start + row_of(places, 2, lanes), panel)
        s3 += feature(images, first, places, 3) * load(W1, panel_start + row_of(places, 3, lanes), panel)
    for k in range(fours, end):
        place = np.intp(at(pixels, k))
        s0 += np.float32(at(images, first + place)) * load(W1, panel_start + place * lanes, panel)
    return (s0 + s1) + (s2 + s3)


@inlined_part
def feature(images: npt.NDArray[Any], first: int, places: np.uint64, i: int) -> np.float32:
    """Return the ``i``-th of four pixels, as a float."""
    return np.float32(at(images, first + row_of(places, i, 1)))
