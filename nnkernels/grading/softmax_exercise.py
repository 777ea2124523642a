"""The check of a learner's softmax, against scalar loops, on ordinary logits and on those that overflow."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nnkernels.grading.calls import Function, as_floats, call, changes_its_arguments, raised
from nnkernels.grading.mistakes import Answer, Mistake, answer, exercise, explain, recognised
from nnkernels.grading.report import Comparison, Finding, GradcheckReport, compare
from nnkernels.parameters import FloatArray

SOFTMAX = exercise("softmax")
RIGHT = SOFTMAX.shown["softmax"]
TOLERANCES = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-5}
LARGE = ("logits of ±1e4", "rows far apart")


def check_softmax(softmax: Function) -> GradcheckReport:
    """Compare a softmax with scalar float64 loops, and name the mistake if it is a classic one.

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
    error: Exception | None = None
    outcomes: dict[str, Answer] = {}
    odd: dict[str, Finding] = {}
    for name, logits in cases.items():
        called = call(softmax, ("logits",), logits)
        error = error or called.error
        outcomes[name] = None
        if called.changed:
            odd["changed"] = changes_its_arguments("softmax", called.changed)
        if called.error is None:
            outcomes[name], finding = as_floats("probs", called.result, logits.dtype)
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
    rows = []
    for row in logits.tolist():
        exponentials = [math.exp(logit - max(row)) for logit in row]
        rows.append([value / math.fsum(exponentials) for value in exponentials])
    return np.array(rows)


def _diagnose(
    cases: dict[str, FloatArray], outcomes: dict[str, Answer], arrays: tuple[Comparison, ...], error: Exception | None
) -> tuple[Finding, ...]:
    wrong = tuple(array.name for array in arrays if not array.passed)
    seen: tuple[Finding, ...] = ()
    if error is not None:
        failed = tuple(name for name in cases if outcomes[name] is None)
        seen = (Finding("raises an error", failed, f"softmax(logits) {raised(error)}."),)
    found = explain(
        list(outcomes.values()),
        SOFTMAX.right["softmax"],
        SOFTMAX.mistakes,
        lambda lines: (answer(lines, {"logits": logits}) for logits in cases.values()),
        tolerance=1e-5,
    )
    if found:
        return seen + recognised({wrong: found}, SOFTMAX.mistakes, partial(Mistake.finding, right=RIGHT))
    return seen or (_by_rule(outcomes, arrays, wrong),)


def _by_rule(outcomes: dict[str, Answer], arrays: tuple[Comparison, ...], wrong: tuple[str, ...]) -> Finding:
    for array in arrays:
        if array.shape != array.expected_shape:
            text = f"For logits of shape {array.expected_shape}, probs have shape {array.shape}; it should be the same."
            return Finding("wrong shape", (array.name,), text, RIGHT)
    if set(wrong) <= set(LARGE):
        finite = all(np.all(np.isfinite(np.asarray(outcomes[name]))) for name in LARGE)
        return SOFTMAX.mistake("wrong for large logits" if finite else "overflow").finding(wrong, RIGHT)
    for name in (name for name in wrong if name not in LARGE):
        sums = np.asarray(outcomes[name]).sum(axis=1)
        off = np.flatnonzero(~(np.abs(sums - 1) <= 1e-5))
        if len(off):
            text = f"Row {off[0]} of {name} sums to {sums[off[0]]:.6g}; the probabilities of one image sum to 1."
            return Finding("rows do not sum to 1", wrong, text, RIGHT)
    text = "The rows sum to 1, but the probabilities are not exp(logit) / sum(exp(logits)) of their row."
    return Finding("not recognised", wrong, text, RIGHT)
