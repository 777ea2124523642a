"""Memory access: load, store, broadcast, transpose and prefetch."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types

from nnkernels.jit import device_function, intrinsic, literal_intrinsic
from nnkernels.kernels.simd.lanes import (
    CACHE_LINE,
    FLAGS,
    FLOAT,
    FLOATS,
    I8,
    I32,
    INTS,
    VECTOR,
    Lanes,
    call,
    constant,
    pack,
    pointer,
    splat,
    unpack,
)


@literal_intrinsic
def zeros(typingctx: Any, width: Any) -> Any:
    """``zeros(width)``: zeros in vectors of eight. The width is a compile-time constant, a multiple of eight."""
    lanes = Lanes(width.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return pack(builder, [constant(0.0)] * lanes.vectors)

    return lanes(width), generate


@intrinsic
def load(typingctx: Any, array: Any, index: Any, like: Any) -> Any:
    """``load(array, index, like)``: ``array[index:index + width]`` as lanes of the same width as ``like``.

    The array must be contiguous and float32, uint8 or int32. Integers are converted to floats.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(context.get_data_type(array.dtype), like.vector)
        first = pointer(context, builder, array, args[0], args[1], stored)
        vectors = [
            builder.load(builder.gep(first, [I32(i)]), align=array.dtype.bitwidth // 8) for i in range(like.vectors)
        ]
        if array.dtype != types.float32:
            convert = builder.sitofp if array.dtype.signed else builder.uitofp
            vectors = [convert(vector, ir.VectorType(FLOAT, like.vector)) for vector in vectors]
        return pack(builder, vectors)

    return like(array, types.intp, like), generate


@intrinsic
def store(typingctx: Any, array: Any, index: Any, lanes: Any) -> Any:
    """``store(array, index, lanes)``: ``array[index:index + width] = lanes``, in a contiguous float32 array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = pointer(context, builder, array, args[0], args[1], ir.VectorType(FLOAT, lanes.vector))
        for i, vector in enumerate(unpack(builder, args[2])):
            builder.store(vector, builder.gep(first, [I32(i)]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def add_to(typingctx: Any, array: Any, index: Any, lanes: Any) -> Any:
    """``add_to(array, index, lanes)``: ``array[index:index + width] += lanes``, in a contiguous float32 array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = pointer(context, builder, array, args[0], args[1], ir.VectorType(FLOAT, lanes.vector))
        for i, vector in enumerate(unpack(builder, args[2])):
            address = builder.gep(first, [I32(i)])
            builder.store(builder.fadd(builder.load(address, align=4), vector, flags=FLAGS), address, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def load_four(typingctx: Any, array: Any, index: Any) -> Any:
    """``load_four(array, index)``: eight lanes that contain four elements twice, for :func:`pick`."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(context.get_data_type(array.dtype), 4)
        four = builder.load(pointer(context, builder, array, args[0], args[1], stored), align=array.dtype.bitwidth // 8)
        if array.dtype != types.float32:
            four = builder.uitofp(four, ir.VectorType(FLOAT, 4))
        return pack(builder, [builder.shuffle_vector(four, four, ir.Constant(INTS, [0, 1, 2, 3] * 2))])

    return Lanes(VECTOR)(array, types.intp), generate


@literal_intrinsic
def pick(typingctx: Any, four: Any, which: Any, like: Any) -> Any:
    """``pick(load_four(array, index), i, like)``: broadcast element ``index + i`` to lanes of the width of ``like``.

    ``i`` is a compile-time constant from 0 to 3. The broadcast is a shuffle of registers. If loads are the bottleneck,
    this is faster than one load per element.
    """
    chosen = which.literal_value

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = unpack(builder, args[0])[0]
        broadcast = builder.shuffle_vector(vector, vector, ir.Constant(INTS, [chosen] * 4 + [chosen + 4] * 4))
        return pack(builder, [broadcast] * like.vectors)

    return like(four, which, like), generate


@intrinsic
def outer_four(typingctx: Any, array: Any, index: Any, stride: Any, lanes: Any) -> Any:
    """``outer_four(array, index, stride, z)``: the outer product of four elements and lanes, row by row.

    The elements are ``array[index + i * stride]`` for i < 4, float32. The result has four times the width of ``z``.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        vectors, products = unpack(builder, args[3]), []
        for i in range(4):
            address = builder.add(args[1], builder.mul(args[2], ir.Constant(args[2].type, i)))
            element = splat(builder, builder.load(builder.gep(data, [address])), lanes.vector)
            products += [builder.fmul(element, vector, flags=FLAGS) for vector in vectors]
        return pack(builder, products)

    return Lanes(4 * lanes.width, lanes.vector)(array, types.intp, types.intp, lanes), generate


@intrinsic
def outer_rows(typingctx: Any, array: Any, index: Any, lanes: Any, like: Any) -> Any:
    """``outer_rows(array, index, z, like)``: the outer product of ``array[index:]`` and lanes, row by row.

    The width of ``like`` is that of the result, a multiple of the width of ``z``.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = pointer(context, builder, array, args[0], args[1], FLOAT)
        vectors, products = unpack(builder, args[2]), []
        for i in range(like.width // lanes.width):
            element = splat(builder, builder.load(builder.gep(first, [I32(i)]), align=4), lanes.vector)
            products += [builder.fmul(element, vector, flags=FLAGS) for vector in vectors]
        return pack(builder, products)

    return like(array, types.intp, lanes, like), generate


@intrinsic
def at(typingctx: Any, array: Any, index: Any) -> Any:
    """``at(array, index)``: an element, without Numba's handling of negative indices, which takes two instructions."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(builder.gep(context.make_array(array)(context, builder, args[0]).data, [args[1]]))

    return array.dtype(array, types.intp), generate


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """``put(array, index, value)``: set an element, without the handling of negative indices, like :func:`at`."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], builder.gep(context.make_array(array)(context, builder, args[0]).data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


@literal_intrinsic
def prefetch(typingctx: Any, array: Any, index: Any, lines: Any) -> Any:
    """``prefetch(array, index, lines)``: prefetch cache lines into L2, starting at ``array[index]``.

    ``lines`` is a compile-time constant. The range may extend past the end of the array.
    """
    count = lines.literal_value

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = pointer(context, builder, array, args[0], args[1], I8)
        read, locality, data = I32(0), I32(2), I32(1)
        for line in range(count):
            address = builder.gep(first, [I32(line * CACHE_LINE)])
            call(builder, "llvm.prefetch.p0", [address, read, locality, data], ir.VoidType())
        return context.get_dummy_value()

    return types.void(array, types.intp, lines), generate


@device_function
def prefetch_row(array: npt.NDArray[Any], index: int, length: int) -> None:
    """Prefetch ``array[index:index + length]`` into L2.

    Parameters
    ----------
    array : ndarray, shape (size,)
        The array.
    index, length : int
        The range, which may extend past the end of the array.
    """
    step = CACHE_LINE // array.itemsize
    for i in range(index, index + length, step):
        prefetch(array, i, 1)


@intrinsic
def transpose_eight(
    typingctx: Any, source: Any, at_source: Any, stride: Any, target: Any, at_target: Any, target_stride: Any
) -> Any:
    """``transpose_eight(source, i, stride, target, j, target_stride)``: transpose a block of 8 x 8 floats.

    ``target[j + a * target_stride + b] = source[i + b * stride + a]`` for a, b < 8.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def row(array_type: Any, array: Any, start: Any, step: Any, i: int) -> Any:
            index = builder.add(start, builder.mul(step, ir.Constant(step.type, i)))
            return pointer(context, builder, array_type, array, index, FLOATS)

        def shuffle(a: Any, b: Any, lanes: list[int]) -> Any:
            return builder.shuffle_vector(a, b, ir.Constant(INTS, lanes))

        rows = [builder.load(row(source, args[0], args[1], args[2], i), align=4) for i in range(8)]
        # Interleave pairs of rows, then pairs of pairs, then halves. With AVX, each shuffle is one instruction.
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


@literal_intrinsic
def stack_array(typingctx: Any, element: Any, length: Any) -> Any:
    """``stack_array(dtype, length)``: an uninitialised array on the kernel's stack, which avoids an allocation.

    The length is a compile-time constant.
    """
    array_type = types.Array(element.dtype, 1, "C")
    count = length.literal_value

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        size = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
        data = cgutils.alloca_once(  # type: ignore[no-untyped-call]
            builder, context.get_data_type(array_type.dtype), size=context.get_constant(types.intp, count)
        )
        data.align = CACHE_LINE
        array = context.make_array(array_type)(context, builder)
        context.populate_array(
            array,
            data=data,
            shape=[context.get_constant(types.intp, count)],
            strides=[context.get_constant(types.intp, size)],
            itemsize=context.get_constant(types.intp, size),
            meminfo=None,
        )
        return array._getvalue()

    return array_type(element, length), generate


@intrinsic
def feature(typingctx: Any, images: Any, index: Any, floats: Any) -> Any:
    """``feature(images, index, floats)``: the feature of a pixel, which is ``floats[images[index]]`` for uint8 images.

    Elements of float32 images are features already. The table lookup takes two instructions, half as many as a
    conversion.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        element = builder.load(builder.gep(context.make_array(images)(context, builder, args[0]).data, [args[1]]))
        if images.dtype == types.float32:
            return element
        pixel = builder.zext(element, ir.IntType(64))
        return builder.load(builder.gep(context.make_array(floats)(context, builder, args[2]).data, [pixel]))

    return types.float32(images, types.intp, floats), generate
