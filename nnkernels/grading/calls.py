"""Calling a learner's functions on copies, and checking the form of what they return."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import one_line
from nnkernels.grading.mistakes import load_exercise
from nnkernels.grading.report import Finding
from nnkernels.parameters import FloatArray

Function = Callable[..., Any]
FORM = load_exercise("form")


class Call(NamedTuple):
    """A call of a learner's function.

    Attributes
    ----------
    result : object
        What the function returned.
    error : Exception or None
        What it raised.
    changed : tuple of str
        The names of the arrays that it modified.
    arguments : tuple
        The copies that it was called with.
    """

    result: Any
    error: Exception | None
    changed: tuple[str, ...]
    arguments: tuple[Any, ...]


def call(function: Function, names: tuple[str, ...], *arguments: Any) -> Call:
    """Call a function on copies of its arguments.

    Parameters
    ----------
    function : callable
        The learner's function.
    names : tuple of str
        The names of the arguments.
    *arguments : object
        Arrays, or tuples of arrays.

    Returns
    -------
    call : Call
        Result or exception, and the names of modified arrays.
    """
    given = tuple(copy.deepcopy(argument) for argument in arguments)
    result, error = None, None
    try:
        # Overflows and divisions by zero show in the values, so NumPy's warnings would be redundant.
        with np.errstate(all="ignore"):
            result = function(*given)
    except Exception as exception:
        error = exception
    changed = tuple(
        name
        for (name, before), (_name, after) in zip(_arrays(names, arguments), _arrays(names, given), strict=True)
        if before.shape != after.shape or not np.array_equal(before, after, equal_nan=True)
    )
    return Call(result, error, changed, given)


def describe_error(error: Exception) -> str:
    """Describe an exception in one line, with the line of code that raised it if it is known.

    Parameters
    ----------
    error : Exception
        The exception.

    Returns
    -------
    text : str
        Begins with ``raised``.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    # The last line outside installed packages is the learner's.
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    where = f" (in {own[-1].name}, line {own[-1].lineno}: {own[-1].line})" if own and own[-1].line else ""
    return f"raised {one_line(error)}{where}"


def raised_finding(what: str, error: Exception, arrays: tuple[str, ...] = ()) -> Finding:
    """Return the finding that a call raised an exception.

    Parameters
    ----------
    what : str
        The call.
    error : Exception
        The exception.
    arrays : tuple of str, optional
        The names of the affected arrays.

    Returns
    -------
    finding : Finding
        The finding.
    """
    return FORM.finding("raises an error", arrays, call=what, raised=describe_error(error))


def changed_arguments_finding(function: str, changed: tuple[str, ...]) -> Finding:
    """Return the finding that a function modified its arguments.

    Parameters
    ----------
    function : str
        The name of the function.
    changed : tuple of str
        The names of the modified arrays, at least one.

    Returns
    -------
    finding : Finding
        The finding.
    """
    return FORM.finding("changes its arguments", changed, first=changed[0], function=function)


def as_floats(name: str, value: Any, dtype: npt.DTypeLike = np.float64) -> tuple[FloatArray | None, Finding | None]:
    """Convert a value to a float64 array.

    Parameters
    ----------
    name : str
        The name of the value in the report.
    value : object
        What the learner's function returned.
    dtype : dtype, default: float64
        The expected dtype.

    Returns
    -------
    array : ndarray of float64, or None
        None if the value does not consist of real numbers.
    finding : Finding or None
        The finding that the type or dtype is wrong.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"numbers of dtype {array.dtype}")
    except (TypeError, ValueError) as error:
        seen = f"{name} is a {type(value).__name__}, not an array of floats: {one_line(error)}"
        if value is None:
            seen = f"{name} is None; expected an array. Check that it is computed and returned."
        return None, FORM.finding("wrong type", (name,), seen=seen)
    finding = None
    if array.dtype != dtype:
        finding = FORM.finding("wrong dtype", (name,), name=name, dtype=array.dtype, expected=np.dtype(dtype))
    return array.astype(np.float64), finding


def not_finite_finding(name: str, array: FloatArray) -> Finding | None:
    """Return the finding that an array has NaN or infinite entries.

    Parameters
    ----------
    name : str
        The name of the array.
    array : ndarray of float64
        The array.

    Returns
    -------
    finding : Finding or None
        None if all entries are finite.
    """
    bad = np.argwhere(~np.isfinite(array)).tolist()
    if not bad:
        return None
    entry = {"name": name, "index": bad[0], "value": array[tuple(bad[0])]}
    return FORM.finding("not finite", (name,), **entry, count=len(bad), size=array.size)


def _arrays(names: tuple[str, ...], values: tuple[Any, ...]) -> Iterator[tuple[str, FloatArray]]:
    for name, value in zip(names, values, strict=True):
        if isinstance(value, np.ndarray):
            yield name, value
        elif isinstance(value, tuple | list):
            fields = getattr(value, "_fields", None)
            inner = [f"{name}.{field}" for field in fields] if fields else [f"{name}[{i}]" for i in range(len(value))]
            yield from _arrays(tuple(inner), tuple(value))
