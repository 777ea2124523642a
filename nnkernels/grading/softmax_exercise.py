"""The check of somebody's softmax, against scalar loops, on ordinary logits and on those that overflow."""

from __future__ import annotations

import math

import numpy as np

from nnkernels.grading.calls import Function, as_floats, call, changes_its_arguments, raised
from nnkernels.grading.report import Comparison, Finding, GradcheckReport, compare
from nnkernels.grading.softmax_mistakes import CUT_OFF, OVERFLOW, Mistake, Softmax, candidates
from nnkernels.parameters import FloatArray

RIGHT = "e = np.exp(logits - logits.max(axis=1, keepdims=True))\nprobs = e / e.sum(axis=1, keepdims=True)"
TOLERANCES = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-5}
Outcomes = dict[str, FloatArray | None]
LARGE = ("logits of ±1e4", "rows far apart")


def check_softmax(softmax: Function) -> GradcheckReport:
    """Compare a softmax with scalar float64 loops, and name the mistake if it has a classic one.

    Parameters
    ----------
    softmax : callable
        ``softmax(logits) -> probs``, both (N, C): each row is turned into probabilities. A module's
        ``forward(...).probs`` can be checked through a function that returns it.

    Returns
    -------
    GradcheckReport
        ``arrays`` has a record for each case: ordinary logits, as many images as classes, one image, all logits
        equal, logits of ±1e4, rows far apart, float32.

    Examples
    --------
    >>> import numpy as np
    >>> from nnkernels.grading import check_softmax
    >>> check_softmax(lambda logits: np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).mistakes
    ('overflow',)
    """
    cases = _cases()
    calls = {name: call(softmax, ("logits",), logits) for name, logits in cases.items()}
    error = next((called.error for called in calls.values() if called.error), None)
    outcomes: Outcomes = {}
    odd: dict[str, Finding] = {}
    for name, called in calls.items():
        if called.changed:
            odd["changed"] = changes_its_arguments("softmax", called.changed)
        outcomes[name] = None
        if called.error is None:
            outcomes[name], finding = as_floats("probs", called.result, cases[name].dtype)
            if finding is not None:
                odd.setdefault(finding.mistake, finding)
    arrays = tuple(
        compare(name, outcome, _oracle(cases[name]), TOLERANCES[cases[name].dtype])
        for name, outcome in outcomes.items()
        if outcome is not None
    )
    findings = tuple(odd.values())
    if "wrong type" not in odd and not (len(arrays) == len(cases) and all(array.passed for array in arrays)):
        findings += _diagnose(cases, outcomes, arrays, error)
    setting = "Held against scalar float64 loops, in each case with N images (rows) and C classes (columns)."
    return GradcheckReport("softmax", setting, "expected", arrays, findings, (), error)


def _cases() -> dict[str, FloatArray]:
    rng = np.random.default_rng(0)
    ordinary = rng.normal(scale=2, size=(5, 4))
    large = np.array([[1e4, 9999, -1e4, 0], [-9999, -1e4, -1e4, -9998], [1e4, 1e4, 1e4, 9997]])
    return {
        "ordinary logits": ordinary,
        "N = C = 4": rng.normal(scale=2, size=(4, 4)),
        "one image": rng.normal(scale=2, size=(1, 4)),
        "all equal": np.full((3, 4), 2.5),
        LARGE[0]: large,
        LARGE[1]: rng.normal(size=(3, 4)) + np.array([[2000], [-2000], [0]]),
        "float32": ordinary.astype(np.float32),
    }


def _oracle(logits: FloatArray) -> FloatArray:
    return np.array([_row(row) for row in logits.tolist()])


def _row(row: list[float]) -> list[float]:
    top = max(row)
    exponentials = [math.exp(logit - top) for logit in row]
    total = math.fsum(exponentials)
    return [value / total for value in exponentials]


def _diagnose(
    cases: dict[str, FloatArray], outcomes: Outcomes, arrays: tuple[Comparison, ...], error: Exception | None
) -> tuple[Finding, ...]:
    wrong = tuple(array.name for array in arrays if not array.passed)
    seen: tuple[Finding, ...] = ()
    if error is not None:
        failed = tuple(name for name in cases if outcomes[name] is None)
        seen = (Finding("raises an error", failed, f"softmax(logits) {raised(error)}."),)
    for mistakes, softmax in candidates():
        if _is_same(softmax, cases, outcomes):
            return seen + _findings(mistakes, wrong)
    if seen:
        return seen
    for array in arrays:
        if array.shape != array.expected_shape:
            text = f"For logits of shape {array.expected_shape}, probs have shape {array.shape}; it should be the same."
            return (Finding("wrong shape", (array.name,), text, RIGHT),)
    if set(wrong) <= set(LARGE):
        finite = all(np.all(np.isfinite(np.asarray(outcomes[name]))) for name in LARGE)
        return _findings((CUT_OFF if finite else OVERFLOW,), wrong)
    for name in (name for name in wrong if name not in LARGE):
        sums = np.asarray(outcomes[name]).sum(axis=1)
        off = np.flatnonzero(~(np.abs(sums - 1) <= 1e-5))
        if len(off):
            text = f"Row {off[0]} of {name} sums to {sums[off[0]]:.6g}; the probabilities of one image sum to 1."
            return (Finding("rows do not sum to 1", wrong, text, RIGHT),)
    text = "The rows sum to 1, but the probabilities are not exp(logit) / sum(exp(logits)) of their row."
    return (Finding("not recognised", wrong, text, RIGHT),)


def _is_same(softmax: Softmax, cases: dict[str, FloatArray], outcomes: Outcomes) -> bool:
    # Also in where it overflows to NaN, and in where the shapes do not fit.
    for name, logits in cases.items():
        outcome = outcomes[name]
        try:
            with np.errstate(all="ignore"):
                expected = softmax(logits)
        except ValueError:
            if outcome is not None:
                return False
            continue
        if outcome is None or expected.shape != outcome.shape:
            return False
        if not np.allclose(outcome, expected, rtol=1e-5, atol=TOLERANCES[logits.dtype], equal_nan=True):
            return False
    return True


def _findings(mistakes: tuple[Mistake, ...], wrong: tuple[str, ...]) -> tuple[Finding, ...]:
    # The line that is right, once, below the last.
    return tuple(
        Finding(mistake.name, wrong, mistake.explanation, RIGHT if mistake is mistakes[-1] else "")
        for mistake in mistakes
    )
