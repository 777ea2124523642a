"""Vectors for kernels: ``Lanes``, a row of float32 numbers that compiled code keeps in vector registers.

Numba has no vector type, and unrolls short loops of constant length into scalar code. The functions here hand LLVM its
own portable vectors of eight lanes instead, from which it makes whatever instructions the CPU has that it compiles for:
AVX, SSE, NEON or scalar ones. No instruction of one CPU is named, so there is none that another could lack.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import factorial, log
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, register_model

from nnkernels.jit import intrinsic, literal_intrinsic

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


def _pack(builder: Any, vectors: list[Any]) -> Any:
    return cgutils.pack_array(builder, vectors, FLOATS)  # type: ignore[no-untyped-call]


def _unpack(builder: Any, value: Any) -> list[Any]:
    return [builder.extract_value(value, i) for i in range(value.type.count)]


def _constant(value: float) -> Any:
    return ir.Constant(FLOATS, [value] * VECTOR)


def _splat(builder: Any, scalar: Any) -> Any:
    one = builder.insert_element(ir.Constant(FLOATS, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * VECTOR))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, to: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


def _call(builder: Any, name: str, arguments: list[Any], result: Any) -> Any:
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
            _unpack(builder, arg) if isinstance(kind, Lanes) else [_splat(builder, arg)] * count
            for kind, arg in zip(sig.args, args, strict=True)
        )
        make = getattr(builder, instruction)
        return _pack(builder, [make(a, b, flags=FLAGS) for a, b in zip(left, right, strict=True)])

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


# Making, loading and storing


@literal_intrinsic
def zeros(typingctx: Any, width: Any) -> Any:
    """``zeros(width)``: that many lanes of zero; ``width`` is a compile-time constant."""
    lanes = Lanes(width.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _pack(builder, [_constant(0.0)] * lanes.vectors)

    return lanes(width), generate


@intrinsic
def load(typingctx: Any, array: Any, index: Any, like: Any) -> Any:
    """``load(array, index, like)``: ``array[index:index + width]`` as lanes, as many as ``like`` has.

    The array is contiguous, float32 or uint8; bytes become floats. Nothing checks its end.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(context.get_data_type(array.dtype), VECTOR)
        first = _pointer(context, builder, array, args[0], args[1], stored)
        vectors = [
            builder.load(builder.gep(first, [I32(i)]), align=array.dtype.bitwidth // 8) for i in range(like.vectors)
        ]
        if array.dtype != types.float32:
            vectors = [builder.uitofp(vector, FLOATS) for vector in vectors]
        return _pack(builder, vectors)

    return like(array, types.intp, like), generate


@intrinsic
def store(typingctx: Any, array: Any, index: Any, lanes: Any) -> Any:
    """``store(array, index, lanes)``: ``array[index:index + width] = lanes``; nothing checks the array's end."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = _pointer(context, builder, array, args[0], args[1], FLOATS)
        for i, vector in enumerate(_unpack(builder, args[2])):
            builder.store(vector, builder.gep(first, [I32(i)]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def load_four(typingctx: Any, array: Any, index: Any) -> Any:
    """``load_four(array, index)``: four elements, twice, as eight lanes; see :func:`pick`."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(context.get_data_type(array.dtype), 4)
        four = builder.load(
            _pointer(context, builder, array, args[0], args[1], stored), align=array.dtype.bitwidth // 8
        )
        if array.dtype != types.float32:
            four = builder.uitofp(four, ir.VectorType(FLOAT, 4))
        return _pack(builder, [builder.shuffle_vector(four, four, ir.Constant(INTS, [0, 1, 2, 3] * 2))])

    return Lanes(VECTOR)(array, types.intp), generate


@literal_intrinsic
def pick(typingctx: Any, four: Any, which: Any, like: Any) -> Any:
    """``pick(load_four(array, index), i, like)``: element ``index + i`` in every lane; i is a constant, 0 to 3.

    A broadcast from register to register: on CPUs whose loads are the bottleneck, it leaves them to the weights.
    """
    chosen = which.literal_value

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = _unpack(builder, args[0])[0]
        splat = builder.shuffle_vector(vector, vector, ir.Constant(INTS, [chosen] * 4 + [chosen + 4] * 4))
        return _pack(builder, [splat] * like.vectors)

    return like(four, which, like), generate


@intrinsic
def load_places(typingctx: Any, array: Any, index: Any) -> Any:
    """``load_places(array, index)``: four uint16 as one uint64, the first in its lowest bits on little-endian CPUs."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, array, args[0], args[1], ir.IntType(64)), align=2)

    return types.uint64(array, types.intp), generate


@intrinsic
def at(typingctx: Any, array: Any, index: Any) -> Any:
    """``at(array, index)``: the element, without Numba's look at whether the index is negative."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(builder.gep(context.make_array(array)(context, builder, args[0]).data, [args[1]]))

    return array.dtype(array, types.intp), generate


@literal_intrinsic
def prefetch(typingctx: Any, array: Any, index: Any, lines: Any) -> Any:
    """``prefetch(array, index, lines)``: bring so many cache lines from ``array[index]`` on near; a constant.

    A hint, which may reach beyond the array.
    """
    count = lines.literal_value

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, array, args[0], args[1], I8)
        read, keep, data = I32(0), I32(2), I32(1)
        for line in range(count):
            place = builder.gep(pointer, [I32(line * CACHE_LINE)])
            _call(builder, "llvm.prefetch.p0", [place, read, keep, data], ir.VoidType())
        return context.get_dummy_value()

    return types.void(array, types.intp, lines), generate


