"""Training on whole stretches of batches in one call: the first layer on nonzero pixels, everything in vector lanes.

A hidden layer of H units is cut into panels of at most 64 lanes, so that a panel's row of sums stays in registers.
The working copy of the parameters is laid out for that (``fused_model``), padded with zeros to whole lanes.

Work is shared among threads without changing a single sum: images while activations are computed, rows of the weights
while they are updated. So the result is bit-identical for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

from nnkernels.jit import ordered_kernel
from nnkernels.kernels import simd
from nnkernels.kernels.contract import MOMENTUM, SGD, UpdateRule
from nnkernels.kernels.fused_model import Model, Workspace
from nnkernels.kernels.nonzero import NonzeroImages
from nnkernels.kernels.simd import VECTOR, at, is_positive, load, load_four, load_places, maximum, pick, prefetch, relu, store, transpose_eight, width, zeros
from nnkernels.kernels.team import meet
from nnkernels.parameters import FloatArray

AHEAD = 8  # images: long enough for memory to answer, short enough to stay in the cache until then


class Sizes(NamedTuple):
    """The sizes that are no compile-time constants."""

    inputs: int
    hidden: int
    classes: int
    batch_size: int


class Batch(NamedTuple):
    """Where a batch lies in the order, and how many images it has."""

    begin: int
    size: int


@cache
def training_kernel(panel_lanes: int, class_lanes: int) -> Callable[..., None]:
    """Return the kernel for panels of that many lanes and that many lanes of classes, which are constants in it."""

    @ordered_kernel
    def train(
        thread: int,
        threads: int,
        barrier: npt.NDArray[np.int64],
        model: Model,
        grads: Model,
        first: Model,
        second: Model,
        space: Workspace,
        images: NonzeroImages,
        y: npt.NDArray[np.int64],
        order: npt.NDArray[np.int64],
        learning_rates: npt.NDArray[np.float32],
        steps_before: int,
        sizes: Sizes,
        scale: np.float32,
        rule: UpdateRule,
    ) -> None:
        panel, outputs = zeros(panel_lanes), zeros(class_lanes)
        hidden_lanes = len(model.b1)
        columns = space.columns[thread]
        # This thread's share: rows of W1, and rows of W2 with their units' biases, in whole vectors.
        pixels = share(sizes.inputs, thread, threads)
        vectors = share(hidden_lanes // VECTOR, thread, threads)
        units = (vectors[0] * VECTOR, vectors[1] * VECTOR)
        meetings = 0
        for number in range(len(learning_rates)):
            begin = number * sizes.batch_size
            batch = Batch(begin, min(sizes.batch_size, len(order) - begin))
            step = step_size(learning_rates[number], rule, steps_before + number + 1)
            groups = share((batch.size + 7) // 8, thread, threads)
            mine = (8 * groups[0], min(8 * groups[1], batch.size))

            first_layer(model, space.A1, images, y, order, batch, mine, sizes, scale, panel)
            output_layer(model, space, columns, y, order, batch, mine, sizes)
            meetings = meet(barrier, threads, meetings)

            if rule.code == SGD:
                # No gradient is stored: w -= learning_rate x dZ1, image by image.
                add_outer_products(model.W1, images, space.dZ1, hidden_lanes, order, batch, pixels, sizes, -step * scale, panel)
            else:
                add_outer_products(grads.W1, images, space.dZ1, hidden_lanes, order, batch, pixels, sizes, scale, panel)
                for first_row in range(0, hidden_lanes * sizes.inputs, panel_lanes * sizes.inputs):
                    rows = (first_row + pixels[0] * panel_lanes, first_row + pixels[1] * panel_lanes)
                    update(model.W1, grads.W1, first.W1, second.W1, rows, step, rule)
            sum_gradients(grads, space, batch, units, outputs)
            update(model.b1, grads.b1, first.b1, second.b1, units, step, rule)
            rows = (units[0] * class_lanes, units[1] * class_lanes)
            update(model.W2, grads.W2, first.W2, second.W2, rows, step, rule)
            if thread == 0:
                update(model.b2, grads.b2, first.b2, second.b2, (0, class_lanes), step, rule)
            meetings = meet(barrier, threads, meetings)

    return train


@register_jitable
def share(total: int, thread: int, threads: int) -> tuple[int, int]:
    """Return the first and the end of a thread's part of ``total`` things."""
    return thread * total // threads, (thread + 1) * total // threads


