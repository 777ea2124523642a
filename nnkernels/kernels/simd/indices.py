"""Search for nonzero elements, and access to lists of their indices, which are uint16."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from nnkernels.jit import intrinsic, literal_intrinsic
from nnkernels.kernels.simd.lanes import I32, INTS, VECTOR, pointer

MASK_BITS = 16


@intrinsic
def nonzero_mask(typingctx: Any, array: Any, i: Any, j: Any, k: Any, m: Any) -> Any:
    """``nonzero_mask(array, i, j, k, m)``: a bit mask of the columns that are nonzero in any of four rows.

    The rows start at these indices and have 16 elements. Bit b is set if any of the elements ``i + b``, ``j + b``,
    ``k + b`` and ``m + b`` is nonzero, where NaN counts as nonzero. If the indices are equal, LLVM loads the row once.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(context.get_data_type(array.dtype), MASK_BITS)
        size = array.dtype.bitwidth // 8
        rows = [builder.load(pointer(context, builder, array, args[0], at, stored), align=size) for at in args[1:]]
        if array.dtype == types.uint8:
            joined = builder.or_(builder.or_(rows[0], rows[1]), builder.or_(rows[2], rows[3]))
            unequal = builder.icmp_unsigned("!=", joined, ir.Constant(stored, [0] * MASK_BITS))
        else:
            zero = ir.Constant(stored, [0.0] * MASK_BITS)
            which = [builder.fcmp_unordered("!=", row, zero) for row in rows]  # true for NaN
            unequal = builder.or_(builder.or_(which[0], which[1]), builder.or_(which[2], which[3]))
        return builder.zext(builder.bitcast(unequal, ir.IntType(MASK_BITS)), ir.IntType(64))

    return types.intp(array, *[types.intp] * 4), generate


@intrinsic
def store_shifted(typingctx: Any, target: Any, index: Any, table: Any, row: Any, distance: Any) -> Any:
    """``store_shifted(target, index, table, row, distance)``: ``target[index:index + 8] = table[row] + distance``.

    Both arrays are uint16, and the table has eight columns.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shorts = ir.VectorType(ir.IntType(16), VECTOR)
        at_row = builder.mul(args[3], ir.Constant(args[3].type, VECTOR))
        positions = builder.load(pointer(context, builder, table, args[2], at_row, shorts), align=2)
        short = builder.trunc(args[4], ir.IntType(16))
        one = builder.insert_element(ir.Constant(shorts, ir.Undefined), short, I32(0))
        moved = builder.add(positions, builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * VECTOR)))
        builder.store(moved, pointer(context, builder, target, args[0], args[1], shorts), align=2)
        return context.get_dummy_value()

    return types.void(target, types.intp, table, types.intp, types.intp), generate


@intrinsic
def load_four_indices(typingctx: Any, array: Any, index: Any) -> Any:
    """``load_four_indices(array, index)``: four uint16 elements in one 64-bit load, for :func:`pick_index`.

    The result is a uint64. On little-endian CPUs, its lowest bits are the first element.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(pointer(context, builder, array, args[0], args[1], ir.IntType(64)), align=2)

    return types.uint64(array, types.intp), generate


@literal_intrinsic
def pick_index(typingctx: Any, indices: Any, which: Any) -> Any:
    """``pick_index(load_four_indices(array, index), i)``: element ``index + i``.

    ``i`` is a compile-time constant from 0 to 3.
    """
    chosen = which.literal_value

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = args[0].type
        return builder.and_(builder.lshr(args[0], ir.Constant(bits, 16 * chosen)), ir.Constant(bits, 2**16 - 1))

    return types.intp(indices, which), generate