# Functions of lanes


def _elementwise(lanes: Any, make: Callable[[Any, Any], Any]) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _pack(builder, [make(builder, vector) for vector in _unpack(builder, args[0])])

    return lanes(lanes), generate


@intrinsic
def relu(typingctx: Any, lanes: Any) -> Any:
    """``relu(z)``: 0 where ``z < 0``, else ``z``; NaN stays NaN, since it is not less than 0."""
    return _elementwise(
        lanes, lambda builder, z: builder.select(builder.fcmp_ordered("<", z, _constant(0.0)), _constant(0.0), z)
    )


@intrinsic
def is_positive(typingctx: Any, lanes: Any) -> Any:
    """``is_positive(z)``: 1 where ``z > 0``, else 0."""
    return _elementwise(lanes, lambda builder, z: builder.uitofp(builder.fcmp_ordered(">", z, _constant(0.0)), FLOATS))


@intrinsic
def sqrt(typingctx: Any, lanes: Any) -> Any:
    """``sqrt(z)``, correctly rounded."""
    return _elementwise(lanes, lambda builder, z: _call(builder, "llvm.sqrt.v8f32", [z], FLOATS))


SMALLEST_NORMAL = 2.0**-126


@intrinsic
def without_subnormals(typingctx: Any, lanes: Any) -> Any:
    """``without_subnormals(z)``: 0 where ``|z|`` is below 2^-126, where arithmetic is far slower on some CPUs."""

    def make(builder: Any, z: Any) -> Any:
        size = _call(builder, "llvm.fabs.v8f32", [z], FLOATS)
        return builder.select(builder.fcmp_ordered("<", size, _constant(SMALLEST_NORMAL)), _constant(0.0), z)

    return _elementwise(lanes, make)


# exp(x) = 2^y with y = x log2(e) = n + f, n the nearest integer: 2^n is made of bits, and 2^f, |f| <= 1/2, of its
# Taylor polynomial, exact to 2e-8 at this degree. Nothing here depends on the order of sums, which a caller may have
# freed.
LOG2_E = 1 / log(2)
TAYLOR = tuple(log(2) ** k / factorial(k) for k in (7, 6, 5, 4, 3, 2, 1, 0))
LOWEST = -125.9  # of y: below, the result would be subnormal


@intrinsic
def exp_nonpositive(typingctx: Any, lanes: Any) -> Any:
    """``exp_nonpositive(x)``: exp of lanes at most 0, with an error of 2e-7; below 1.3e-38 it is 0; NaN stays NaN."""

    def make(builder: Any, x: Any) -> Any:
        y = builder.fmul(x, _constant(LOG2_E))
        too_low = builder.fcmp_ordered("<", y, _constant(LOWEST))
        # Conversion cuts towards zero: half a unit below a number that is not positive, that is to the nearest.
        # It is not defined for NaN, which fails this comparison and meets it again in f.
        whole = builder.select(builder.fcmp_ordered(">=", y, _constant(LOWEST)), y, _constant(LOWEST))
        n = builder.fptosi(builder.fsub(whole, _constant(0.5)), INTS)
        f = builder.fsub(y, builder.sitofp(n, FLOATS))
        power = _constant(TAYLOR[0])
        for coefficient in TAYLOR[1:]:
            power = builder.fadd(builder.fmul(power, f, flags=FLAGS), _constant(coefficient), flags=FLAGS)
        exponent = builder.add(n, ir.Constant(INTS, [127] * VECTOR))
        scale = builder.bitcast(builder.shl(exponent, ir.Constant(INTS, [23] * VECTOR)), FLOATS)
        return builder.select(too_low, _constant(0.0), builder.fmul(power, scale))

    return _elementwise(lanes, make)


