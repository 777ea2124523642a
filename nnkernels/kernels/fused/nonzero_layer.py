"""The first layer on nonzero pixels, forward and backward: a row of weights an entry, everything in vector lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import part
from nnkernels.kernels.fused.model import Batch, Buffers, Model, TrainingSizes
from nnkernels.kernels.fused.nonzero import NonzeroImages
from nnkernels.kernels.simd import (
    add_to,
    at,
    load,
    load_four,
    load_places,
    pick,
    place,
    prefetch,
    product,
    relu,
    store,
    width,
)
from nnkernels.parameters import FloatArray

# A panel's row of sums stays in registers: eight vectors leave some of AVX2's sixteen for the operands.
MOST_PANEL_LANES = 64
FOUR_SUMS = 24  # lanes of which four sums stay there
NEAR = 256  # images whose lists, with the weights, the second-level cache holds
FOURS = ~3  # the bits of an index that are those of a multiple of four
AHEAD = 8  # images: long enough for memory to answer, short enough to stay in the cache until then


@part
def first_layer(
    model: Model,
    space: Buffers,
    images: NonzeroImages,
    y: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    batch: Batch,
    mine: tuple[int, int],
    sizes: TrainingSizes,
    scale: np.float32,
    panel: Any,
) -> None:
    """``A1 = relu(scale X W1 + b1)``, one panel after the other, so that its weights stay in the cache."""
    # Out of their tuples once: inside the loops, Numba would count references at every access.
    W1, b1, values, pixels, starts = model.W1, model.b1, images.values, images.pixels, images.starts
    A1, hidden_lanes, lanes = space.A1, len(b1), width(panel)
    for p in range(0, hidden_lanes, lanes):
        panel_start = p * sizes.inputs
        for n in range(mine[0], mine[1]):
            # An image soon to come, 192 entries as most digits have, and what leads to one after it.
            ahead = batch.begin + n + AHEAD
            if p == 0 and ahead + AHEAD < len(order):
                start = at(starts, at(order, ahead))
                prefetch(values, start, 3)
                prefetch(pixels, start, 6)
                prefetch(starts, at(order, ahead + AHEAD), 1)
                prefetch(y, at(order, ahead + AHEAD), 1)
            row = at(order, batch.begin + n)
            # A sum waits four cycles for its own last addition, so there are several in turns, if registers allow.
            s0, s1, s2, s3 = panel, panel, panel, panel
            if lanes <= FOUR_SUMS:
                for k in range(at(starts, row), at(starts, row + 1), 4):
                    x, places = load_four(values, k), load_places(pixels, k)
                    s0 += pick(x, 0, panel) * load(W1, panel_start + place(places, 0) * lanes, panel)
                    s1 += pick(x, 1, panel) * load(W1, panel_start + place(places, 1) * lanes, panel)
                    s2 += pick(x, 2, panel) * load(W1, panel_start + place(places, 2) * lanes, panel)
                    s3 += pick(x, 3, panel) * load(W1, panel_start + place(places, 3) * lanes, panel)
                s0 = (s0 + s1) + (s2 + s3)
            else:
                for k in range(at(starts, row), at(starts, row + 1), 4):
                    x, places = load_four(values, k), load_places(pixels, k)
                    s0 += pick(x, 0, panel) * load(W1, panel_start + place(places, 0) * lanes, panel)
                    s0 += pick(x, 1, panel) * load(W1, panel_start + place(places, 1) * lanes, panel)
                    s0 += pick(x, 2, panel) * load(W1, panel_start + place(places, 2) * lanes, panel)
                    s0 += pick(x, 3, panel) * load(W1, panel_start + place(places, 3) * lanes, panel)
            store(A1, n * hidden_lanes + p, relu(scale * s0 + load(b1, p, panel)))


@part
def add_outer_products(
    target: FloatArray,
    images: NonzeroImages,
    space: Buffers,
    hidden_lanes: int,
    order: npt.NDArray[np.int64],
    batch: Batch,
    mine: tuple[int, int],
    sizes: TrainingSizes,
    factor: np.float32,
    panel: Any,
) -> None:
    """``target += factor X^T dZ1`` on a range of pixels, entry by entry; images in their order, whoever does it."""
    values, pixels, starts, halves = images.values, images.pixels, images.starts, images.halves
    dZ1 = space.dZ1
    lanes = width(panel)
    for p in range(0, hidden_lanes, lanes):
        panel_start = p * sizes.inputs
        for n in range(batch.size):
            if (
                batch.size > NEAR and n + AHEAD < batch.size
            ):  # else the lists are still where the forward pass left them
                ahead = at(starts, at(order, batch.begin + n + AHEAD))
                prefetch(values, ahead, 3)
                prefetch(pixels, ahead, 6)
            row = at(order, batch.begin + n)
            start, end = at(starts, row), at(starts, row + 1)
            half = start + np.intp(at(halves, row))
            if mine[0] > 0:
                start = half if mine[0] == images.middle else find(pixels, start, end, mine[0])
            if mine[1] < sizes.inputs:
                end = half if mine[1] == images.middle else find(pixels, start, end, mine[1])
            gradient = factor * load(dZ1, n * hidden_lanes + p, panel)
            # A thread's range of pixels may begin and end within four.
            fours_start, fours_end = (start + 3) & FOURS, end & FOURS
            if fours_start > fours_end:
                fours_start = fours_end = end
            for k in range(start, fours_start):
                value = np.float32(at(values, k))
                add_to(target, panel_start + np.intp(at(pixels, k)) * lanes, product(value, gradient))
            for k in range(fours_end, end):
                value = np.float32(at(values, k))
                add_to(target, panel_start + np.intp(at(pixels, k)) * lanes, product(value, gradient))
            for k in range(fours_start, fours_end, 4):
                x, places = load_four(values, k), load_places(pixels, k)
                add_to(target, panel_start + place(places, 0) * lanes, product(pick(x, 0, panel), gradient))
                add_to(target, panel_start + place(places, 1) * lanes, product(pick(x, 1, panel), gradient))
                add_to(target, panel_start + place(places, 2) * lanes, product(pick(x, 2, panel), gradient))
                add_to(target, panel_start + place(places, 3) * lanes, product(pick(x, 3, panel), gradient))


@part
def find(pixels: npt.NDArray[np.uint16], start: int, end: int, pixel: int) -> int:
    """Return the first place from ``start`` on that has ``pixel`` or a later one."""
    # Halving without a branch, which would be foreseen half of the time.
    length = end - start
    while length > 1:
        half = length // 2
        start += half * (at(pixels, start + half - 1) < pixel)
        length -= half
    return start + (length == 1 and at(pixels, start) < pixel)
