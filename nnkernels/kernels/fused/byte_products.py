"""Prediction of many uint8 images by products of bytes, four at a time (AVX-512 VNNI).

The weights of the first layer are integers of three digits (:mod:`~nnkernels.kernels.fused.fixed_point`). An image's
sums with each digit are exact int32 sums of products of bytes. An instruction multiplies four adjacent pixels (a quad)
by the digits of sixteen columns. The columns of a network with 20 hidden units are 20 first, 20 second and 20 third
digits, in four vectors. Then

    Z1 = (sum d2 + 2^-8 sum d1 + 2^-16 sum d0) * scale + b1

Two images at a time share the weights of the quads that are nonzero in both. The other nonzero quads of each image
follow alone, so that no product is computed with a quad of zeros. On digits, a pair has 35 common quads and 20 others
each, of 196. The sums are exact, so the result for an image does not depend on the other one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from nnkernels.jit import ordered_kernel
from nnkernels.kernels.fused.buffers import aligned_zeros
from nnkernels.kernels.fused.fixed_point import DIGITS, digits, fixed_point
from nnkernels.kernels.fused.output_layer import softmax_of_columns
from nnkernels.kernels.fused.quads import QUADS_OF_MASK, last_nonzero_quads, partial_quad
from nnkernels.kernels.simd import (
    CACHE_LINE,
    TILE_VECTOR,
    VECTOR,
    at,
    lanes_for,
    load,
    lowest_bit,
    prefetch,
    relu,
    store,
    transpose_eight,
    zero_tile,
    zeros,
)
from nnkernels.kernels.simd.byte_sums import (
    QUAD,
    SUMS,
    add_byte_products,
    joined_digits,
    load_quad,
    nonzero_quads,
    zero_sums,
)
from nnkernels.parameters import FloatArray, Parameters

MAX_PANEL_UNITS = 64  # whose sums for two images are 24 of AVX-512's 32 registers
GROUP_SIZE = 16  # images whose hidden units are transposed together
GROUP_VECTORS = GROUP_SIZE // TILE_VECTOR
PREFETCH_DISTANCE = 4  # images between the one in use and the one that is prefetched
MASK_BYTES = QUAD * QUADS_OF_MASK


def byte_predictor(
    params: Parameters, pixel_scale: float
) -> tuple[Callable[..., None], tuple[npt.NDArray[np.int8], FloatArray]] | None:
    """Return the kernel for a network, and its parameters in the kernel's layout.

    Parameters
    ----------
    params : Parameters
        Finite float32 parameters; copied.
    pixel_scale : float
        Factor from pixels to features.

    Returns
    -------
    kernel, memory : callable and tuple of ndarray, or None
        ``kernel(*memory, X, probs, start, end)`` writes the probabilities of groups ``start`` to ``end - 1``, of
        sixteen images each, of the contiguous uint8 images ``X`` (N, D) to ``probs`` (N, C). None if fixed point may be
        less accurate than float32 for these weights.
    """
    weights = fixed_point(params.W1)
    if weights is None:
        return None
    scales = (weights.scales * 2**16 * pixel_scale).astype(np.float32)
    if np.any(scales[weights.scales > 0] < np.finfo(np.float32).tiny):  # a subnormal number has fewer bits
        return None
    hidden, classes = params.W2.shape
    panels = -(-hidden // MAX_PANEL_UNITS)
    units = -(-hidden // panels)
    # The last vector of a panel may extend past its end, which must not be inside another panel.
    units = -(-units // 4) * 4 if panels == 1 else lanes_for(units)
    class_lanes = lanes_for(classes)
    hidden_lanes = lanes_for(panels * units)
    floats = aligned_zeros(2 * hidden_lanes + (panels * units + 1) * class_lanes)
    floats[:hidden] = scales
    floats[hidden_lanes : hidden_lanes + hidden] = params.b1
    output = floats[2 * hidden_lanes :].reshape(-1, class_lanes)
    output[:hidden, :classes] = params.W2
    output[-1] = -np.inf  # additional classes have the probability 0
    output[-1, :classes] = params.b2
    return byte_products_kernel(units, panels, class_lanes), (_digit_table(weights.integers, units, panels), floats)


def _digit_table(integers: npt.NDArray[np.int32], units: int, panels: int) -> npt.NDArray[np.int8]:
    """Return the digits as the kernel reads them: by panel, quad, digit, unit, and pixel of the quad."""
    inputs, hidden = integers.shape
    quads = -(-inputs // QUAD)
    padded = np.zeros((quads * QUAD, panels * units), np.int32)
    padded[:inputs, :hidden] = integers
    by_quad = padded.reshape(quads, QUAD, panels, units).transpose(2, 0, 3, 1).reshape(panels, quads, units * QUAD)
    row_bytes = _vectors(units) * CACHE_LINE
    table = aligned_zeros(panels * quads * row_bytes // 4).view(np.int8)
    rows = table.reshape(panels, quads, row_bytes)[:, :, : DIGITS * units * QUAD]
    rows.reshape(panels, quads, DIGITS, units * QUAD)[:] = np.stack(digits(by_quad), axis=2)
    return table


def _vectors(units: int) -> int:
    return -(-DIGITS * units // SUMS)


@cache
def byte_products_kernel(units: int, panels: int, class_lanes: int) -> Callable[..., None]:
    """Return the kernel for networks of a certain size.

    Parameters
    ----------
    units, panels : int
        Hidden units of each panel, and number of panels.
    class_lanes : int
        Lanes of the output layer.

    Returns
    -------
    kernel : callable
        See :func:`byte_predictor`.
    """
    vectors = _vectors(units)
    row_bytes, unit_lanes = vectors * CACHE_LINE, lanes_for(units)
    hidden = panels * units
    hidden_lanes = lanes_for(hidden)

    @ordered_kernel
    def predict(
        table: npt.NDArray[np.int8],
        floats: FloatArray,
        X: npt.NDArray[np.uint8],
        probs: FloatArray,
        start: int,
        end: int,
    ) -> None:
        no_sums, zeros8 = zero_sums(vectors), zeros(VECTOR)
        zero_units, zero_group = zeros(unit_lanes), zero_tile(GROUP_VECTORS)
        images, N, inputs, classes = X.reshape(-1), X.shape[0], X.shape[1], probs.shape[1]
        quads = inputs // QUAD
        whole, words = quads // QUADS_OF_MASK, -(-quads // QUADS_OF_MASK)
        panel_bytes = -(-inputs // QUAD) * row_bytes
        b1 = floats[hidden_lanes:]
        W2 = b1[hidden_lanes:]
        b2 = W2[hidden * class_lanes :]
        masks, others = np.empty(words, np.uint64), np.empty(words, np.uint64)
        A1 = np.empty(GROUP_SIZE * hidden_lanes, np.float32)
        columns = np.empty(GROUP_SIZE * (hidden_lanes + class_lanes), np.float32)
        logits = GROUP_SIZE * hidden_lanes
        all_probs, whole_classes = probs.reshape(-1), classes // VECTOR * VECTOR
        rows = np.empty(GROUP_SIZE * class_lanes, np.float32)
        for n in range(GROUP_SIZE * start, min(GROUP_SIZE * end, N), GROUP_SIZE):
            for i in range(0, GROUP_SIZE, 2):
                # An incomplete group repeats the last image.
                image, other = min(n + i, N - 1) * inputs, min(n + i + 1, N - 1) * inputs
                # Not in a function: although it would be inlined, this is slower.
                for word in range(whole):
                    masks[word] = nonzero_quads(images, image + word * MASK_BYTES, QUADS_OF_MASK)
                    others[word] = nonzero_quads(images, other + word * MASK_BYTES, QUADS_OF_MASK)
                if words > whole:
                    masks[whole] = last_nonzero_quads(images, image, quads)
                    others[whole] = last_nonzero_quads(images, other, quads)
                # Not earlier: the loads of this pair would have to wait for the prefetches.
                for line in range(0, 2 * inputs, CACHE_LINE):
                    prefetch(images, image + PREFETCH_DISTANCE * inputs + line, 1)
                for p in range(panels):
                    s, t = no_sums, no_sums
                    for k in range(words):
                        # Every other pair is visited backwards: the weights that were used last are still in L1.
                        word = k if i % 4 else words - 1 - k
                        first = word * MASK_BYTES
                        row = p * panel_bytes + word * QUADS_OF_MASK * row_bytes
                        left = at(masks, word) & at(others, word)
                        while left:
                            q = lowest_bit(left)
                            left &= left - np.uint64(1)
                            w = row + q * row_bytes
                            s = add_byte_products(s, load_quad(images, image + first + q * QUAD), table, w)
                            t = add_byte_products(t, load_quad(images, other + first + q * QUAD), table, w)
                        left = at(masks, word) & ~at(others, word)
                        while left:
                            q = lowest_bit(left)
                            left &= left - np.uint64(1)
                            quad = load_quad(images, image + first + q * QUAD)
                            s = add_byte_products(s, quad, table, row + q * row_bytes)
                        left = at(others, word) & ~at(masks, word)
                        while left:
                            q = lowest_bit(left)
                            left &= left - np.uint64(1)
                            quad = load_quad(images, other + first + q * QUAD)
                            t = add_byte_products(t, quad, table, row + q * row_bytes)
                    if inputs % QUAD:
                        first, row = quads * QUAD, p * panel_bytes + quads * row_bytes
                        s = add_byte_products(s, partial_quad(images, image + first, inputs - first), table, row)
                        t = add_byte_products(t, partial_quad(images, other + first, inputs - first), table, row)
                    lane = p * units
                    scale, bias = load(floats, lane, zero_units), load(b1, lane, zero_units)
                    store(A1, i * hidden_lanes + lane, relu(joined_digits(s, DIGITS, units) * scale + bias))
                    store(A1, (i + 1) * hidden_lanes + lane, relu(joined_digits(t, DIGITS, units) * scale + bias))
            for i in range(0, GROUP_SIZE, VECTOR):
                for h in range(0, hidden_lanes, VECTOR):
                    transpose_eight(A1, i * hidden_lanes + h, hidden_lanes, columns, h * GROUP_SIZE + i, GROUP_SIZE)
            softmax_of_columns(W2, b2, columns, logits, hidden, classes, class_lanes, np.float32(1), zero_group)
            for i in range(0, GROUP_SIZE, VECTOR):
                for c in range(0, class_lanes, VECTOR):
                    source = logits + c * GROUP_SIZE + i
                    transpose_eight(columns, source, GROUP_SIZE, rows, i * class_lanes + c, class_lanes)
            for i in range(min(GROUP_SIZE, N - n)):
                source, target = i * class_lanes, (n + i) * classes
                for c in range(0, whole_classes, VECTOR):
                    store(all_probs, target + c, load(rows, source + c, zeros8))
                for c in range(whole_classes, classes):
                    all_probs[target + c] = at(rows, source + c)

    return predict
