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


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` in nopython mode, cached on disk, without the GIL.

    ``error_model="numpy"``: a division by zero gives inf or NaN, as in NumPy, instead of an exception.
    """
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FASTMATH)(function)
    return cast("Callable[P, R]", compiled)
