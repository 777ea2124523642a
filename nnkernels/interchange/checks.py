"""What every set of parameters must be that comes from a file or from another system's model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from nnkernels.errors import DataError, NNKernelsError, one_line
from nnkernels.parameters import FloatArray, Parameters, copy, native

MAX_BYTES = 2**30  # far above the 64 kB of 784-20-10; a file of more is no file of parameters, or a trap

_EXPECTED = "W1 (D, H), b1 (H,), W2 (H, C) and b2 (C,)"


def checked_parameters(arrays: Mapping[str, Any], where: str, *, finite: bool = True) -> Parameters:
    """Return four named arrays as parameters that every backend accepts.

    Parameters
    ----------
    arrays : mapping of str to array_like
        Exactly ``W1`` (D, H), ``b1`` (H,), ``W2`` (H, C) and ``b2`` (C,), all float32 or all float64, in any memory
        order and byte order.
    where : str
        What holds the arrays, such as the file's name: the beginning of each error message.
    finite : bool
        Whether NaN and infinities are refused.

    Returns
    -------
    params : Parameters
        Writable, C-contiguous copies in the machine's byte order; the dtype is kept.

    Raises
    ------
    DataError
        If an array is missing or unknown, has another dtype or shape, does not fit the others, or is not finite.
    """
    _check_names(arrays, where)
    found = native(Parameters(*(np.asarray(arrays[name]) for name in Parameters._fields)), where)
    _check_shapes(found._asdict(), where)
    params = copy(found)
    if finite:
        _check_finite(params, where)
    return params


@contextmanager
def damage_as_data_error(where: str, form: str) -> Iterator[None]:
    """Turn whatever a foreign reader raises on a damaged or foreign file into a DataError that names the file."""
    try:
        yield
    except NNKernelsError:
        raise
    except Exception as error:  # the readers of other packages can raise nearly anything
        # Keras explains itself over a page.
        reason = one_line(error)[:300]
        raise DataError(
            f"{where}: not a readable {form} ({reason}); it is damaged or of another kind, so write it again"
        ) from error


def _check_names(arrays: Mapping[str, Any], where: str) -> None:
    missing = [name for name in Parameters._fields if name not in arrays]
    unknown = [name for name in arrays if name not in Parameters._fields]
    if missing:
        held = _listed(sorted(arrays)) or "nothing"
        raise DataError(f"{where}: lacks {_listed(missing)}; it holds {held}; expected {_EXPECTED}")
    if unknown:
        raise DataError(f"{where}: holds {_listed(sorted(unknown))} too; expected only {_EXPECTED}")


def _listed(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _check_shapes(arrays: Mapping[str, FloatArray], where: str) -> None:
    W1, b1, W2, b2 = (arrays[name].shape for name in Parameters._fields)
    fits = len(W1) == len(W2) == 2 and b1 == (W1[1],) == (W2[0],) and b2 == (W2[1],)
    if not fits or 0 in W1 + W2:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(f"{where}: the shapes do not make a network ({shapes}); expected {_EXPECTED}, none empty")


def _check_finite(params: Parameters, where: str) -> None:
    for name, array in params._asdict().items():
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            entry = ", ".join(str(index) for index in wrong[0])
            raise DataError(
                f"{where}: {name}[{entry}] is {array[tuple(wrong[0])]}, and {len(wrong)} of its {array.size} entries "
                "are not finite; the training diverged, so train again with a smaller learning rate"
            )