@intrinsic
def maximum(typingctx: Any, left: Any, right: Any) -> Any:
    """``maximum(a, b)``: lane by lane the greater; ``b`` where one is NaN."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pairs = zip(*(_unpack(builder, arg) for arg in args), strict=True)
        return _pack(builder, [builder.select(builder.fcmp_ordered(">", a, b), a, b) for a, b in pairs])

    return left(left, right), generate


@intrinsic
def transpose_eight(
    typingctx: Any, source: Any, at_source: Any, stride: Any, target: Any, at_target: Any, target_stride: Any
) -> Any:
    """``transpose_eight(source, i, stride, target, j, target_stride)``: eight rows of eight become columns.

    ``target[j + a * target_stride + b] = source[i + b * stride + a]`` for a, b < 8.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def row(kind: Any, array: Any, start: Any, step: Any, i: int) -> Any:
            index = builder.add(start, builder.mul(step, ir.Constant(step.type, i)))
            return _pointer(context, builder, kind, array, index, FLOATS)

        def shuffle(a: Any, b: Any, lanes: list[int]) -> Any:
            return builder.shuffle_vector(a, b, ir.Constant(INTS, lanes))

        rows = [builder.load(row(source, args[0], args[1], args[2], i), align=4) for i in range(8)]
        # Pairs of rows interleaved, then pairs of pairs, then halves: what AVX does in one instruction each.
        interleaved = ([0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15])
        pairs = [shuffle(rows[i], rows[i + 1], lanes) for i in range(0, 8, 2) for lanes in interleaved]
        joined = ([0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])
        fours = [shuffle(pairs[i], pairs[i + 2], lanes) for i in (0, 1, 4, 5) for lanes in joined]
        for i in range(4):
            for lanes, column in (([0, 1, 2, 3, 8, 9, 10, 11], i), ([4, 5, 6, 7, 12, 13, 14, 15], i + 4)):
                value = shuffle(fours[i], fours[i + 4], lanes)
                builder.store(value, row(target, args[3], args[4], args[5], column), align=4)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), generate


def _reduced(lanes: Any, combine: Callable[[Any, Any, Any], Any]) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, *others = _unpack(builder, args[0])
        for vector in others:
            first = combine(builder, first, vector)
        for distance in (4, 2, 1):  # halves onto each other, then quarters, then neighbours
            order = ir.Constant(INTS, [(i + distance) % VECTOR for i in range(VECTOR)])
            first = combine(builder, first, builder.shuffle_vector(first, first, order))
        return builder.extract_element(first, I32(0))

    return types.float32(lanes), generate


@intrinsic
def total(typingctx: Any, lanes: Any) -> Any:
    """``total(z)``: the sum of all lanes."""
    return _reduced(lanes, lambda builder, a, b: builder.fadd(a, b))


@intrinsic
def highest(typingctx: Any, lanes: Any) -> Any:
    """``highest(z)``: the greatest of all lanes; a NaN may be passed over."""
    return _reduced(lanes, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


# Which of eight bytes are nonzero


@intrinsic
def nonzero_mask(typingctx: Any, array: Any, index: Any) -> Any:
    """``nonzero_mask(array, index)``: bit i of the answer says whether element ``index + i`` is nonzero, i < 8."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        element = context.get_data_type(array.dtype)
        stored = ir.VectorType(element, VECTOR)
        values = builder.load(_pointer(context, builder, array, args[0], args[1], stored), align=1)
        zero = ir.Constant(stored, [0] * VECTOR)
        if array.dtype == types.uint8:
            unequal = builder.icmp_unsigned("!=", values, zero)
        else:
            unequal = builder.fcmp_unordered("!=", values, ir.Constant(stored, [0.0] * VECTOR))  # NaN is nonzero
        return builder.zext(builder.bitcast(unequal, I8), ir.IntType(64))

    return types.intp(array, types.intp), generate


@intrinsic
def store_moved(typingctx: Any, target: Any, index: Any, table: Any, row: Any, distance: Any) -> Any:
    """``store_moved(target, index, table, row, distance)``: ``target[index:index + 8] = table[row] + distance``.

    ``table`` has eight columns of uint16, as ``target`` has elements.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shorts = ir.VectorType(ir.IntType(16), VECTOR)
        at_row = builder.mul(args[3], ir.Constant(args[3].type, VECTOR))
        positions = builder.load(_pointer(context, builder, table, args[2], at_row, shorts), align=2)
        short = builder.trunc(args[4], ir.IntType(16))
        one = builder.insert_element(ir.Constant(shorts, ir.Undefined), short, I32(0))
        moved = builder.add(positions, builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * VECTOR)))
        builder.store(moved, _pointer(context, builder, target, args[0], args[1], shorts), align=2)
        return context.get_dummy_value()

    return types.void(target, types.intp, table, types.intp, types.intp), generate


@intrinsic
def bit_count(typingctx: Any, mask: Any) -> Any:
    """``bit_count(mask)``: the number of ones in an integer's bits."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.intp(types.intp), generate


@intrinsic
def width(typingctx: Any, lanes: Any) -> Any:
    """``width(z)``: how many lanes there are, a compile-time constant."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_constant(types.intp, lanes.width)

    return types.intp(lanes), generate
