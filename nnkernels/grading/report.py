"""What a check found: arrays compared entry by entry, findings in words, and the report that holds both."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np

from nnkernels.errors import GradcheckError
from nnkernels.parameters import FloatArray

WIDTH = 96
# Below this, an array counts as zero: errors are then judged against it instead of against nothing.
SMALLEST_SCALE = 1e-4


@dataclass(frozen=True)
class ArrayCheck:
    """One of the learner's arrays beside the expected one.

    Attributes
    ----------
    name : str
        ``dW1``, ``db1``, ``dW2`` or ``db2``; in the exercises the case or the parameter.
    shape, expected_shape : tuple of int
        Where they differ, the values are not compared: the errors are infinite, ``worst_entry`` is None.
    max_absolute_error, max_relative_error : float
        Largest ``|yours - expected|``, infinite where yours is NaN or infinite, and the same divided by the largest
        ``|expected|`` of the array, so that an entry near zero asks for no impossible precision.
    worst_entry : tuple of int, or None
        Index of the largest error; ``yours`` and ``expected`` are the values there.
    wrong_entries : int
        Entries whose relative error is above the tolerance.
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
        """Whether every entry is right."""
        return self.wrong_entries == 0

    @property
    def entries(self) -> int:
        """Number of entries that the array ought to have."""
        return int(np.prod(self.expected_shape))


def compare(name: str, yours: FloatArray, expected: FloatArray, tolerance: float) -> ArrayCheck:
    """Compare an array with the expected one, relative to the latter's largest entry."""
    shapes = (yours.shape, expected.shape)
    if yours.shape != expected.shape:
        return ArrayCheck(name, *shapes, np.inf, np.inf, wrong_entries=max(1, expected.size))
    if expected.size == 0:
        return ArrayCheck(name, *shapes)
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.nan_to_num(np.abs(yours - expected), nan=np.inf, posinf=np.inf)
    scale = max(float(np.max(np.abs(expected))), SMALLEST_SCALE)
    worst = tuple(int(i) for i in np.unravel_index(np.argmax(errors), errors.shape))
    error, wrong = float(errors[worst]), int(np.sum(errors > tolerance * scale))
    return ArrayCheck(name, *shapes, error, error / scale, worst, float(yours[worst]), float(expected[worst]), wrong)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes
    ----------
    mistake : str
        A short name, such as ``missing 1/N``; ``not recognised`` where the cause is not known.
    arrays : tuple of str
        Where it shows.
    explanation, right : str
        What was seen and why it is wrong, and the code that is right, or what to do; ``right`` may be empty.
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
    """The result of a check; print it.

    Attributes
    ----------
    subject, setting, oracle : str
        What was checked: ``backward``, ``softmax`` or ``update``; how, in a sentence; and against what, in a word.
    arrays : tuple of ArrayCheck
        One an array, the worst batch of each; empty where the function gave nothing to compare.
    findings : tuple of Finding
        What is wrong; empty if the check passed. ``notes`` are worth knowing, but not wrong.
    error : Exception or None
        What the checked function raised, if it did.
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
        """Whether nothing was found."""
        return not self.findings and all(array.passed for array in self.arrays)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The short names of all findings."""
        return tuple(finding.mistake for finding in self.findings)

    @property
    def diagnosis(self) -> str:
        """All findings in words; empty if the check passed."""
        return "\n".join(str(finding) for finding in self.findings)

    def raise_if_failed(self) -> None:
        """Do nothing if the check passed.

        Raises
        ------
        GradcheckError
            With the report as its message, from the checked function's own error if it raised one.
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
    # A wrong shape takes the place of the values beside it, and so does not widen its column.
    widths = [max(len(row[i]) for row in rows if i < 2 or row[3]) for i in range(6)]
    return ["  " + "  ".join(cell.ljust(widths[i]) for i, cell in enumerate(row)).rstrip() for row in rows]


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
