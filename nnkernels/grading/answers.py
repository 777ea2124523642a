"""What a learner's backward pass returns, read into four float64 arrays, with everything that is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnkernels.grading.calls import Function, as_floats, call, changes_its_arguments, not_finite, raised
from nnkernels.grading.networks import Problem
from nnkernels.grading.report import Finding
from nnkernels.parameters import FloatArray, Parameters

NAMES = ("dW1", "db1", "dW2", "db2")
RIGHT_RETURN = "return Parameters(dW1, db1, dW2, db2)"


@dataclass(frozen=True)
class Answer:
    """The answer to one problem.

    Attributes
    ----------
    arrays : tuple of (ndarray of float64 or None)
        dW1, db1, dW2, db2; None where there is nothing to compare.
    findings : tuple of Finding
        What is wrong with the form of the answer; its values are judged elsewhere.
    notes : tuple of str
    error : Exception or None
        What backward raised, if it did.
    """

    arrays: tuple[FloatArray | None, ...] = (None, None, None, None)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    error: Exception | None = None


def ask(backward: Function, problem: Problem, activations: Any) -> Answer:
    """Call a backward pass on copies of everything, and read what it returns."""
    called = call(backward, ("params", "X", "y", "activations"), *problem, activations)
    if called.error is not None:
        text = f"backward(params, X, y, activations) with {problem.sizes} {raised(called.error)}."
        return Answer(findings=(Finding("raises an error", (), text),), error=called.error)
    findings = [changes_its_arguments("backward", called.changed)] if called.changed else []
    values, notes = _four_values(called.result)
    if values is None:
        return Answer(findings=(_wrong_type(called.result), *findings))
    arrays: list[FloatArray | None] = []
    for name, value in zip(NAMES, values, strict=True):
        array, finding = as_floats(name, value)
        arrays.append(array)
        findings += [found for found in (finding, array is not None and not_finite(name, array)) if found]
    reordered, order = _in_order(arrays, problem.params)
    return Answer(reordered, (*findings, *order), notes)


def _four_values(result: Any) -> tuple[tuple[Any, ...] | None, tuple[str, ...]]:
    if all(hasattr(result, field) for field in Parameters._fields):
        return tuple(getattr(result, field) for field in Parameters._fields), ()
    if isinstance(result, tuple | list) and len(result) == 4:
        read = f"backward returned a {type(result).__name__}; it was read as (dW1, db1, dW2, db2)."
        return tuple(result), (f"{read} The contract's form is Parameters(...).",)
    return None, ()


def _wrong_type(result: Any) -> Finding:
    if result is None:
        text = "backward returned None. Does it end without a return?"
    else:
        size = f" of {len(result)}" if isinstance(result, tuple | list | Mapping) else ""
        kind = f"{type(result).__name__}{size}"
        text = f"backward returned a {kind}; expected four arrays, in the order of the parameters."
    return Finding("wrong type", (), text, RIGHT_RETURN)


def _in_order(
    arrays: list[FloatArray | None], params: Parameters
) -> tuple[tuple[FloatArray | None, ...], tuple[Finding, ...]]:
    # By their shapes: the same four, in another order.
    wanted = [array.shape for array in params]
    found = [None if array is None else array.shape for array in arrays]
    if found == wanted or None in found or len(set(wanted)) < 4 or set(found) != set(wanted):
        return tuple(arrays), ()
    seen = ", ".join(NAMES[wanted.index(shape)] for shape in found if shape is not None)
    text = (
        f"Judging by their shapes, the four arrays were returned in the order ({seen}). They are judged below in the "
        "right order."
    )
    return tuple(arrays[found.index(shape)] for shape in wanted), (Finding("wrong order", NAMES, text, RIGHT_RETURN),)
