"""The check of a learner's softmax against SciPy's, on ordinary logits and on logits that overflow."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import scipy.special

from nnkernels.grading.calls import Function, as_floats, call, changed_arguments_finding, raised_finding
from nnkernels.grading.lines import Answer, final_value
from nnkernels.grading.mistakes import Attempt, load_exercise
from nnkernels.grading.report import ArrayCheck, Finding, GradcheckReport, compare
from nnkernels.parameters import FloatArray

SOFTMAX = load_exercise("softmax")
RIGHT = SOFTMAX.shown["softmax"]
TOLERANCES = {np.dtype(np.float64): 1e-7, np.dtype(np.float32): 1e-5}
LARGE = ("logits of ±1e4", "rows far apart")

_rng = np.random.default_rng(0)
_ordinary = _rng.normal(scale=2, size=(5, 4))
CASES: dict[str, FloatArray] = {
    "ordinary logits": _ordinary,
    "N = C = 4": _rng.normal(scale=2, size=(4, 4)),
    "one image": _rng.normal(scale=2, size=(1, 4)),
    "all equal": np.full((3, 4), 2.5),
    LARGE[0]: np.array([[1e4, 9999, -1e4, 0], [-9999, -1e4, -1e4, -9998], [1e4, 1e4, 1e4, 9997]]),
    LARGE[1]: _rng.normal(size=(3, 4)) + np.array([[2000], [-2000], [0]]),
    "float32": _ordinary.astype(np.float32),
}


def check_softmax(softmax: Function) -> GradcheckReport:
    """Compare a softmax with SciPy's in float64, and diagnose known mistakes.

    Parameters
    ----------
    softmax : callable
        ``softmax(logits) -> probs``, both of shape (N, C). To check ``forward(...).probs`` of a module, wrap it in such
        a function.

    Returns
    -------
    report : GradcheckReport
        ``arrays`` has one comparison per case: ordinary logits, as many images as classes, one image, equal logits,
        logits of ±1e4, rows far apart, and float32.

    Examples
    --------
    >>> import numpy as np
    >>> from nnkernels.grading import check_softmax
    >>> check_softmax(lambda logits: np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).mistakes
    ('overflow',)
    """
    error: Exception | None = None
    outcomes: dict[str, Answer] = {}
    form_findings: dict[str, Finding] = {}
    for name, logits in CASES.items():
        called = call(softmax, ("logits",), logits)
        error = error or called.error
        outcomes[name] = None
        if called.changed:
            form_findings["changed"] = changed_arguments_finding("softmax", called.changed)
        if called.error is None:
            outcomes[name], finding = as_floats("probs", called.result, logits.dtype)
            if finding is not None:
                form_findings.setdefault(finding.mistake, finding)
    arrays = tuple(
        compare(name, outcome, scipy.special.softmax(np.float64(CASES[name]), axis=1), TOLERANCES[CASES[name].dtype])
        for name, outcome in outcomes.items()
        if outcome is not None
    )
    findings = tuple(form_findings.values())
    if "wrong type" not in form_findings and not (len(arrays) == len(CASES) and all(array.passed for array in arrays)):
        findings += _diagnose(outcomes, arrays, error)
    setting = "Compared with SciPy's float64 softmax; each case has N images (rows) and C classes (columns)."
    return GradcheckReport("softmax", setting, "expected", arrays, findings, (), error)


def _diagnose(
    outcomes: dict[str, Answer], arrays: tuple[ArrayCheck, ...], error: Exception | None
) -> tuple[Finding, ...]:
    wrong = tuple(array.name for array in arrays if not array.passed)
    failed = tuple(name for name in CASES if outcomes[name] is None)
    found = (raised_finding("softmax(logits)", error, failed),) if error else ()
    attempt = Attempt(
        list(outcomes.values()),
        SOFTMAX.right["softmax"],
        lambda lines: (final_value(lines, {"logits": logits}) for logits in CASES.values()),
    )
    recognised = SOFTMAX.recognise({wrong: attempt}, 1e-5, lambda mistake, names: mistake.finding(names, RIGHT))
    return found + recognised or (_by_rule(outcomes, arrays, wrong),)


def _by_rule(outcomes: dict[str, Answer], arrays: tuple[ArrayCheck, ...], wrong: tuple[str, ...]) -> Finding:
    for array in arrays:
        if array.shape != array.expected_shape:
            return SOFTMAX.finding("wrong shape", (array.name,), RIGHT, **asdict(array))
    if set(wrong) <= set(LARGE):
        finite = all(np.all(np.isfinite(np.asarray(outcomes[name]))) for name in LARGE)
        return SOFTMAX.finding("wrong for large logits" if finite else "overflow", wrong, RIGHT)
    for name in (name for name in wrong if name not in LARGE):
        sums = np.asarray(outcomes[name]).sum(axis=1)
        off = np.flatnonzero(~(np.abs(sums - 1) <= 1e-5))
        if len(off):
            seen = f"Row {off[0]} of {name} sums to {sums[off[0]]:.6g}."
            return SOFTMAX.finding("rows do not sum to 1", wrong, RIGHT, seen=seen)
    return SOFTMAX.finding("not recognised", wrong, RIGHT)
