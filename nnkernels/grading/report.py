"""Results of a check: arrays compared entry by entry, findings as text, and the report that contains both."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np

from nnkernels.errors import GradcheckError
from nnkernels.parameters import FloatArray

WIDTH = 96
# Errors are divided by the largest entry of an array, or by this minimum, so that an array of zeros can be compared.
MIN_SCALE = 1e-4


@dataclass(frozen=True)
class ArrayCheck:
    """The comparison of one of the learner's arrays with the expected one.

    Attributes
    ----------
    name : str
        ``dW1``, ``db1``, ``dW2`` or ``db2``; in the exercises, the name of the case or parameter.
    shape, expected_shape : tuple of int
        If they differ, the values are not compared: the errors are infinite and ``worst_entry`` is None.
    max_absolute_error : float
        The largest ``|yours - expected|``; infinite if yours is NaN or infinite.
    max_relative_error : float
        ``max_absolute_error`` divided by the largest ``|expected|`` of the array, so that entries near zero do not
        need a smaller absolute error than others.
    worst_entry : tuple of int, or None
        The index of the largest error.
    yours, expected : float
        The values at that index.
    wrong_entries : int
        The number of entries whose relative error exceeds the tolerance.
    """

    name: str
    shape: tuple[int, ...]
    expected_shape: tuple[int, ...]
    max_absolute_error: float = 0.0
    max_relative_error: float = 0.0
    worst_entry: tuple[int, ...] | None = None
    yours: float = float("nan")
    expected: float = float("nan")
    wrong_entries: int = 0

    @property
    def passed(self) -> bool:
        """Whether all entries agree within the tolerance."""
        return self.wrong_entries == 0

    @property
    def entries(self) -> int:
        """The number of entries of the expected array."""
        return int(np.prod(self.expected_shape))


def compare(name: str, yours: FloatArray, expected: FloatArray, tolerance: float) -> ArrayCheck:
    """Compare an array with the expected one, relative to the largest expected entry.

    Parameters
    ----------
    name : str
        The name of the array in the report.
    yours, expected : ndarray of float64
        The arrays to compare.
    tolerance : float
        The largest relative error that passes.

    Returns
    -------
    check : ArrayCheck
        The comparison.
    """
    shapes = (yours.shape, expected.shape)
    if yours.shape != expected.shape:
        return ArrayCheck(name, *shapes, np.inf, np.inf, wrong_entries=max(1, expected.size))
    if expected.size == 0:
        return ArrayCheck(name, *shapes)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.nan_to_num(np.abs(yours - expected), nan=np.inf, posinf=np.inf)
    scale = max(float(np.max(np.abs(expected))), MIN_SCALE)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(errors), errors.shape))
    error, wrong = float(errors[worst]), int(np.sum(errors > tolerance * scale))
    return ArrayCheck(name, *shapes, error, error / scale, worst, float(yours[worst]), float(expected[worst]), wrong)


@dataclass(frozen=True)
class Finding:
    """A mistake that was found.

    Attributes
    ----------
    mistake : str
        A short name, such as ``missing 1/N``, or ``not recognised`` if the cause is unknown.
    arrays : tuple of str
        The names of the affected arrays.
    explanation : str
        What was observed, and why it is wrong.
    right : str
        The correct code, or how to fix the mistake; may be empty.
    """

    mistake: str
    arrays: tuple[str, ...]
    explanation: str
    right: str = ""

    def __str__(self) -> str:
        named = self.arrays if len(self.arrays) <= 4 else (*self.arrays[:3], f"{len(self.arrays) - 3} more")
        where = " in " + ", ".join(named[:-1]) + " and " * (len(named) > 1) + named[-1] if named else ""
        text = [f"{self.mistake}{where}", _wrapped(self.explanation, "    ")]
        if self.right:
            text.append("    right: " + self.right.replace("\n", "\n           "))
        return "\n".join(text)


@dataclass(frozen=True)
class GradcheckReport:
    """The result of a check. Printing it shows a readable report.

    Attributes
    ----------
    subject : str
        What was checked: ``backward``, ``softmax`` or ``update``.
    setting : str
        How it was checked, in one sentence.
    oracle : str
        The heading of the expected values, such as ``numerical``.
    arrays : tuple of ArrayCheck
        One comparison per array, for the batch with the largest error. Empty if the function returned nothing to
        compare.
    findings : tuple of Finding
        The mistakes; empty if the check passed.
    notes : tuple of str
        Remarks about unusual properties that are not mistakes.
    error : Exception or None
        The exception that the checked function raised, if any.
    """

    subject: str
    setting: str
    oracle: str
    arrays: tuple[ArrayCheck, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    error: Exception | None = None

    @property
    def passed(self) -> bool:
        """Whether the check found no mistake."""
        return not self.findings and all(array.passed for array in self.arrays)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The short names of all findings."""
        return tuple(finding.mistake for finding in self.findings)

    @property
    def diagnosis(self) -> str:
        """The text of all findings; empty if the check passed."""
        return "\n".join(str(finding) for finding in self.findings)

    def raise_if_failed(self) -> None:
        """Raise an exception if the check failed.

        Raises
        ------
        GradcheckError
            With the report as its message, chained to the exception that the checked function raised, if any.
        """
        if not self.passed:
            raise GradcheckError(str(self)) from self.error

    def __str__(self) -> str:
        parts = [f"{self.subject}: {'passed' if self.passed else 'FAILED'}", _wrapped(self.setting, "  ")]
        if self.arrays:
            parts += ["", *_table(self.arrays, self.oracle)]
        for finding in self.findings:
            parts += ["", textwrap.indent(str(finding), "  ")]
        for note in self.notes:
            parts += ["", _wrapped(f"note: {note}", "  ")]
        return "\n".join(parts)


def _table(arrays: tuple[ArrayCheck, ...], oracle: str) -> list[str]:
    rows = [("", "wrong", "worst entry", "yours", oracle, "relative error")]
    for array in arrays:
        wrong = f"{array.wrong_entries} of {array.entries}"
        if array.worst_entry is None and not array.passed:
            rows.append((array.name, wrong, f"shape {array.shape}, expected {array.expected_shape}", "", "", ""))
        else:
            values = (f"{array.yours:.8g}", f"{array.expected:.8g}", f"{array.max_relative_error:.1e}")
            rows.append((array.name, wrong, f"{list(array.worst_entry or ())}", *values))
    # The message about a wrong shape may overlap the empty cells to its right, so it does not widen its own column.
    widths = [max(len(row[i]) for row in rows if i < 2 or row[3]) for i in range(6)]
    return ["  " + "  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in rows]


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
