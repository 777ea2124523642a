"""Tiles: lanes in vectors of sixteen, one vector for each of several units, as in the 32 registers of AVX-512.

A tile multiplies or sums sixteen pixels for up to 24 units. On CPUs with shorter or fewer registers, the results are
the same, but LLVM has to keep parts of a tile in memory.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from nnkernels.jit import intrinsic, literal_intrinsic
from nnkernels.kernels.simd.lanes import (
    FLAGS,
    FLOAT,
    I8,
    I32,
    I64,
    VECTOR,
    Lanes,
    constant,
    lanes_for,
    pack,
    pointer,
    splat,
    unpack,
)

TILE_VECTOR = 16  # floats of each vector of a tile


@literal_intrinsic
def zero_tile(typingctx: Any, units: Any) -> Any:
    """``zero_tile(units)``: a tile of zeros. The number of units is a compile-time constant."""
    tile = Lanes(TILE_VECTOR * units.literal_value, TILE_VECTOR)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return pack(builder, [constant(0.0, TILE_VECTOR)] * tile.vectors)

    return tile(units), generate


@intrinsic
def load_repeated(typingctx: Any, array: Any, index: Any, like: Any) -> Any:
    """``load_repeated(array, index, like)``: a tile whose vectors all are ``array[index:index + 16]``, as floats."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(context.get_data_type(array.dtype), like.vector)
        vector = builder.load(pointer(context, builder, array, args[0], args[1], stored), align=1)
        return pack(builder, [builder.uitofp(vector, ir.VectorType(FLOAT, like.vector))] * like.vectors)

    return like(array, types.intp, like), generate


@intrinsic
def load_spread(typingctx: Any, array: Any, index: Any, like: Any) -> Any:
    """``load_spread(array, index, like)``: a tile whose vector h contains ``array[index + h]`` in all lanes.

    As a factor of a product, each element is a broadcast from memory, which takes no instruction of its own on AVX-512.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = pointer(context, builder, array, args[0], args[1], FLOAT)
        elements = [builder.load(builder.gep(first, [I32(h)]), align=4) for h in range(like.vectors)]
        return pack(builder, [splat(builder, element, like.vector) for element in elements])

    return like(array, types.intp, like), generate


@intrinsic
def tile_totals(typingctx: Any, tile: Any) -> Any:
    """``tile_totals(tile)``: the sum of each vector, one lane per unit, in vectors of eight that end with zeros."""
    totals = Lanes(lanes_for(tile.vectors))

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = unpack(builder, args[0])
        # Sixteen vectors are folded to one, and the rest to quarters of a vector.
        sixteens = len(vectors) // TILE_VECTOR * TILE_VECTOR
        eights = []
        for start in range(0, sixteens, TILE_VECTOR):
            sums = _fold_sixteen(builder, vectors[start : start + TILE_VECTOR])
            eights += [_part(builder, sums, half * VECTOR, VECTOR) for half in range(2)]
        fours = [_fold_four(builder, vectors[start : start + 4]) for start in range(sixteens, len(vectors), 4)]
        if len(fours) % 2:
            fours.append(ir.Constant(ir.VectorType(FLOAT, 4), [0.0] * 4))
        for low, high in zip(fours[::2], fours[1::2], strict=True):
            eights.append(builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(I32, 8), list(range(8)))))
        return pack(builder, eights)

    return totals(tile), generate


def _shuffled(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))


def _part(builder: Any, vector: Any, start: int, length: int) -> Any:
    return _shuffled(builder, vector, vector, list(range(start, start + length)))


def _added(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b, flags=FLAGS)


def _pair_sums(builder: Any, a: Any, b: Any) -> Any:
    """Return in each quarter the sums of lanes (0, 2) of a and b, and of lanes (1, 3), interleaved: a, b, a, b."""
    low = [lane for q in range(0, 16, 4) for lane in (q, 16 + q, q + 1, 17 + q)]
    high = [lane for q in range(0, 16, 4) for lane in (q + 2, 18 + q, q + 3, 19 + q)]
    return _added(builder, _shuffled(builder, a, b, low), _shuffled(builder, a, b, high))


def _four_sums(builder: Any, vectors: list[Any]) -> Any:
    """Return in each quarter the sum of that quarter of each of four vectors. Each shuffle stays within quarters."""
    a, b = (_pair_sums(builder, *vectors[i : i + 2]) for i in (0, 2))
    low = [lane for q in range(0, 16, 4) for lane in (q, q + 1, 16 + q, 17 + q)]
    high = [lane for q in range(0, 16, 4) for lane in (q + 2, q + 3, 18 + q, 19 + q)]
    return _added(builder, _shuffled(builder, a, b, low), _shuffled(builder, a, b, high))


def _quarters(builder: Any, a: Any, b: Any, which: int) -> Any:
    """Return quarters ``which`` and ``which + 2`` of a, then those of b."""
    lanes = [start + 4 * (which + q) + i for start in (0, 16) for q in (0, 2) for i in range(4)]
    return _shuffled(builder, a, b, lanes)


def _fold_sixteen(builder: Any, vectors: list[Any]) -> Any:
    """Return the sums of sixteen vectors, as one vector."""
    fours = [_four_sums(builder, vectors[i : i + 4]) for i in range(0, 16, 4)]
    pairs = [
        _added(builder, _quarters(builder, a, b, 0), _quarters(builder, a, b, 1))
        for a, b in ((fours[0], fours[1]), (fours[2], fours[3]))
    ]
    return _added(builder, *(_quarters(builder, pairs[0], pairs[1], which) for which in (0, 1)))


def _fold_four(builder: Any, vectors: list[Any]) -> Any:
    """Return the sums of four vectors, as a vector of four."""
    sums = _four_sums(builder, vectors)
    halves = _added(builder, _part(builder, sums, 0, 8), _part(builder, sums, 8, 8))
    return _added(builder, _part(builder, halves, 0, 4), _part(builder, halves, 4, 4))


@intrinsic
def lowest_bit(typingctx: Any, mask: Any) -> Any:
    """``lowest_bit(mask)``: the number of the lowest set bit of a nonzero uint64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), generate


