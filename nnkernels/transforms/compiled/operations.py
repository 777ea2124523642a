"""Operations that Numba does not have: access to eight bytes at once, the high half of a product, and sums of rows.

Bounds are not checked, and indices count elements.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from nnkernels.jit import intrinsic


@intrinsic
def load_word(typingctx: Any, array: Any, index: Any) -> Any:
    """``load_word(array, index)``: eight elements of a uint8 array as a uint64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_word(context, builder, array, args[0], args[1]), align=1)

    return types.uint64(array, types.intp), generate


@intrinsic
def store_word(typingctx: Any, array: Any, index: Any, word: Any) -> Any:
    """``store_word(array, index, load_word(...))``: the inverse of :func:`load_word`."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _word(context, builder, array, args[0], args[1]), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), generate


def _word(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.IntType(64).as_pointer())


@intrinsic
def multiply_high(typingctx: Any, left: Any, right: Any) -> Any:
    """``multiply_high(a, b)``: the upper 64 bits of the product of two uint64 numbers."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


LANES = 32  # floats of a row
ROWS = 2  # rows of sums, which share the loads of what is added up
_VECTOR = 16
_FLOATS, _INTS = ir.VectorType(ir.FloatType(), _VECTOR), ir.VectorType(ir.IntType(32), _VECTOR)


@intrinsic
def sum_rows(
    typingctx: Any,
    out: Any,
    first_out: Any,
    out_stride: Any,
    factors: Any,
    first_factor: Any,
    factor_stride: Any,
    rows: Any,
    first_row: Any,
    row_stride: Any,
    count: Any,
) -> Any:
    """``sum_rows(out, i, out_stride, factors, j, factor_stride, rows, k, row_stride, count)``: a product of matrices.

    ``out[i + r * out_stride:][:LANES] = sum(factors[j + r * factor_stride + n] * rows[k + n * row_stride:][:LANES] for
    n in range(count))``, in this order, for each r in ``range(ROWS)``, for float32 arrays. The sums stay in vector
    registers. Products are rounded before they are added.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        out_data, factor_data, row_data = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in ((out, args[0]), (factors, args[3]), (rows, args[6]))
        )
        zero = ir.Constant(_FLOATS, [0.0] * _VECTOR)
        new_sum = cgutils.alloca_once_value
        sums = [[new_sum(builder, zero) for _ in range(LANES // _VECTOR)] for _ in range(ROWS)]  # type: ignore[no-untyped-call]
        for total in (total for row_sums in sums for total in row_sums):
            builder.store(zero, total)
        with cgutils.for_range(builder, args[9]) as loop:
            start = builder.gep(row_data, [builder.add(args[7], builder.mul(loop.index, args[8]))])
            row = [builder.load(_vector(builder, start, number), align=4) for number in range(LANES // _VECTOR)]
            for r, row_sums in enumerate(sums):
                place = builder.add(_row(builder, args[4], args[5], r), loop.index)
                factor = builder.load(builder.gep(factor_data, [place]))
                one = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), factor, ir.IntType(32)(0))
                factor = builder.shuffle_vector(one, one, ir.Constant(_INTS, [0] * _VECTOR))
                for part, total in zip(row, row_sums, strict=True):
                    builder.store(builder.fadd(builder.load(total), builder.fmul(factor, part)), total)
        for r, row_sums in enumerate(sums):
            start = builder.gep(out_data, [_row(builder, args[1], args[2], r)])
            for number, total in enumerate(row_sums):
                builder.store(builder.load(total), _vector(builder, start, number), align=4)
        return context.get_dummy_value()

    index = types.intp
    return types.void(out, index, index, factors, index, index, rows, index, index, index), generate


def _row(builder: Any, first: Any, stride: Any, number: int) -> Any:
    return builder.add(first, builder.mul(stride, ir.Constant(stride.type, number)))


def _vector(builder: Any, start: Any, number: int) -> Any:
    address = builder.gep(start, [ir.IntType(32)(number * _VECTOR)])
    return builder.bitcast(address, _FLOATS.as_pointer())
