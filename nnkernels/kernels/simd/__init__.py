"""Vectors for kernels: ``Lanes``, a row of float32 numbers that compiled code keeps in vector registers.

Numba has no vector type, and unrolls short loops of constant length into scalar code. The functions here hand LLVM its
own portable vectors of eight lanes instead, from which it makes whatever instructions the CPU has that it compiles for:
AVX, SSE, NEON or scalar ones. No instruction of one CPU is named, so there is none that another could lack.
"""

from nnkernels.kernels.simd.functions import (
    bit_count,
    exp_nonpositive,
    highest,
    is_positive,
    maximum,
    product,
    relu,
    sqrt,
    total,
    width,
    without_subnormals,
)
from nnkernels.kernels.simd.lanes import CACHE_LINE, VECTOR, Lanes, lanes_for
from nnkernels.kernels.simd.memory import (
    add_to,
    at,
    feature,
    four_times,
    load,
    load_four,
    pick,
    prefetch,
    prefetch_row,
    stack_array,
    store,
    transpose_eight,
    zeros,
)
from nnkernels.kernels.simd.places import MASKED, load_places, nonzero_mask, place, store_moved

__all__ = [
    "CACHE_LINE",
    "MASKED",
    "VECTOR",
    "Lanes",
    "add_to",
    "at",
    "bit_count",
    "exp_nonpositive",
    "feature",
    "four_times",
    "highest",
    "is_positive",
    "lanes_for",
    "load",
    "load_four",
    "load_places",
    "maximum",
    "nonzero_mask",
    "pick",
    "place",
    "prefetch",
    "prefetch_row",
    "product",
    "relu",
    "sqrt",
    "stack_array",
    "store",
    "store_moved",
    "total",
    "transpose_eight",
    "width",
    "without_subnormals",
    "zeros",
]