@intrinsic
def mask_at(typingctx: Any, array: Any, index: Any) -> Any:
    """``mask_at(array, index)``: eight bytes of a uint8 array as a uint64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(pointer(context, builder, array, args[0], args[1], I64), align=8)

    return types.uint64(array, types.intp), generate


@intrinsic
def copy_sixteen(typingctx: Any, target: Any, at_target: Any, source: Any, at_source: Any) -> Any:
    """``copy_sixteen(target, i, source, j)``: ``target[i:i + 16] = source[j:j + 16]``, of uint8 arrays."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        sixteen = ir.VectorType(I8, 16)
        vector = builder.load(pointer(context, builder, source, args[2], args[3], sixteen), align=1)
        builder.store(vector, pointer(context, builder, target, args[0], args[1], sixteen), align=1)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp), generate


@intrinsic
def store_mask(typingctx: Any, array: Any, index: Any, mask: Any) -> Any:
    """``store_mask(array, index, mask)``: write a uint64 to a uint8 array, and zeros to the next eight bytes."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = pointer(context, builder, array, args[0], args[1], I64)
        builder.store(args[2], first, align=8)
        builder.store(ir.Constant(I64, 0), builder.gep(first, [I32(1)]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), generate


@intrinsic
def store_inked_blocks(
    typingctx: Any, target: Any, end: Any, pixels: Any, start: Any, stride: Any, columns: Any
) -> Any:
    """``store_inked_blocks(target, end, pixels, start, stride, columns)``: append the inked blocks of four rows.

    The rows of 32 bytes start at ``pixels[start]``, ``pixels[start + stride]`` and so on. ``columns`` has 32 bytes:
    255, or 0 for a column that does not count. Each of the eight blocks of 4 x 4 bytes that has a nonzero one is
    written to ``target[end:]``, row by row. Up to 128 bytes after the last block are overwritten too. The result is the
    mask of these blocks.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        eight_fours, bytes_of_row = ir.VectorType(I32, 8), ir.VectorType(I8, 32)

        def shuffle(a: Any, b: Any, lanes: list[int]) -> Any:
            return _shuffled(builder, a, b, lanes)

        which = builder.load(pointer(context, builder, columns, args[5], ir.Constant(I64, 0), bytes_of_row), align=1)
        rows = []
        for i in range(4):
            position = builder.add(args[3], builder.mul(args[4], ir.Constant(I64, i)))
            row = builder.load(pointer(context, builder, pixels, args[2], position, bytes_of_row), align=1)
            rows.append(builder.bitcast(builder.and_(row, which), eight_fours))
        joined = builder.or_(builder.or_(rows[0], rows[1]), builder.or_(rows[2], rows[3]))
        inked = builder.icmp_unsigned("!=", joined, ir.Constant(eight_fours, [0] * 8))
        mask = builder.zext(builder.bitcast(inked, I8), I64)
        # Transpose: lane b of the four rows becomes block b. Each vector contains two blocks.
        low, high = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
        pairs = [shuffle(rows[i], rows[i + 1], lanes) for lanes in (low, high) for i in (0, 2)]
        first, second = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
        blocks = [shuffle(pairs[i], pairs[i + 1], lanes) for i in (0, 2) for lanes in (first, second)]
        end_of_blocks = args[1]
        for b in range(8):
            block = shuffle(blocks[b % 4], blocks[b % 4], [b // 4 * 4 + i for i in range(4)])
            builder.store(block, pointer(context, builder, target, args[0], end_of_blocks, block.type), align=1)
            bit = builder.and_(builder.lshr(mask, ir.Constant(I64, b)), ir.Constant(I64, 1))
            end_of_blocks = builder.add(end_of_blocks, builder.shl(bit, ir.Constant(I64, 4)))
        return mask

    return types.intp(target, types.intp, pixels, types.intp, types.intp, columns), generate
