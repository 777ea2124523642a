"""Explicit vectors for kernels: ``Lanes``, several float32 numbers that stay in vector registers.

Numba has no vector type, and LLVM unrolls short loops of constant length into scalar code. The functions here generate
LLVM's portable vectors of eight floats instead. LLVM translates them to the instructions of the CPU that it compiles
for: AVX, SSE, NEON or scalar ones. Nothing here depends on the instruction set of a CPU.

The functions are called from compiled code only. Their docstrings begin with the call, because the Python functions are
Numba intrinsics: they receive a typing context and the types of the arguments, and return a signature and a generator
of LLVM code. Indices count elements, and bounds are not checked.
"""

from nnkernels.kernels.simd.functions import (
    bit_count,
    exp_nonpositive,
    highest,
    is_equal,
    is_positive,
    maximum,
    product,
    relu,
    sqrt,
    total,
    width,
    without_subnormals,
)
from nnkernels.kernels.simd.indices import MASK_BITS, load_four_indices, nonzero_mask, pick_index, store_shifted
from nnkernels.kernels.simd.lanes import CACHE_LINE, VECTOR, Lanes, lanes_for
from nnkernels.kernels.simd.memory import (
    add_to,
    at,
    feature,
    load,
    load_four,
    outer_four,
    outer_rows,
    pick,
    prefetch,
    prefetch_row,
    put,
    stack_array,
    store,
    transpose_eight,
    zeros,
)
from nnkernels.kernels.simd.tiles import (
    TILE_VECTOR,
    copy_sixteen,
    load_repeated,
    load_spread,
    lowest_bit,
    mask_at,
    store_inked_blocks,
    store_mask,
    tile_totals,
    zero_tile,
)

__all__ = [
    "CACHE_LINE",
    "MASK_BITS",
    "TILE_VECTOR",
    "VECTOR",
    "Lanes",
    "add_to",
    "at",
    "bit_count",
    "copy_sixteen",
    "exp_nonpositive",
    "feature",
    "highest",
    "is_equal",
    "is_positive",
    "lanes_for",
    "load",
    "load_four",
    "load_four_indices",
    "load_repeated",
    "load_spread",
    "lowest_bit",
    "mask_at",
    "maximum",
    "nonzero_mask",
    "outer_four",
    "outer_rows",
    "pick",
    "pick_index",
    "prefetch",
    "prefetch_row",
    "product",
    "put",
    "relu",
    "sqrt",
    "stack_array",
    "store",
    "store_inked_blocks",
    "store_mask",
    "store_shifted",
    "tile_totals",
    "total",
    "transpose_eight",
    "width",
    "without_subnormals",
    "zero_tile",
    "zeros",
]
