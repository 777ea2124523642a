"""Calling a learner's backward pass, and checking the form of the four arrays that it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from nnkernels.grading.calls import (
    FORM,
    Function,
    as_floats,
    call,
    changed_arguments_finding,
    not_finite_finding,
    raised_finding,
)
from nnkernels.grading.mistakes import load_exercise
from nnkernels.grading.networks import Problem
from nnkernels.grading.report import Finding
from nnkernels.parameters import FloatArray, Parameters

Arrays = tuple[FloatArray | None, ...]
BACKWARD = load_exercise("backward")
NAMES = ("dW1", "db1", "dW2", "db2")


class BackwardResult(NamedTuple):
    """What a backward pass returned.

    Attributes
    ----------
    arrays : tuple of ndarray or None
        dW1, db1, dW2 and db2, float64; None for each value that is not an array.
    findings : tuple of Finding
        What is wrong with their form.
    notes : tuple of str
        Remarks about what is unusual, but not wrong.
    error : Exception or None
        What the backward pass raised.
    """

    arrays: Arrays = (None, None, None, None)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    error: Exception | None = None


def call_backward(backward: Function, problem: Problem, activations: Any) -> BackwardResult:
    """Call a backward pass on copies of its arguments, and check the form of its result.

    Parameters
    ----------
    backward : callable
        ``backward(params, X, y, activations) -> Parameters``.
    problem : Problem
        Parameters and batch.
    activations : object
        What forward returned for the problem.

    Returns
    -------
    result : BackwardResult
        The four arrays and the findings.
    """
    called = call(backward, ("params", "X", "y", "activations"), *problem, activations)
    if called.error is not None:
        what = f"backward(params, X, y, activations) with {problem.sizes}"
        return BackwardResult(findings=(raised_finding(what, called.error),), error=called.error)
    findings = [changed_arguments_finding("backward", called.changed)] if called.changed else []
    values, notes = _four_values(called.result)
    if values is None:
        size = f" of {len(called.result)}" if isinstance(called.result, tuple | list | Mapping) else ""
        seen = BACKWARD.hints["returned"].format(kind=type(called.result).__name__, size=size)
        return BackwardResult(findings=(FORM.finding("wrong type", (), BACKWARD.hints["return"], seen=seen), *findings))
    arrays: list[FloatArray | None] = []
    for name, value in zip(NAMES, values, strict=True):
        array, finding = as_floats(name, value)
        arrays.append(array)
        findings += [found for found in (finding, array is not None and not_finite_finding(name, array)) if found]
    reordered, order = _reordered(tuple(arrays), problem.params)
    return BackwardResult(reordered, (*findings, *order), notes)


def _four_values(result: Any) -> tuple[tuple[Any, ...] | None, tuple[str, ...]]:
    if all(hasattr(result, field) for field in Parameters._fields):
        return tuple(getattr(result, field) for field in Parameters._fields), ()
    if isinstance(result, tuple | list) and len(result) == 4:
        return tuple(result), (BACKWARD.hints["read"].format(kind=type(result).__name__),)
    return None, ()


def _reordered(arrays: Arrays, params: Parameters) -> tuple[Arrays, tuple[Finding, ...]]:
    # If the shapes are the expected ones in another order, sort the arrays by shape.
    expected_shapes = [array.shape for array in params]
    found = [None if array is None else array.shape for array in arrays]
    if found == expected_shapes or None in found or len(set(expected_shapes)) < 4 or set(found) != set(expected_shapes):
        return arrays, ()
    seen = ", ".join(NAMES[expected_shapes.index(shape)] for shape in found if shape is not None)
    return tuple(arrays[found.index(shape)] for shape in expected_shapes), (
        BACKWARD.finding("wrong order", NAMES, seen=seen),
    )