@register_jitable
def first_layer(
    model: Model,
    A1: FloatArray,
    images: NonzeroImages,
    y: npt.NDArray[Any],
    order: npt.NDArray[np.int64],
    batch: Batch,
    mine: tuple[int, int],
    sizes: Sizes,
    scale: np.float32,
    panel: Any,
) -> None:
    """``A1 = relu(scale X W1 + b1)``, one panel after the other, so that its weights stay in the cache."""
    # Out of their tuples once: inside the loops, Numba would count references at every access.
    W1, b1, values, pixels, starts = model.W1, model.b1, images.values, images.pixels, images.starts
    hidden_lanes, lanes = len(b1), width(panel)
    for p in range(0, hidden_lanes, lanes):
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
            sums = weighted_rows(W1, values, pixels, at(starts, row), at(starts, row + 1), p * sizes.inputs, panel)
            store(A1, n * hidden_lanes + p, relu(scale * sums + load(b1, p, panel)))


@register_jitable(inline="always")
def weighted_rows(
    W1: FloatArray,
    values: npt.NDArray[Any],
    pixels: npt.NDArray[np.uint16],
    start: int,
    end: int,
    panel_start: int,
    panel: Any,
) -> Any:
    """Return ``sum_k values[k] W1[pixels[k]]`` over the entries from ``start`` to ``end``.

    A sum waits four cycles for its own last addition, so there are several in turns, as many as registers allow.
    """
    lanes = width(panel)
    s0, s1, s2, s3 = panel, panel, panel, panel
    if lanes <= 24:
        for k in range(start, end, 4):
            x, places = load_four(values, k), load_places(pixels, k)
            s0 += pick(x, 0, panel) * load(W1, panel_start + row_of(places, 0, lanes), panel)
            s1 += pick(x, 1, panel) * load(W1, panel_start + row_of(places, 1, lanes), panel)
            s2 += pick(x, 2, panel) * load(W1, panel_start + row_of(places, 2, lanes), panel)
            s3 += pick(x, 3, panel) * load(W1, panel_start + row_of(places, 3, lanes), panel)
        return (s0 + s1) + (s2 + s3)
    for k in range(start, end, 4):
        x, places = load_four(values, k), load_places(pixels, k)
        s0 += pick(x, 0, panel) * load(W1, panel_start + row_of(places, 0, lanes), panel)
        s0 += pick(x, 1, panel) * load(W1, panel_start + row_of(places, 1, lanes), panel)
        s0 += pick(x, 2, panel) * load(W1, panel_start + row_of(places, 2, lanes), panel)
        s0 += pick(x, 3, panel) * load(W1, panel_start + row_of(places, 3, lanes), panel)
    return s0


