"""Computations as lines of code that can be replaced one by one, and the comparison of their results."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np

from nnkernels.grading.report import MIN_SCALE
from nnkernels.parameters import FloatArray

# Lines of code ``name = expression``, by name. Each can use the given values and the previous lines; ``last`` is the
# value of the previous line.
Lines = Mapping[str, CodeType]
# The result of a computation; None if it raises an exception.
Answer = FloatArray | None


def compile_lines(code: str) -> Lines:
    """Compile lines of code.

    Parameters
    ----------
    code : str
        Lines ``name = expression``, separated by newlines or by ``; ``.

    Returns
    -------
    lines : Lines
        The compiled expressions by name, in order.
    """
    pairs = (line.split(" = ", 1) for line in code.replace("; ", "\n").splitlines())
    return {name: compile(expression, f"<{name}>", "eval") for name, expression in pairs}


def evaluate_lines(lines: Lines, given: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluate lines of code.

    Parameters
    ----------
    lines : Lines
        The lines, in order.
    given : mapping of str to object
        The values that the lines can use.

    Returns
    -------
    values : dict of str to object
        The given values and the value of each line; ``last`` is that of the last line.
    """
    values = dict(given)
    with np.errstate(all="ignore"):
        for name, code in lines.items():
            values[name] = values["last"] = eval(code, {"np": np}, values)
    return values


def final_value(lines: Lines, given: Mapping[str, Any]) -> Answer:
    """Return the value of the last line.

    Parameters
    ----------
    lines : Lines
        The lines, in order.
    given : mapping of str to object
        The values that the lines can use.

    Returns
    -------
    value : ndarray or None
        None if the shapes in a line are incompatible.
    """
    try:
        return np.asarray(evaluate_lines(lines, given)["last"])
    except ValueError:
        return None


def is_close(yours: Answer, theirs: Answer, tolerance: float) -> bool:
    """Return whether two results agree, relative to the largest entry of the second.

    NaN and infinity count as equal, because both come from the same overflow or division by zero.

    Parameters
    ----------
    yours, theirs : ndarray or None
        The results; None stands for an exception.
    tolerance : float
        The relative tolerance.

    Returns
    -------
    close : bool
        True if shapes, non-finite entries and values agree.
    """
    if yours is None or theirs is None:
        return yours is theirs
    finite = np.isfinite(theirs)
    if yours.shape != theirs.shape or not np.array_equal(finite, np.isfinite(yours)):
        return False
    scale = max(float(np.max(np.abs(theirs[finite]), initial=0)), MIN_SCALE)
    return bool(np.all(np.abs(yours[finite] - theirs[finite]) <= tolerance * scale))
