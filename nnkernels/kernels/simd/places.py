"""Which elements are nonzero, and lists of their places, which are uint16."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from nnkernels.jit import intrinsic, literal_intrinsic
from nnkernels.kernels.simd.lanes import I32, INTS, VECTOR, pointer

MASKED = 16


@intrinsic
def nonzero_mask(typingctx: Any, array: Any, i: Any, j: Any, k: Any, m: Any) -> Any:
    """``nonzero_mask(array, i, j, k, m)``: the bits of what is nonzero in any of four rows that begin there.

    Bit b of the answer says whether any of the elements ``i + b``, ``j + b``, ``k + b``, ``m + b`` is, b < 16. Where
    the four are one, its elements are looked at once.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(context.get_data_type(array.dtype), MASKED)
        size = array.dtype.bitwidth // 8
        rows = [builder.load(pointer(context, builder, array, args[0], at, stored), align=size) for at in args[1:]]
        if array.dtype == types.uint8:
            joined = builder.or_(builder.or_(rows[0], rows[1]), builder.or_(rows[2], rows[3]))
            unequal = builder.icmp_unsigned("!=", joined, ir.Constant(stored, [0] * MASKED))
        else:
            zero = ir.Constant(stored, [0.0] * MASKED)
            which = [builder.fcmp_unordered("!=", row, zero) for row in rows]  # NaN is nonzero
            unequal = builder.or_(builder.or_(which[0], which[1]), builder.or_(which[2], which[3]))
        return builder.zext(builder.bitcast(unequal, ir.IntType(MASKED)), ir.IntType(64))

    return types.intp(array, *[types.intp] * 4), generate


@intrinsic
def store_moved(typingctx: Any, target: Any, index: Any, table: Any, row: Any, distance: Any) -> Any:
    """``store_moved(target, index, table, row, distance)``: ``target[index:index + 8] = table[row] + distance``.

    ``table`` has eight columns of uint16, as ``target`` has elements.
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
def load_places(typingctx: Any, array: Any, index: Any) -> Any:
    """``load_places(array, index)``: four uint16 as one uint64, the first in its lowest bits on little-endian CPUs."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(pointer(context, builder, array, args[0], args[1], ir.IntType(64)), align=2)

    return types.uint64(array, types.intp), generate


@literal_intrinsic
def place(typingctx: Any, places: Any, which: Any) -> Any:
    """``place(load_places(array, index), i)``: element ``index + i``; i is a constant, 0 to 3."""
    chosen = which.literal_value

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = args[0].type
        return builder.and_(builder.lshr(args[0], ir.Constant(bits, 16 * chosen)), ir.Constant(bits, 2**16 - 1))

    return types.intp(places, which), generate
