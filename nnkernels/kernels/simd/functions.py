"""Elementwise functions of lanes, and reductions."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, log
from typing import Any

from llvmlite import ir
from numba.core import types

from nnkernels.jit import intrinsic
from nnkernels.kernels.simd.lanes import FLAGS, I32, Lanes, call, constant, pack, splat, unpack


def _elementwise(lanes: Any, make: Callable[[Any, Any], Any]) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return pack(builder, [make(builder, vector) for vector in unpack(builder, args[0])])

    return lanes(lanes), generate


def _zero(vector: Any) -> Any:
    return constant(0.0, vector.type.count)


@intrinsic
def relu(typingctx: Any, lanes: Any) -> Any:
    """``relu(z)``: 0 where ``z < 0``, otherwise ``z``. NaN is preserved, because it is not less than 0."""
    return _elementwise(lanes, lambda builder, z: builder.select(builder.fcmp_ordered("<", z, _zero(z)), _zero(z), z))


@intrinsic
def is_positive(typingctx: Any, lanes: Any) -> Any:
    """``is_positive(z)``: 1 where ``z > 0``, otherwise 0. It is 0 for NaN."""
    return _elementwise(lanes, lambda builder, z: builder.uitofp(builder.fcmp_ordered(">", z, _zero(z)), z.type))


@intrinsic
def is_equal(typingctx: Any, lanes: Any, value: Any) -> Any:
    """``is_equal(z, x)``: 1 where ``z == x``, a float, otherwise 0."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        same = splat(builder, args[1], lanes.vector)
        vectors = unpack(builder, args[0])
        return pack(builder, [builder.uitofp(builder.fcmp_ordered("==", z, same), z.type) for z in vectors])

    return lanes(lanes, types.float32), generate


@intrinsic
def sqrt(typingctx: Any, lanes: Any) -> Any:
    """``sqrt(z)``: the square root, correctly rounded."""
    return _elementwise(lanes, lambda builder, z: call(builder, f"llvm.sqrt.v{z.type.count}f32", [z], z.type))


SMALLEST_NORMAL = 2.0**-126


@intrinsic
def without_subnormals(typingctx: Any, lanes: Any) -> Any:
    """``without_subnormals(z)``: 0 where ``|z|`` is below 2^-126, otherwise ``z``.

    Arithmetic on subnormal numbers is far slower on some CPUs.
    """

    def make(builder: Any, z: Any) -> Any:
        size = call(builder, f"llvm.fabs.v{z.type.count}f32", [z], z.type)
        limit = constant(SMALLEST_NORMAL, z.type.count)
        return builder.select(builder.fcmp_ordered("<", size, limit), _zero(z), z)

    return _elementwise(lanes, make)


# exp(x) = 2^y with y = x log2(e) = n + f, where n is the nearest integer and |f| <= 1/2. 2^n is composed from the bits
# of its exponent. 2^f is a Taylor polynomial, whose truncation error at this degree is 2e-8. The result does not rely
# on the order of additions, because a caller's fast-math flags may allow reassociation.
LOG2_E = 1 / log(2)
TAYLOR = tuple(log(2) ** k / factorial(k) for k in (7, 6, 5, 4, 3, 2, 1, 0))
LOWEST = -125.9  # lower limit of y, below which the result would be subnormal


@intrinsic
def exp_nonpositive(typingctx: Any, lanes: Any) -> Any:
    """``exp_nonpositive(x)``: the exponential of lanes that are at most 0, with a relative error of 2e-7.

    Results below 1.3e-38 are 0. NaN is preserved.
    """

    def make(builder: Any, x: Any) -> Any:
        length = x.type.count
        integers = ir.VectorType(I32, length)
        lowest = constant(LOWEST, length)
        y = builder.fmul(x, constant(LOG2_E, length))
        too_low = builder.fcmp_ordered("<", y, lowest)
        # Conversion to integers truncates towards zero. As y is not positive, subtracting 1/2 first rounds to nearest.
        # Conversion is undefined for NaN, so LOWEST is converted in its place. NaN still reaches the result through f.
        clamped = builder.select(builder.fcmp_ordered(">=", y, lowest), y, lowest)
        n = builder.fptosi(builder.fsub(clamped, constant(0.5, length)), integers)
        f = builder.fsub(y, builder.sitofp(n, x.type))
        power = constant(TAYLOR[0], length)
        for coefficient in TAYLOR[1:]:
            power = builder.fadd(builder.fmul(power, f, flags=FLAGS), constant(coefficient, length), flags=FLAGS)
        exponent = builder.add(n, ir.Constant(integers, [127] * length))
        scale = builder.bitcast(builder.shl(exponent, ir.Constant(integers, [23] * length)), x.type)
        return builder.select(too_low, constant(0.0, length), builder.fmul(power, scale))

    return _elementwise(lanes, make)


@intrinsic
def product(typingctx: Any, left: Any, right: Any) -> Any:
    """``product(a, b)``: ``a * b`` of lanes, or of a float and lanes, that is never fused with an addition.

    A product with ``*`` may become a fused multiply-add. This is slower if the sum is stored immediately: on Zen 3, the
    instruction's third operand occupies the port that stores need, so adding to memory takes a fifth longer.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        factors = unpack(builder, args[1])
        one = [] if isinstance(left, Lanes) else [splat(builder, args[0], right.vector)]
        others = one * len(factors) if one else unpack(builder, args[0])
        fence = f"llvm.arithmetic.fence.v{right.vector}f32"
        pairs = zip(others, factors, strict=True)
        return pack(builder, [call(builder, fence, [builder.fmul(a, b)], b.type) for a, b in pairs])

    return right(left, right), generate


@intrinsic
def maximum(typingctx: Any, left: Any, right: Any) -> Any:
    """``maximum(a, b)``: the elementwise maximum. It is ``b`` if either is NaN."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pairs = zip(*(unpack(builder, arg) for arg in args), strict=True)
        return pack(builder, [builder.select(builder.fcmp_ordered(">", a, b), a, b) for a, b in pairs])

    return left(left, right), generate


def _reduced(lanes: Any, combine: Callable[[Any, Any, Any], Any]) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, *others = unpack(builder, args[0])
        for vector in others:
            first = combine(builder, first, vector)
        length = lanes.vector
        distance = length // 2
        while distance:  # combine halves, then quarters, then eighths
            order = ir.Constant(ir.VectorType(I32, length), [(i + distance) % length for i in range(length)])
            first = combine(builder, first, builder.shuffle_vector(first, first, order))
            distance //= 2
        return builder.extract_element(first, I32(0))

    return types.float32(lanes), generate


@intrinsic
def total(typingctx: Any, lanes: Any) -> Any:
    """``total(z)``: the sum of all lanes."""
    return _reduced(lanes, lambda builder, a, b: builder.fadd(a, b))


@intrinsic
def highest(typingctx: Any, lanes: Any) -> Any:
    """``highest(z)``: the maximum of all lanes. NaN may be ignored."""
    return _reduced(lanes, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


@intrinsic
def bit_count(typingctx: Any, mask: Any) -> Any:
    """``bit_count(mask)``: the number of set bits of an integer."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.intp(types.intp), generate


@intrinsic
def width(typingctx: Any, lanes: Any) -> Any:
    """``width(z)``: the number of lanes, a compile-time constant."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.get_constant(types.intp, lanes.width)

    return types.intp(lanes), generate
