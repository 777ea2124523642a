"""Sums of products of bytes: int32 in vector registers, to each of which four products are added at a time.

The instruction for this is VPDPBUSD of AVX-512 VNNI. Where Numba does not compile for it, LLVM gets shifts, products
and additions with the same results. So every CPU can run the kernels, but only those with the instruction should.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.extending import register_model

from nnkernels.cpu_features import compiled_features
from nnkernels.jit import intrinsic, literal_intrinsic
from nnkernels.kernels.simd.lanes import (
    CACHE_LINE,
    FLAGS,
    FLOATS,
    I32,
    I64,
    INTS,
    VECTOR,
    Lanes,
    call,
    constant,
    lanes_for,
    pack,
    pointer,
    unpack,
)

AVX512_VNNI = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vnni"})  # LLVM's names
SUMS = 16  # sums in a vector
QUAD = 4  # bytes of an image whose products are added to a sum at a time

SUM_VECTOR = ir.VectorType(I32, SUMS)


class Sums(types.Type):
    """The Numba type of some vectors of sixteen int32 sums.

    Parameters
    ----------
    vectors : int
        Number of vectors.
    """

    def __init__(self, vectors: int) -> None:
        self.vectors = vectors
        super().__init__(name=f"Sums({vectors})")


@register_model(Sums)
class _SumsModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Sums) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(SUM_VECTOR, fe_type.vectors))  # type: ignore[no-untyped-call]


@literal_intrinsic
def zero_sums(typingctx: Any, vectors: Any) -> Any:
    """``zero_sums(vectors)``: sums that are 0. The number of vectors is a compile-time constant."""
    sums = Sums(vectors.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return pack(builder, [_constant(0)] * sums.vectors)

    return sums(vectors), generate


@intrinsic
def add_byte_products(typingctx: Any, sums: Any, quad: Any, weights: Any, index: Any) -> Any:
    """``add_byte_products(sums, quad, weights, index)``: add four products of bytes to each sum.

    ``quad`` contains four unsigned bytes (see :func:`load_quad`). Sum number s adds their products with the signed
    bytes ``weights[index + 4 * s:index + 4 * s + 4]``. The weights must be aligned to a cache line. A sum must not
    exceed 31 bits.
    """
    add = _add_with_vnni if compiled_features() >= AVX512_VNNI else _add_portably

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        one = builder.insert_element(ir.Constant(SUM_VECTOR, ir.Undefined), args[1], I32(0))
        pixels = builder.shuffle_vector(one, one, _constant(0))
        first = pointer(context, builder, weights, args[2], args[3], SUM_VECTOR)
        rows = [builder.load(builder.gep(first, [I32(i)]), align=CACHE_LINE) for i in range(sums.vectors)]
        pairs = zip(unpack(builder, args[0]), rows, strict=True)
        return pack(builder, [add(builder, vector, pixels, row) for vector, row in pairs])

    return sums(sums, types.uint32, weights, types.intp), generate


def _add_with_vnni(builder: Any, sums: Any, pixels: Any, weights: Any) -> Any:
    return call(builder, "llvm.x86.avx512.vpdpbusd.512", [sums, pixels, weights], SUM_VECTOR)


def _add_portably(builder: Any, sums: Any, pixels: Any, weights: Any) -> Any:
    for byte in range(QUAD):
        pixel = builder.and_(builder.lshr(pixels, _constant(8 * byte)), _constant(255))
        weight = builder.ashr(builder.shl(weights, _constant(24 - 8 * byte)), _constant(24))
        sums = builder.add(sums, builder.mul(pixel, weight))
    return sums


@literal_intrinsic
def joined_digits(typingctx: Any, sums: Any, digits: Any, units: Any) -> Any:
    """``joined_digits(sums, digits, units)``: lanes with a number for each unit, from its sums for each digit.

    The sums are those of all units for the highest digit, then those for the next one, and so on. Their weights are 1,
    2^-8, 2^-16 and so on. The numbers of digits and units are compile-time constants. Lanes after the last unit contain
    any finite numbers.
    """
    count, lanes = units.literal_value, Lanes(lanes_for(units.literal_value))

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = unpack(builder, args[0])

        def eight(first: int) -> Any:
            return builder.sitofp(_eight_sums(builder, vectors, first), FLOATS)

        joined = []
        for h in range(0, lanes.width, VECTOR):
            z = eight(h)
            for digit in range(1, digits.literal_value):
                term = builder.fmul(constant(2.0 ** (-8 * digit)), eight(digit * count + h), flags=FLAGS)
                z = builder.fadd(z, term, flags=FLAGS)
            joined.append(z)
        return pack(builder, joined)

    return lanes(sums, digits, units), generate


def _eight_sums(builder: Any, vectors: list[Any], first: int) -> Any:
    """Return sums ``first`` to ``first + 7``. Sums after the end are replaced by others."""
    low, start = divmod(first, SUMS)
    high = min(low + 1, len(vectors) - 1)
    return builder.shuffle_vector(vectors[low], vectors[high], ir.Constant(INTS, list(range(start, start + VECTOR))))


@intrinsic
def load_quad(typingctx: Any, images: Any, index: Any) -> Any:
    """``load_quad(images, index)``: the four bytes from ``images[index]`` on, as a uint32."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(pointer(context, builder, images, args[0], args[1], I32), align=1)

    return types.uint32(images, types.intp), generate


@literal_intrinsic
def nonzero_quads(typingctx: Any, images: Any, index: Any, count: Any) -> Any:
    """``nonzero_quads(images, index, count)``: a bit mask of 16 or 64 groups of four bytes, in a uint64.

    Bit b is set if any of the bytes from ``index + 4 * b`` to ``index + 4 * b + 3`` is nonzero. The number of groups is
    a compile-time constant.
    """
    length = count.literal_value
    vector = ir.VectorType(I32, length)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        quads = builder.load(pointer(context, builder, images, args[0], args[1], vector), align=1)
        unequal = builder.icmp_unsigned("!=", quads, ir.Constant(vector, [0] * length))
        return builder.zext(builder.bitcast(unequal, ir.IntType(length)), I64)

    return types.uint64(images, types.intp, count), generate


def _constant(value: int) -> Any:
    return ir.Constant(SUM_VECTOR, [value] * SUMS)
