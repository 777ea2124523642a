"""Elementwise functions of lanes, and reductions."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, log
from typing import Any

from llvmlite import ir
from numba.core import types

from nnkernels.jit import intrinsic
from nnkernels.kernels.simd.lanes import FLAGS, FLOATS, I32, INTS, VECTOR, Lanes, call, constant, pack, splat, unpack


def _elementwise(lanes: Any, make: Callable[[Any, Any], Any]) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return pack(builder, [make(builder, vector) for vector in unpack(builder, args[0])])

    return lanes(lanes), generate


@intrinsic
def relu(typingctx: Any, lanes: Any) -> Any:
    """``relu(z)``: 0 where ``z < 0``, otherwise ``z``. NaN is preserved, because it is not less than 0."""
    return _elementwise(
        lanes, lambda builder, z: builder.select(builder.fcmp_ordered("<", z, constant(0.0)), constant(0.0), z)
    )


@intrinsic
def is_positive(typingctx: Any, lanes: Any) -> Any:
    """``is_positive(z)``: 1 where ``z > 0``, otherwise 0. It is 0 for NaN."""
    return _elementwise(lanes, lambda builder, z: builder.uitofp(builder.fcmp_ordered(">", z, constant(0.0)), FLOATS))


@intrinsic
def sqrt(typingctx: Any, lanes: Any) -> Any:
    """``sqrt(z)``: the square root, correctly rounded."""
    return _elementwise(lanes, lambda builder, z: call(builder, "llvm.sqrt.v8f32", [z], FLOATS))


SMALLEST_NORMAL = 2.0**-126


@intrinsic
def without_subnormals(typingctx: Any, lanes: Any) -> Any:
    """``without_subnormals(z)``: 0 where ``|z|`` is below 2^-126, otherwise ``z``.

    Arithmetic on subnormal numbers is far slower on some CPUs.
    """

    def make(builder: Any, z: Any) -> Any:
        size = call(builder, "llvm.fabs.v8f32", [z], FLOATS)
        return builder.select(builder.fcmp_ordered("<", size, constant(SMALLEST_NORMAL)), constant(0.0), z)

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
        y = builder.fmul(x, constant(LOG2_E))
        too_low = builder.fcmp_ordered("<", y, constant(LOWEST))
        # Conversion to integers truncates towards zero. As y is not positive, subtracting 1/2 first rounds to nearest.
        # Conversion is undefined for NaN, so LOWEST is converted in its place. NaN still reaches the result through f.
        clamped = builder.select(builder.fcmp_ordered(">=", y, constant(LOWEST)), y, constant(LOWEST))
        n = builder.fptosi(builder.fsub(clamped, constant(0.5)), INTS)
        f = builder.fsub(y, builder.sitofp(n, FLOATS))
        power = constant(TAYLOR[0])
        for coefficient in TAYLOR[1:]:
            power = builder.fadd(builder.fmul(power, f, flags=FLAGS), constant(coefficient), flags=FLAGS)
        exponent = builder.add(n, ir.Constant(INTS, [127] * VECTOR))
        scale = builder.bitcast(builder.shl(exponent, ir.Constant(INTS, [23] * VECTOR)), FLOATS)
        return builder.select(too_low, constant(0.0), builder.fmul(power, scale))

    return _elementwise(lanes, make)


@intrinsic
def product(typingctx: Any, left: Any, right: Any) -> Any:
    """``product(a, b)``: ``a * b`` of lanes, or of a float and lanes, that is never fused with an addition.

    A product with ``*`` may become a fused multiply-add. This is slower if the sum is stored immediately: on Zen 3, the
    instruction's third operand occupies the port that stores need, so adding to memory takes a fifth longer.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        factors = unpack(builder, args[1])
        others = unpack(builder, args[0]) if isinstance(left, Lanes) else [splat(builder, args[0])] * len(factors)
        fence = "llvm.arithmetic.fence.v8f32"
        pairs = zip(others, factors, strict=True)
        return pack(builder, [call(builder, fence, [builder.fmul(a, b)], FLOATS) for a, b in pairs])

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
        for distance in (4, 2, 1):  # combine halves, then quarters, then neighbours
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
