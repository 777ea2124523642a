"""The only place that names Numba's compile options."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")

# contract: a * b + c may become one fused multiply-add; reassoc and nsz: sums may be split into vector lanes.
# Not nnan, ninf or `fastmath=True`: a training that blows up has to be seen to blow up.
FASTMATH = {"contract", "reassoc", "nsz"}


# Where a cancellation is meant, as in log(sum) - (logit - maximum), operations keep their order.
ORDERED = {"contract", "nsz"}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` in nopython mode, cached on disk, without the GIL.

    ``error_model="numpy"``: a division by zero gives inf or NaN, as in NumPy, instead of an exception.
    """
    return _compiled(function, FASTMATH)


def ordered_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` as :func:`kernel` does, but leave the order of its sums and differences as written."""
    return _compiled(function, ORDERED)


def _compiled(function: Callable[P, R], fastmath: set[str]) -> Callable[P, R]:
    def compile_with(cache: bool) -> object:
        return numba.njit(cache=cache, nogil=True, error_model="numpy", fastmath=fastmath)(function)

    try:
        compiled = compile_with(cache=True)
    except RuntimeError:  # neither the package nor the home folder can be written: compile anew in each process
        compiled = compile_with(cache=False)
    return cast("Callable[P, R]", compiled)
