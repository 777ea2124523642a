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
from nnkernels.kernels.simd.lanes import CACHE_LINE, I32, call, pack, pointer, unpack

AVX512_VNNI = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512vnni"})  # LLVM's names
SUMS = 16  # sums in a vector
QUAD = 4  # bytes of an image whose products are added to a sum at a time
QUADS_OF_MASK = 64

I64 = ir.IntType(64)
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


@intrinsic
def store_sums(typingctx: Any, array: Any, index: Any, sums: Any) -> Any:
    """``store_sums(array, index, sums)``: ``array[index:index + 16 * vectors] = sums``, in a contiguous int32 array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = pointer(context, builder, array, args[0], args[1], SUM_VECTOR)
        for i, vector in enumerate(unpack(builder, args[2])):
            builder.store(vector, builder.gep(first, [I32(i)]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate


@intrinsic
def load_quad(typingctx: Any, images: Any, index: Any) -> Any:
    """``load_quad(images, index)``: the four bytes from ``images[index]`` on, as a uint32."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(pointer(context, builder, images, args[0], args[1], I32), align=1)

    return types.uint32(images, types.intp), generate


@intrinsic
def nonzero_quads(typingctx: Any, images: Any, index: Any) -> Any:
    """``nonzero_quads(images, index)``: a bit mask of 64 groups of four bytes, in a uint64.

    Bit b is set if any of the bytes from ``index + 4 * b`` to ``index + 4 * b + 3`` is nonzero.
    """
    vector = ir.VectorType(I32, QUADS_OF_MASK)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        quads = builder.load(pointer(context, builder, images, args[0], args[1], vector), align=1)
        unequal = builder.icmp_unsigned("!=", quads, ir.Constant(vector, [0] * QUADS_OF_MASK))
        return builder.bitcast(unequal, I64)

    return types.uint64(images, types.intp), generate


@intrinsic
def lowest_bit(typingctx: Any, mask: Any) -> Any:
    """``lowest_bit(mask)``: the number of the lowest set bit of a uint64, which must not be 0."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), generate


@intrinsic
def without_lowest_bit(typingctx: Any, mask: Any) -> Any:
    """``without_lowest_bit(mask)``: a uint64 without its lowest set bit."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.and_(args[0], builder.sub(args[0], ir.Constant(I64, 1)))

    return types.uint64(types.uint64), generate


def _constant(value: int) -> Any:
    return ir.Constant(SUM_VECTOR, [value] * SUMS)
