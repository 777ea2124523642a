"""The type of vectors, ``Lanes``, its arithmetic, and what the other operations are generated with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, register_model

VECTOR = 8
CACHE_LINE = 64  # bytes
# As in nnkernels.jit: a product and a sum may become one instruction; NaN and infinities stay what they are.
FLAGS = ("contract",)

FLOAT, I8, I32 = ir.FloatType(), ir.IntType(8), ir.IntType(32)
FLOATS, INTS = ir.VectorType(FLOAT, VECTOR), ir.VectorType(I32, VECTOR)


class Lanes(types.Type):
    """Numba's type of ``width`` float32 numbers in registers; the width is a multiple of eight."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Lanes({width})")

    @property
    def vectors(self) -> int:
        """Return how many LLVM vectors hold the lanes."""
        return self.width // VECTOR


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(FLOATS, fe_type.vectors))  # type: ignore[no-untyped-call]


def lanes_for(units: int) -> int:
    """Return how many lanes a row of that many units takes: the next multiple of eight."""
    return -(-units // VECTOR) * VECTOR


def pack(builder: Any, vectors: list[Any]) -> Any:
    """Return lanes of LLVM vectors."""
    return cgutils.pack_array(builder, vectors, FLOATS)  # type: ignore[no-untyped-call]


def unpack(builder: Any, value: Any) -> list[Any]:
    """Return the LLVM vectors of lanes."""
    return [builder.extract_value(value, i) for i in range(value.type.count)]


def constant(value: float) -> Any:
    """Return a vector with the same number in every lane."""
    return ir.Constant(FLOATS, [value] * VECTOR)


def splat(builder: Any, scalar: Any) -> Any:
    """Return a vector with a scalar that is known at run time in every lane."""
    one = builder.insert_element(ir.Constant(FLOATS, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * VECTOR))


def pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, to: Any) -> Any:
    """Return the address of an array's element, as that of a ``to``."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


def call(builder: Any, name: str, arguments: list[Any], result: Any) -> Any:
    """Call an LLVM function by its name."""
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)  # type: ignore[no-untyped-call]
    return builder.call(function, arguments)


# Arithmetic: lanes with lanes, and a float32 with lanes, as in ``z + x * row``.


def _define_operator(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    @infer_global(symbol)  # type: ignore[no-untyped-call]
    class Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) != 2 or not all(isinstance(arg, Lanes) or arg == types.float32 for arg in args):
                return None
            lanes = [arg for arg in args if isinstance(arg, Lanes)]
            return lanes[0](*args) if lanes and lanes[0] == lanes[-1] else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        count = sig.return_type.vectors
        left, right = (
            unpack(builder, arg) if isinstance(kind, Lanes) else [splat(builder, arg)] * count
            for kind, arg in zip(sig.args, args, strict=True)
        )
        make = getattr(builder, instruction)
        return pack(builder, [make(a, b, flags=FLAGS) for a, b in zip(left, right, strict=True)])

    for kinds in ((Lanes, Lanes), (types.float32, Lanes), (Lanes, types.float32)):
        lower_builtin(symbol, *kinds)(lower)  # type: ignore[no-untyped-call]


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define_operator(_symbol, _instruction)
