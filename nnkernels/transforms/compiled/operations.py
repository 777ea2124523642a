"""Operations that Numba does not have: access to eight bytes at once, and the high half of a product."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from nnkernels.jit import intrinsic


@intrinsic
def load_word(typingctx: Any, array: Any, index: Any) -> Any:
    """``load_word(array, index)``: eight elements of a uint8 array as a uint64. Bounds are not checked."""

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
