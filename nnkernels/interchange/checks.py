"""Checks of parameters that come from a file or from another library's model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from nnkernels.errors import DataError, NNKernelsError, one_line
from nnkernels.parameters import FloatArray, Parameters, copy, native

MAX_BYTES = 2**30  # far above the 64 kB of 784-20-10: a larger file is not a parameter file, or is malicious

_EXPECTED = "W1 (D, H), b1 (H,), W2 (H, C) and b2 (C,)"


def checked_parameters(arrays: Mapping[str, Any], where: str, *, finite: bool = True) -> Parameters:
    """Convert four named arrays to parameters that every backend accepts.

    Parameters
    ----------
    arrays : mapping of str to array-like
        Exactly ``W1`` (D, H), ``b1`` (H,), ``W2`` (H, C) and ``b2`` (C,), all float32 or all float64, in any memory
        order and byte order.
    where : str
        The source of the arrays, such as a file name, with which each error message begins.
    finite : bool, default: True
        Whether NaN and infinities are rejected.

    Returns
    -------
    params : Parameters
        Writable, C-contiguous copies in native byte order and the same dtype.

    Raises
    ------
    DataError
        If an array is missing or unknown, has another dtype, does not fit the shapes of the others, or is not finite.
    """
    check_names(arrays, where)
    found = native(Parameters(*(np.asarray(arrays[name]) for name in Parameters._fields)), where)
    _check_shapes(found._asdict(), where)
    params = copy(found)
    if finite:
        _check_finite(params, where)
    return params


@contextmanager
def reader_errors_as_data_errors(where: str, file_format: str) -> Iterator[None]:
    """Convert any exception of another library's reader to a DataError that names the file.

    Errors of nnkernels itself pass unchanged.

    Parameters
    ----------
    where : str
        The name of the file.
    file_format : str
        The expected format, for the message.

    Raises
    ------
    DataError
        If the block raises an exception that is not an error of nnkernels.
    """
    try:
        yield
    except NNKernelsError:
        raise
    except Exception as error:  # on a damaged file, the readers of other packages can raise nearly anything
        # Keras' messages can be a page long.
        reason = one_line(error)[:300]
        raise DataError(
            f"{where}: not a readable {file_format} ({reason}); it is damaged or of another format, so save it again"
        ) from error


def check_names(arrays: Mapping[str, Any], where: str) -> None:
    """Reject arrays of other names than those of :class:`~nnkernels.parameters.Parameters`.

    Parameters
    ----------
    arrays : mapping of str to array
        The named arrays.
    where : str
        The source of the arrays, with which the error message begins.

    Raises
    ------
    DataError
        If a name is missing or unknown.
    """
    missing = [name for name in Parameters._fields if name not in arrays]
    unknown = [name for name in arrays if name not in Parameters._fields]
    if missing:
        found = _join(sorted(arrays)) or "nothing"
        raise DataError(f"{where}: has no {_join(missing)}; it contains {found}; expected {_EXPECTED}")
    if unknown:
        raise DataError(f"{where}: also contains {_join(sorted(unknown))}; expected only {_EXPECTED}")


def _join(names: list[str], limit: int = 10) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")


def _check_shapes(arrays: Mapping[str, FloatArray], where: str) -> None:
    W1, b1, W2, b2 = (arrays[name].shape for name in Parameters._fields)
    fits = len(W1) == len(W2) == 2 and b1 == (W1[1],) == (W2[0],) and b2 == (W2[1],)
    if not fits or 0 in W1 + W2:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(
            f"{where}: the shapes do not form a network ({shapes}); expected {_EXPECTED}, all sizes at least 1"
        )


def _check_finite(params: Parameters, where: str) -> None:
    for name, array in params._asdict().items():
        invalid = np.argwhere(~np.isfinite(array))
        if len(invalid):
            entry = ", ".join(str(index) for index in invalid[0])
            raise DataError(
                f"{where}: {name}[{entry}] is {array[tuple(invalid[0])]}, and {len(invalid)} of its {array.size} "
                "entries are not finite; the training diverged, so train again at a lower learning rate"
            )
