"""The only place that names Numba's compile options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import extending

from nnkernels import compile_cache

P = ParamSpec("P")
R = TypeVar("R")

# contract: a * b + c may become one fused multiply-add; reassoc and nsz: sums may be split into vector lanes.
# Not nnan, ninf or `fastmath=True`: a training that blows up has to be seen to blow up.
FASTMATH = {"contract", "reassoc", "nsz"}


# Where a cancellation is meant, as in log(sum) - (logit - maximum), operations keep their order.
ORDERED = {"contract", "nsz"}

# Functions for C to call, which Numba makes of each kernel and each part beside those for Python. Nobody calls them.
WITHOUT_WRAPPER: dict[str, Any] = {"no_cfunc_wrapper": True}

# Under NUMBA_DISABLE_JIT Numba hands functions back as they are.
COMPILES = not vars(numba.config)["DISABLE_JIT"]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` in nopython mode, cached on disk, without the GIL.

    ``error_model="numpy"``: a division by zero gives inf or NaN, as in NumPy, instead of an exception.
    """
    return _compiled(function, FASTMATH)


def ordered_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` as :func:`kernel` does, but leave the order of its sums and differences as written."""
    return _compiled(function, ORDERED)


def quick_kernel(function: Callable[P, R], signature: object) -> Callable[P, R]:
    """Compile ``function`` as :func:`ordered_kernel` does, at once, for one signature only, and with the GIL kept.

    What it then costs to call it is the least there is; other types of arguments are a TypeError.
    """
    return _compiled(function, ORDERED, signature, nogil=False)


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Let kernels call ``function``: it is compiled as the kernel that calls it is."""
    callable_in_kernels: Callable[P, R] = extending.register_jitable(**WITHOUT_WRAPPER)(function)
    return callable_in_kernels


def inlined_part(function: Callable[P, R]) -> Callable[P, R]:
    """Let kernels call ``function`` as :func:`part` does, in place of each call."""
    callable_in_kernels: Callable[P, R] = extending.register_jitable(forceinline=True, **WITHOUT_WRAPPER)(function)
    return callable_in_kernels


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an operation for kernels of ``function``: from Numba's types to a signature and a generator of LLVM code.

    Kernels call it without ``function``'s first argument, the typing context. What types it has depends on the call.
    """
    return cast("Callable[..., Any]", extending.intrinsic(function))


def literal_intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an operation as :func:`intrinsic` does, of a function that wants the values of constants in a call."""
    return cast("Callable[..., Any]", extending.intrinsic(prefer_literal=True)(function))


def _compiled(
    function: Callable[P, R], fastmath: set[str], signature: object | None = None, nogil: bool = True
) -> Callable[P, R]:
    options = {"nogil": nogil, "error_model": "numpy", "fastmath": fastmath, **WITHOUT_WRAPPER}
    compiled = numba.njit(**options)(function)
    if compiled is not function:  # else NUMBA_DISABLE_JIT is set
        compile_cache.attach(compiled, options)
        if signature is not None:  # not given to Numba's decorator, which would compile before there is a cache
            compiled.compile(signature)
            compiled.disable_compile()
    return cast("Callable[P, R]", compiled)
