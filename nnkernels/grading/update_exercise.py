"""The check of a learner's update over several steps, against the update rule in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from nnkernels.grading.calls import Function, call, changed_arguments_finding, raised_finding
from nnkernels.grading.lines import Lines, evaluate_lines
from nnkernels.grading.mistakes import Attempt, load_exercise
from nnkernels.grading.report import ArrayCheck, Finding, GradcheckReport, compare
from nnkernels.kernels.contract import initial_state
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.recipes import Optimizer, OptimizerName

# The rate varies, because two forms of momentum differ only then.
LEARNING_RATES = (0.1, 0.1, 0.05, 0.2, 0.2, 0.1)
HYPERPARAMETERS = {"sgd": (), "momentum": ("momentum",), "adam": ("beta_1", "beta_2", "epsilon")}
TOLERANCE = 1e-9
UPDATE = load_exercise("update")

_rng = np.random.default_rng(0)
_SHAPES = ((4, 3), (3,), (3, 5), (5,))
START = Parameters(*(_rng.normal(size=shape) for shape in _SHAPES))
# The scales range from 1e-4 to 1, so that Adam's epsilon matters for some. Some gradients are always zero, like those
# of a dark pixel.
GRADIENTS = [
    Parameters(*(_rng.normal(size=shape) * 10.0 ** _rng.uniform(-4, 0, shape) for shape in _SHAPES))
    for _step in LEARNING_RATES
]
for _grads in GRADIENTS:
    _grads.W1[0] = 0


def check_update(update: Function, optimizer: Optimizer | OptimizerName = "sgd") -> GradcheckReport:
    """Compare several steps of an update with the update rule, and diagnose known mistakes.

    Parameters
    ----------
    update : callable
        ``update(params, grads, state, learning_rate, ...)``, followed by ``momentum`` for momentum, and by ``beta_1,
        beta_2, epsilon`` for Adam. It modifies ``params`` and ``state`` in place.
    optimizer : Optimizer or {"sgd", "momentum", "adam"}, default: "sgd"
        The update rule with its hyperparameters. A name stands for the default hyperparameters.

    Returns
    -------
    report : GradcheckReport
        ``arrays`` has one comparison per parameter array, for the first wrong step, otherwise for the last step.

    Raises
    ------
    UnknownNameError
        If there is no such optimizer.

    Examples
    --------
    >>> from nnkernels.grading import check_update
    >>> def uphill(params, grads, state, learning_rate):
    ...     for w, g in zip(params, grads):
    ...         w += learning_rate * g
    >>> check_update(uphill).mistakes
    ('wrong sign',)
    """
    if isinstance(optimizer, str):
        optimizer = Optimizer(optimizer)
    subject = f"update ({optimizer.name})"
    setting = UPDATE.hints["setting"].format(steps=len(LEARNING_RATES))
    settings = {name: getattr(optimizer, name) for name in HYPERPARAMETERS[optimizer.name]}
    names = ("params", "grads", "state", "learning_rate", *settings)
    params, state = START, initial_state(START)
    trajectory: list[Parameters] = []
    findings: tuple[Finding, ...] = ()
    for step, (grads, learning_rate) in enumerate(zip(GRADIENTS, LEARNING_RATES, strict=True), start=1):
        called = call(update, names, params, grads, state, learning_rate, *settings.values())
        if called.error is not None:
            finding = _raised(called.error, f"update({', '.join(names)}) in step {step}", optimizer.name)
            return GradcheckReport(subject, setting, "expected", (), (finding,), (), called.error)
        if changed_grads := tuple(name for name in called.changed if name.startswith("grads")):
            findings = (changed_arguments_finding("update", changed_grads),)
        params, _grads, state = called.arguments[:3]
        trajectory.append(copy(params))
    arrays, notes = _compare_all(trajectory, optimizer)
    if state.step[0] != len(trajectory):
        notes = (UPDATE.hints["uncounted"].format(counted=state.step[0], steps=len(trajectory)), *notes)
    findings += _diagnose(trajectory, arrays, optimizer)
    return GradcheckReport(subject, setting, "expected", arrays, findings, () if findings else notes)


def _reference_trajectory(lines: Lines, k: int, optimizer: Optimizer) -> Iterator[FloatArray]:
    """Yield an array after each step of an update rule; not finite if the rule divides by zero."""
    w = START[k]
    values = {"w": w, "first": np.zeros_like(w), "second": np.zeros_like(w), **asdict(optimizer)}
    for t, (grads, rate) in enumerate(zip(GRADIENTS, LEARNING_RATES, strict=True), start=1):
        # A NumPy scalar, because a division by a Python zero would raise an exception.
        values = evaluate_lines(lines, {**values, "step_number": np.float64(t), "g": grads[k], "rate": rate})
        yield values["w"]


def _raised(error: Exception, what: str, optimizer_name: str) -> Finding:
    finding = raised_finding(what, error)
    if isinstance(error, NotImplementedError):  # the learner has not started yet, so do not show the solution
        return finding
    mistake, reason = finding.mistake, ""
    if isinstance(error, AttributeError) and "set attribute" in str(error):
        mistake, reason = "not in place", " " + UPDATE.hints["assigned"]
    elif isinstance(error, ZeroDivisionError) and optimizer_name == "adam":
        mistake = "step counted from 0"
        reason = " " + UPDATE.finding(mistake, ()).explanation
    return Finding(mistake, (), finding.explanation + reason, UPDATE.shown[optimizer_name])


def _compare_all(trajectory: list[Parameters], optimizer: Optimizer) -> tuple[tuple[ArrayCheck, ...], tuple[str, ...]]:
    forms = []
    for lines in UPDATE.right[optimizer.name]:
        found = []
        for k, name in enumerate(Parameters._fields):
            steps = [
                compare(f"{name} after step {t}", params[k], expected, TOLERANCE)
                for t, (params, expected) in enumerate(
                    zip(trajectory, _reference_trajectory(lines, k, optimizer), strict=True), start=1
                )
            ]
            # The first wrong step, because later steps only propagate its error.
            found.append(next((step for step in steps if not step.passed), steps[-1]))
        forms.append(tuple(found))
    arrays = next((arrays for arrays in forms if all(array.passed for array in arrays)), forms[0])
    return arrays, () if arrays is forms[0] else (UPDATE.hints["algorithm 1"],)


def _diagnose(
    trajectory: list[Parameters], arrays: tuple[ArrayCheck, ...], optimizer: Optimizer
) -> tuple[Finding, ...]:
    names, right = Parameters._fields, UPDATE.shown[optimizer.name]
    wrong = [k for k in range(4) if not arrays[k].passed]
    unchanged = [k for k in wrong if all(np.array_equal(params[k], START[k]) for params in trajectory)]
    moved = [k for k in wrong if k not in unchanged]
    mistake = "not in place" if len(unchanged) == len(names) else "not updated"
    found = (UPDATE.finding(mistake, tuple(names[k] for k in unchanged), right),) if unchanged else ()
    if not moved:
        return found
    where = tuple(names[k] for k in moved)
    attempt = Attempt(
        [params[k] for k in moved for params in trajectory],
        UPDATE.right[optimizer.name],
        lambda lines: (w for k in moved for w in _reference_trajectory(lines, k, optimizer)),
    )
    if recognised := UPDATE.recognise({where: attempt}, 1e-8, lambda mistake, names: mistake.finding(names, right)):
        return found + recognised
    hint = UPDATE.hints["first step" if any(arrays[k].name.endswith(" step 1") for k in moved) else "later steps"]
    return (*found, UPDATE.finding("not recognised", where, right, hint=hint))
