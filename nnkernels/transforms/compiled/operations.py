"""Operations that Numba does not have: a block copy, and the high half of a product."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from nnkernels.jit import intrinsic

_I64 = ir.IntType(64)


@intrinsic
def copy_bytes(typingctx: Any, target: Any, to: Any, source: Any, at: Any, count: Any) -> Any:
    """``copy_bytes(target, i, source, j, count)``: ``target[i:i + count] = source[j:j + count]`` for uint8 arrays.

    Bounds are not checked, and the ranges must not overlap. Numba would copy the short rows of an image byte by byte.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = builder.gep(context.make_array(target)(context, builder, args[0]).data, [args[1]])
        origin = builder.gep(context.make_array(source)(context, builder, args[2]).data, [args[3]])
        cgutils.raw_memcpy(builder, first, origin, args[4], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


@intrinsic
def multiply_high(typingctx: Any, left: Any, right: Any) -> Any:
    """``multiply_high(a, b)``: the upper 64 bits of the product of two uint64 numbers."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), _I64)

    return types.uint64(types.uint64, types.uint64), generate