@register_jitable
def output_layer(
    model: Model,
    space: Workspace,
    columns: FloatArray,
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    batch: Batch,
    mine: tuple[int, int],
    sizes: Sizes,
) -> None:
    """``dlogits = (softmax(A1 W2 + b2) - onehot(y)) / N`` and ``dZ1 = (dlogits W2^T) * [A1 > 0]``.

    Ten classes fill no vectors, but eight images do: they are transposed, so that a lane is an image, and back. In a
    group beyond the end of the batch, what is computed is never read.
    """
    b2, W2, A1, dZ1, dlogits = model.b2, model.W2, space.A1, space.dZ1, space.dlogits
    hidden_lanes, class_lanes = len(model.b1), len(b2)
    logits = hidden_lanes * 8  # where these begin in ``columns``, after the hidden units
    eight = zeros(8)
    one_over_N = np.float32(1) / np.float32(batch.size)
    for n in range(mine[0], mine[1], 8):
        for h in range(0, hidden_lanes, 8):
            transpose_eight(A1, n * hidden_lanes + h, hidden_lanes, columns, h * 8, 8)

        highest = eight - np.float32(np.inf)
        for c in range(0, sizes.classes, 4):
            z0, z1 = eight + at(b2, c), eight + at(b2, c + 1)
            z2, z3 = eight + at(b2, c + 2), eight + at(b2, c + 3)
            for h in range(sizes.hidden):
                w, a = h * class_lanes + c, load(columns, h * 8, eight)
                z0 += at(W2, w) * a
                z1 += at(W2, w + 1) * a
                z2 += at(W2, w + 2) * a
                z3 += at(W2, w + 3) * a
            store(columns, logits + c * 8, z0)
            store(columns, logits + c * 8 + 8, z1)
            store(columns, logits + c * 8 + 16, z2)
            store(columns, logits + c * 8 + 24, z3)
            highest = maximum(maximum(maximum(maximum(highest, z0), z1), z2), z3)
        total = eight
        for c in range(sizes.classes):
            exponential = simd.exp_nonpositive(load(columns, logits + c * 8, eight) - highest)
            store(columns, logits + c * 8, exponential)
            total += exponential
        factor = one_over_N / total
        for c in range(sizes.classes):
            store(columns, logits + c * 8, load(columns, logits + c * 8, eight) * factor)
        for c in range(sizes.classes, class_lanes):
            store(columns, logits + c * 8, eight)
        for i in range(min(8, batch.size - n)):
            columns[logits + y[order[batch.begin + n + i]] * 8 + i] -= one_over_N

        for h in range(0, sizes.hidden, 4):
            g0, g1, g2, g3 = eight, eight, eight, eight
            for c in range(sizes.classes):
                w, d = h * class_lanes + c, load(columns, logits + c * 8, eight)
                g0 += at(W2, w) * d
                g1 += at(W2, w + class_lanes) * d
                g2 += at(W2, w + 2 * class_lanes) * d
                g3 += at(W2, w + 3 * class_lanes) * d
            store(columns, h * 8, g0 * is_positive(load(columns, h * 8, eight)))
            store(columns, h * 8 + 8, g1 * is_positive(load(columns, h * 8 + 8, eight)))
            store(columns, h * 8 + 16, g2 * is_positive(load(columns, h * 8 + 16, eight)))
            store(columns, h * 8 + 24, g3 * is_positive(load(columns, h * 8 + 24, eight)))
        for h in range(0, hidden_lanes, 8):
            transpose_eight(columns, h * 8, 8, dZ1, n * hidden_lanes + h, hidden_lanes)
        for c in range(0, class_lanes, 8):
            transpose_eight(columns, logits + c * 8, 8, dlogits, n * class_lanes + c, class_lanes)


