"""Calling a learner's functions, on copies, and reading what they return, with everything that is odd about it."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels.errors import one_line
from nnkernels.grading.mistakes import exercise
from nnkernels.grading.networks import Problem
from nnkernels.grading.report import Finding
from nnkernels.parameters import FloatArray, Parameters

Function = Callable[..., Any]
Arrays = tuple[FloatArray | None, ...]
FORM, BACKWARD = exercise("form"), exercise("backward")
NAMES = ("dW1", "db1", "dW2", "db2")


class Call(NamedTuple):
    """What a call returned or raised, the names of the arrays that it changed, and the copies that it was given."""

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
    # The last line that the learner may have written: not one inside an installed package.
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    where = f" (in {own[-1].name}, line {own[-1].lineno}: {own[-1].line})" if own and own[-1].line else ""
    return f"raised {one_line(error)}{where}"


def no_answer(what: str, error: Exception, arrays: tuple[str, ...] = ()) -> Finding:
    """Return the finding that a call raised an error."""
    return FORM.finding("raises an error", arrays, call=what, raised=raised(error))


def changes_its_arguments(function: str, changed: tuple[str, ...]) -> Finding:
    """Return the finding that a function has written into its arguments."""
    return FORM.finding("changes its arguments", changed, first=changed[0], function=function)


def as_floats(name: str, value: Any, dtype: npt.DTypeLike = np.float64) -> tuple[FloatArray | None, Finding | None]:
    """Return a value as a float64 array, or None if it has no real numbers, and a finding if it is not of ``dtype``."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"numbers of dtype {array.dtype}")
    except (TypeError, ValueError) as error:
        seen = f"{name} is a {type(value).__name__} and no array of floats: {one_line(error)}"
        if value is None:
            seen = f"{name} is None; expected an array. Is it computed and returned?"
        return None, FORM.finding("wrong type", (name,), seen=seen)
    finding = None
    if array.dtype != dtype:
        finding = FORM.finding("wrong dtype", (name,), name=name, dtype=array.dtype, expected=np.dtype(dtype))
    return array.astype(np.float64), finding


def not_finite(name: str, array: FloatArray) -> Finding | None:
    """Return the finding that an array has NaN or infinite entries, or None."""
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


class Returned(NamedTuple):
    """What backward returned: dW1, db1, dW2, db2 (None where there is no array), and what is wrong with their form."""

    arrays: Arrays = (None, None, None, None)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    error: Exception | None = None


def ask(backward: Function, problem: Problem, activations: Any) -> Returned:
    """Call a backward pass on copies of everything, and read what it returns."""
    called = call(backward, ("params", "X", "y", "activations"), *problem, activations)
    if called.error is not None:
        what = f"backward(params, X, y, activations) with {problem.sizes}"
        return Returned(findings=(no_answer(what, called.error),), error=called.error)
    findings = [changes_its_arguments("backward", called.changed)] if called.changed else []
    values, notes = _four_values(called.result)
    if values is None:
        size = f" of {len(called.result)}" if isinstance(called.result, tuple | list | Mapping) else ""
        seen = BACKWARD.hints["returned"].format(kind=type(called.result).__name__, size=size)
        return Returned(findings=(FORM.finding("wrong type", (), BACKWARD.hints["return"], seen=seen), *findings))
    arrays: list[FloatArray | None] = []
    for name, value in zip(NAMES, values, strict=True):
        array, finding = as_floats(name, value)
        arrays.append(array)
        findings += [found for found in (finding, array is not None and not_finite(name, array)) if found]
    reordered, order = _in_order(tuple(arrays), problem.params)
    return Returned(reordered, (*findings, *order), notes)


def _four_values(result: Any) -> tuple[tuple[Any, ...] | None, tuple[str, ...]]:
    if all(hasattr(result, field) for field in Parameters._fields):
        return tuple(getattr(result, field) for field in Parameters._fields), ()
    if isinstance(result, tuple | list) and len(result) == 4:
        return tuple(result), (BACKWARD.hints["read"].format(kind=type(result).__name__),)
    return None, ()


def _in_order(arrays: Arrays, params: Parameters) -> tuple[Arrays, tuple[Finding, ...]]:
    # By their shapes: the same four, in another order.
    wanted = [array.shape for array in params]
    found = [None if array is None else array.shape for array in arrays]
    if found == wanted or None in found or len(set(wanted)) < 4 or set(found) != set(wanted):
        return arrays, ()
    seen = ", ".join(NAMES[wanted.index(shape)] for shape in found if shape is not None)
    return tuple(arrays[found.index(shape)] for shape in wanted), (BACKWARD.finding("wrong order", NAMES, seen=seen),)
