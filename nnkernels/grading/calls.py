"""Calling other people's functions: on copies, watched for changed arguments, with errors that say which call."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import one_line
from nnkernels.grading.report import Finding
from nnkernels.parameters import FloatArray

Function = Callable[..., Any]


class Call(NamedTuple):
    """The outcome of a call.

    Attributes
    ----------
    result : object
        What the function returned; None if it raised.
    error : Exception or None
        What it raised.
    changed : tuple of str
        Names of the argument arrays that are no longer what they were.
    arguments : tuple
        The copies that it was called with.
    """

    result: Any
    error: Exception | None
    changed: tuple[str, ...]
    arguments: tuple[Any, ...]


def call(function: Function, names: tuple[str, ...], *arguments: Any) -> Call:
    """Call a function on copies of the arguments; ``names`` are theirs, for ``changed``."""
    given = tuple(copy.deepcopy(argument) for argument in arguments)
    result, error = None, None
    try:
        # What overflows or divides by zero shows in the values; NumPy's warnings would only say it twice.
        with np.errstate(all="ignore"):
            result = function(*given)
    except Exception as raised:
        error = raised
    changed = tuple(
        name
        for (name, before), (_name, after) in zip(_arrays(names, arguments), _arrays(names, given), strict=True)
        if before.shape != after.shape or not np.array_equal(before, after, equal_nan=True)
    )
    return Call(result, error, changed, given)


def raised(error: Exception) -> str:
    """Return an error in one line, with the line of code that raised it where that is known."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    # The last line that the reader may have written: not one inside an installed package.
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    if not own or not own[-1].line:
        return f"raised {one_line(error)}"
    frame = own[-1]
    return f"raised {one_line(error)} (in {frame.name}, line {frame.lineno}: {frame.line})"


def changes_its_arguments(what: str, changed: tuple[str, ...]) -> Finding:
    """Return the finding that a function has written into its arguments."""
    first = changed[0]
    return Finding(
        "changes its arguments",
        changed,
        f"After the call {first} held other values than before. A caller may need it again: {what} has to leave what "
        "it is given as it is. An array that is only given another name is still the same array; -=, *= and [...] = "
        "write into it.",
        f"work on a copy, as in  new = {first}.copy()",
    )


def as_floats(name: str, value: Any, dtype: npt.DTypeLike = np.float64) -> tuple[FloatArray | None, Finding | None]:
    """Return a value as a float64 array, and what is wrong with its type, which ought to be ``dtype``.

    The array is None where there are no real numbers in it.
    """
    if value is None:
        return None, Finding("wrong type", (name,), f"{name} is None; expected an array. Is it computed and returned?")
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"numbers of dtype {array.dtype}")
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        return None, Finding("wrong type", (name,), f"{name} is a {kind} and no array of floats: {one_line(error)}")
    finding = None
    if array.dtype != dtype:
        finding = Finding(
            "wrong dtype",
            (name,),
            f"{name} is {array.dtype}, but what came in is {np.dtype(dtype)}, and a result keeps the dtype. Look for a "
            "cast, or for an array that is made with another dtype.",
            "make new arrays with np.empty_like or np.zeros_like",
        )
    return array.astype(np.float64), finding


def not_finite(name: str, array: FloatArray) -> Finding | None:
    """Return the finding that an array has NaN or infinite entries, or None."""
    bad = ~np.isfinite(array)
    if not bad.any():
        return None
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    return Finding(
        "not finite",
        (name,),
        f"{name}{list(index)} is {array[index]} ({int(bad.sum())} of {array.size} entries are NaN or infinite). Look "
        "for a division by zero, a logarithm of zero, an overflow of exp, or an array of np.empty that is not filled.",
    )


def _arrays(names: tuple[str, ...], values: tuple[Any, ...]) -> Iterator[tuple[str, FloatArray]]:
    for name, value in zip(names, values, strict=True):
        if isinstance(value, np.ndarray):
            yield name, value
        elif isinstance(value, tuple | list):
            fields = getattr(value, "_fields", None)
            inner = [f"{name}.{field}" for field in fields] if fields else [f"{name}[{i}]" for i in range(len(value))]
            yield from _arrays(tuple(inner), tuple(value))