@register_jitable
def add_outer_products(
    target: FloatArray,
    images: NonzeroImages,
    dZ1: FloatArray,
    hidden_lanes: int,
    order: npt.NDArray[np.int64],
    batch: Batch,
    mine: tuple[int, int],
    sizes: Sizes,
    factor: np.float32,
    panel: Any,
) -> None:
    """``target += factor X^T dZ1`` on a range of pixels, entry by entry; images in their order, whoever does it."""
    values, pixels, starts = images.values, images.pixels, images.starts
    lanes = width(panel)
    for p in range(0, hidden_lanes, lanes):
        panel_start = p * sizes.inputs
        for n in range(batch.size):
            row = at(order, batch.begin + n)
            start, end = at(starts, row), at(starts, row + 1)
            if mine[1] - mine[0] < sizes.inputs:
                start, end = find(pixels, start, end, mine[0]), find(pixels, start, end, mine[1])
            gradient = factor * load(dZ1, n * hidden_lanes + p, panel)
            # A thread's range of pixels may begin and end within four.
            fours_start, fours_end = min((start + 3) // 4 * 4, end), max(end // 4 * 4, start)
            for k in range(start, fours_start):
                add(target, panel_start + np.intp(at(pixels, k)) * lanes, np.float32(at(values, k)) * gradient)
            for k in range(max(fours_start, fours_end), end):
                add(target, panel_start + np.intp(at(pixels, k)) * lanes, np.float32(at(values, k)) * gradient)
            for k in range(fours_start, fours_end, 4):
                x, places = load_four(values, k), load_places(pixels, k)
                add(target, panel_start + row_of(places, 0, lanes), pick(x, 0, panel) * gradient)
                add(target, panel_start + row_of(places, 1, lanes), pick(x, 1, panel) * gradient)
                add(target, panel_start + row_of(places, 2, lanes), pick(x, 2, panel) * gradient)
                add(target, panel_start + row_of(places, 3, lanes), pick(x, 3, panel) * gradient)


@register_jitable
def row_of(places: np.uint64, i: int, lanes: int) -> int:
    """Return where the row of the ``i``-th of four pixels begins."""
    return np.intp((places >> np.uint64(16 * i)) & np.uint64(0xFFFF)) * lanes


@register_jitable
def add(target: FloatArray, place: int, lanes: Any) -> None:
    """``target[place:place + width] += lanes``."""
    store(target, place, load(target, place, lanes) + lanes)


@register_jitable
def find(pixels: npt.NDArray[np.uint16], start: int, end: int, pixel: int) -> int:
    """Return the first place from ``start`` on that has ``pixel`` or a later one."""
    while start < end:
        middle = (start + end) // 2
        if pixels[middle] < pixel:
            start = middle + 1
        else:
            end = middle
    return start


@register_jitable
def sum_gradients(grads: Model, space: Workspace, batch: Batch, units: tuple[int, int], outputs: Any) -> None:
    """``dW2 = A1^T dlogits`` and ``db1 = sum_n dZ1`` of a range of units, and ``db2 = sum_n dlogits``."""
    A1, dZ1, dlogits, dW2 = space.A1, space.dZ1, space.dlogits, grads.W2
    hidden_lanes, class_lanes = len(grads.b1), len(grads.b2)
    for h in range(units[0], units[1], 4):
        g0, g1, g2, g3 = outputs, outputs, outputs, outputs
        for n in range(batch.size):
            d, a = load(dlogits, n * class_lanes, outputs), n * hidden_lanes + h
            g0 += at(A1, a) * d
            g1 += at(A1, a + 1) * d
            g2 += at(A1, a + 2) * d
            g3 += at(A1, a + 3) * d
        store(dW2, h * class_lanes, g0)
        store(dW2, (h + 1) * class_lanes, g1)
        store(dW2, (h + 2) * class_lanes, g2)
        store(dW2, (h + 3) * class_lanes, g3)
    eight = zeros(8)
    for h in range(units[0], units[1], 8):
        db1 = eight
        for n in range(batch.size):
            db1 += load(dZ1, n * hidden_lanes + h, eight)
        store(grads.b1, h, db1)
    if units[0] == 0:
        db2 = outputs
        for n in range(batch.size):
            db2 += load(dlogits, n * class_lanes, outputs)
        store(grads.b2, 0, db2)


@register_jitable
def step_size(learning_rate: np.float32, rule: UpdateRule, t: int) -> np.float32:
    """Return what the direction of step ``t`` is multiplied by: Adam's with the bias correction of both moments."""
    if rule.code == SGD or rule.code == MOMENTUM:
        return np.float32(learning_rate)
    return np.float32(learning_rate * np.sqrt(1 - rule.beta_2**t) / (1 - rule.beta_1**t))


@register_jitable
def update(
    w: FloatArray, g: FloatArray, m: FloatArray, v: FloatArray, part: tuple[int, int], step: np.float32, rule: UpdateRule
) -> None:
    """Take a step of the update rule on a part of flat arrays, and set the gradient to zero for the next batch.

    Moments that sink below the normal numbers become 0: pixels at the edge are seldom inked, and between two
    occasions their moments would shrink into the subnormals, whose arithmetic is slow on some CPUs.
    """
    eight = zeros(8)
    if rule.code == SGD:
        for i in range(part[0], part[1], 8):
            store(w, i, load(w, i, eight) - step * load(g, i, eight))
    elif rule.code == MOMENTUM:
        momentum = np.float32(rule.momentum)
        for i in range(part[0], part[1], 8):
            velocity = simd.without_subnormals(momentum * load(m, i, eight) - step * load(g, i, eight))
            store(m, i, velocity)
            store(w, i, load(w, i, eight) + velocity)
            store(g, i, eight)
    else:
        rate_1, rate_2 = np.float32(1 - rule.beta_1), np.float32(1 - rule.beta_2)
        epsilon = np.float32(rule.epsilon)
        for i in range(part[0], part[1], 8):
            gradient, mean, square = load(g, i, eight), load(m, i, eight), load(v, i, eight)
            mean = simd.without_subnormals(mean + rate_1 * (gradient - mean))
            square = simd.without_subnormals(square + rate_2 * (gradient * gradient - square))
            store(m, i, mean)
            store(v, i, square)
            store(w, i, load(w, i, eight) - step * mean / (simd.sqrt(square) + epsilon))
            store(g, i, eight)
