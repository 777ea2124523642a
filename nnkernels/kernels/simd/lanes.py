"""The vector type ``Lanes``, its arithmetic, and helper functions that generate LLVM code."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, register_model

VECTOR = 8  # floats
CACHE_LINE = 64  # bytes
# As in nnkernels.jit: fused multiply-adds are allowed, and NaN and infinities are preserved.
FLAGS = ("contract",)

FLOAT, I8, I32, I64 = ir.FloatType(), ir.IntType(8), ir.IntType(32), ir.IntType(64)
FLOATS, INTS = ir.VectorType(FLOAT, VECTOR), ir.VectorType(I32, VECTOR)


class Lanes(types.Type):
    """The Numba type of ``width`` float32 numbers in vector registers.

    Parameters
    ----------
    width : int
        Number of lanes, a multiple of ``vector``.
    vector : int, default: 8
        Floats of each LLVM vector: 8, or 16 as in the registers of AVX-512. Where registers are shorter, LLVM splits
        the vectors.
    """

    def __init__(self, width: int, vector: int = VECTOR) -> None:
        self.width, self.vector = width, vector
        super().__init__(name=f"Lanes({width}, {vector})")

    @property
    def vectors(self) -> int:
        """Number of LLVM vectors that contain the lanes."""
        return self.width // self.vector


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(ir.VectorType(FLOAT, fe_type.vector), fe_type.vectors))  # type: ignore[no-untyped-call]


def lanes_for(units: int) -> int:
    """Round a number of units up to whole vectors.

    Parameters
    ----------
    units : int
        Number of units.

    Returns
    -------
    lanes : int
        The next multiple of eight.
    """
    return -(-units // VECTOR) * VECTOR


def pack(builder: Any, vectors: list[Any]) -> Any:
    """Combine LLVM vectors to a value of type :class:`Lanes`.

    Parameters
    ----------
    builder : IRBuilder
        The builder of the current function.
    vectors : list of Value
        LLVM vectors of floats, all of the same length.

    Returns
    -------
    value : Value
        LLVM's array of these vectors.
    """
    return cgutils.pack_array(builder, vectors, vectors[0].type)  # type: ignore[no-untyped-call]


def unpack(builder: Any, value: Any) -> list[Any]:
    """Split a value of type :class:`Lanes` into its LLVM vectors: the inverse of :func:`pack`.

    Parameters
    ----------
    builder : IRBuilder
        The builder of the current function.
    value : Value
        LLVM's array of vectors.

    Returns
    -------
    vectors : list of Value
        LLVM vectors of floats.
    """
    return [builder.extract_value(value, i) for i in range(value.type.count)]


def constant(value: float, length: int = VECTOR) -> Any:
    """Return an LLVM vector whose elements are all the same constant.

    Parameters
    ----------
    value : float
        The constant.
    length : int, default: 8
        Number of elements.

    Returns
    -------
    vector : Constant
        The vector.
    """
    return ir.Constant(ir.VectorType(FLOAT, length), [value] * length)


def splat(builder: Any, scalar: Any, length: int = VECTOR) -> Any:
    """Return an LLVM vector whose elements are all the same run-time scalar.

    Parameters
    ----------
    builder : IRBuilder
        The builder of the current function.
    scalar : Value
        LLVM's float.
    length : int, default: 8
        Number of elements.

    Returns
    -------
    vector : Value
        The vector.
    """
    one = builder.insert_element(ir.Constant(ir.VectorType(scalar.type, length), ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, length), [0] * length))


def pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, to: Any) -> Any:
    """Return the address of an element of an array.

    Parameters
    ----------
    context : BaseContext
        Numba's target.
    builder : IRBuilder
        The builder of the current function.
    array_type : Array
        Numba's type of the array.
    array : Value
        The array.
    index : Value
        Index of the element.
    to : Type
        LLVM type to which the result points, such as a vector.

    Returns
    -------
    pointer : Value
        The address.
    """
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


def call(builder: Any, name: str, arguments: list[Any], result: Any) -> Any:
    """Call an LLVM function by name, such as an LLVM intrinsic.

    Parameters
    ----------
    builder : IRBuilder
        The builder of the current function.
    name : str
        Name of the function.
    arguments : list of Value
        The arguments.
    result : Type
        LLVM type of the result.

    Returns
    -------
    value : Value
        The result.
    """
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)  # type: ignore[no-untyped-call]
    return builder.call(function, arguments)


# Operators for two lanes, and for a float32 and lanes, as in ``z + x * row``.


def _define_operator(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    @infer_global(symbol)  # type: ignore[no-untyped-call]
    class Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) != 2 or not all(isinstance(arg, Lanes) or arg == types.float32 for arg in args):
                return None
            lanes = [arg for arg in args if isinstance(arg, Lanes)]
            return lanes[0](*args) if lanes and lanes[0] == lanes[-1] else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = sig.return_type
        left, right = (
            unpack(builder, arg) if isinstance(kind, Lanes) else [splat(builder, arg, lanes.vector)] * lanes.vectors
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
