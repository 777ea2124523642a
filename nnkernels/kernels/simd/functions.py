"""Functions of lanes: lane by lane, or of all of them."""

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
    """``relu(z)``: 0 where ``z < 0``, else ``z``; NaN stays NaN, since it is not less than 0."""
    return _elementwise(
        lanes, lambda builder, z: builder.select(builder.fcmp_ordered("<", z, constant(0.0)), constant(0.0), z)
    )


@intrinsic
def is_positive(typingctx: Any, lanes: Any) -> Any:
    """``is_positive(z)``: 1 where ``z > 0``, else 0."""
    return _elementwise(lanes, lambda builder, z: builder.uitofp(builder.fcmp_ordered(">", z, constant(0.0)), FLOATS))


@intrinsic
def sqrt(typingctx: Any, lanes: Any) -> Any:
    """``sqrt(z)``, correctly rounded."""
    return _elementwise(lanes, lambda builder, z: call(builder, "llvm.sqrt.v8f32", [z], FLOATS))


SMALLEST_NORMAL = 2.0**-126


@intrinsic
def without_subnormals(typingctx: Any, lanes: Any) -> Any:
    """``without_subnormals(z)``: 0 where ``|z|`` is below 2^-126, where arithmetic is far slower on some CPUs."""

    def make(builder: Any, z: Any) -> Any:
        size = call(builder, "llvm.fabs.v8f32", [z], FLOATS)
        return builder.select(builder.fcmp_ordered("<", size, constant(SMALLEST_NORMAL)), constant(0.0), z)

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
        y = builder.fmul(x, constant(LOG2_E))
        too_low = builder.fcmp_ordered("<", y, constant(LOWEST))
        # Conversion cuts towards zero: half a unit below a number that is not positive, that is to the nearest.
        # It is not defined for NaN, which fails this comparison and meets it again in f.
        whole = builder.select(builder.fcmp_ordered(">=", y, constant(LOWEST)), y, constant(LOWEST))
        n = builder.fptosi(builder.fsub(whole, constant(0.5)), INTS)
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
    """``product(a, b)``: ``a * b`` of lanes, or of a float and lanes, which stays a product.

    ``*`` may become one instruction with a sum: faster, but not where the sum is stored at once. On Zen 3 it takes the
    port that stores read by, and lanes that are added to and stored again take a fifth longer.
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
    """``maximum(a, b)``: lane by lane the greater; ``b`` where one is NaN."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pairs = zip(*(unpack(builder, arg) for arg in args), strict=True)
        return pack(builder, [builder.select(builder.fcmp_ordered(">", a, b), a, b) for a, b in pairs])

    return left(left, right), generate


def _reduced(lanes: Any, combine: Callable[[Any, Any, Any], Any]) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first, *others = unpack(builder, args[0])
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
