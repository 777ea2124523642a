"""Compile options of Numba. All compiled functions of the package are declared through this module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import extending

from nnkernels import compile_cache

P = ParamSpec("P")
R = TypeVar("R")

# contract allows fused multiply-adds. reassoc and nsz allow sums to be split into vector lanes. nnan and ninf, which
# `fastmath=True` includes, are not allowed: they would hide NaN and infinities, and so a training run that diverges.
FASTMATH = {"contract", "reassoc", "nsz"}

# No reassociation, for expressions in which terms cancel, such as log(sum) - (logit - maximum).
ORDERED = {"contract", "nsz"}

# By default, Numba compiles another entry point of each function, for callers in C. Nothing here calls it.
NO_C_WRAPPER: dict[str, Any] = {"no_cfunc_wrapper": True}

# With NUMBA_DISABLE_JIT, the decorators return plain Python functions.
JIT_ENABLED = not vars(numba.config)["DISABLE_JIT"]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function in nopython mode, with a cache on disk and without the GIL.

    A division by zero gives inf or NaN as in NumPy, instead of an exception (``error_model="numpy"``).

    Parameters
    ----------
    function : callable
        The function.

    Returns
    -------
    dispatcher : callable
        The function, compiled at its first call for each combination of argument types.
    """
    return _compiled(function, FASTMATH)


def ordered_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function like :func:`kernel`, but without reassociation of floating-point operations.

    Parameters
    ----------
    function : callable
        The function.

    Returns
    -------
    dispatcher : callable
        As for :func:`kernel`.
    """
    return _compiled(function, ORDERED)


def exact_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function like :func:`kernel`, but without fast-math: every operation is rounded as IEEE 754 says.

    So results are the same on every CPU, with or without fused multiply-adds and vectors of any width.

    Parameters
    ----------
    function : callable
        The function.

    Returns
    -------
    dispatcher : callable
        As for :func:`kernel`.
    """
    return _compiled(function, set())


def eager_kernel(function: Callable[P, R], signature: object) -> Callable[P, R]:
    """Compile a function like :func:`ordered_kernel`, but immediately, for a single signature, and with the GIL.

    This minimises the time of a call.

    Parameters
    ----------
    function : callable
        The function.
    signature : object
        Numba's signature. Calls with other types of arguments raise a TypeError.

    Returns
    -------
    dispatcher : callable
        The compiled function.
    """
    return _compiled(function, ORDERED, signature, nogil=False)


def device_function(function: Callable[P, R]) -> Callable[P, R]:
    """Declare a function that kernels can call. It is compiled with the options of the calling kernel.

    Parameters
    ----------
    function : callable
        The function. Python can call it too, uncompiled.

    Returns
    -------
    function : callable
        The function itself.
    """
    callable_in_kernels: Callable[P, R] = extending.register_jitable(**NO_C_WRAPPER)(function)
    return callable_in_kernels


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Declare a function like :func:`device_function` that LLVM always inlines into the calling kernel.

    LLVM decides for other functions. It does not inline large ones, and passes their array arguments on the stack.

    Parameters
    ----------
    function : callable
        The function.

    Returns
    -------
    function : callable
        The function itself.
    """
    callable_in_kernels: Callable[P, R] = extending.register_jitable(forceinline=True, **NO_C_WRAPPER)(function)
    return callable_in_kernels


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare an operation that kernels can call, and that is generated as LLVM code.

    Parameters
    ----------
    function : callable
        Called with a typing context and the Numba types of the arguments of a call. It returns a signature and a
        generator of LLVM code.

    Returns
    -------
    operation : callable
        The operation. Kernels call it without the typing context.

    References
    ----------
    Numba documentation, "Low-level extension API", ``numba.extending.intrinsic``.
    """
    return cast("Callable[..., Any]", extending.intrinsic(function))


def literal_intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare an operation like :func:`intrinsic` that receives constants in a call as literal types with their values.

    Parameters
    ----------
    function : callable
        As for :func:`intrinsic`.

    Returns
    -------
    operation : callable
        The operation.
    """
    return cast("Callable[..., Any]", extending.intrinsic(prefer_literal=True)(function))


def _compiled(
    function: Callable[P, R], fastmath: set[str], signature: object | None = None, nogil: bool = True
) -> Callable[P, R]:
    options = {"nogil": nogil, "error_model": "numpy", "fastmath": fastmath, **NO_C_WRAPPER}
    compiled = numba.njit(**options)(function)
    if compiled is not function:  # they are the same if NUMBA_DISABLE_JIT is set
        compile_cache.attach(compiled, options)
        if signature is not None:  # the decorator would compile before the cache is attached
            compiled.compile(signature)
            compiled.disable_compile()
    return cast("Callable[P, R]", compiled)
