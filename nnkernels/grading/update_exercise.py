"""The check of a learner's update, over several steps, against the rule in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from nnkernels.grading.calls import Function, call, changes_its_arguments, raised
from nnkernels.grading.mistakes import Lines, Mistake, exercise, explain, recognised, work_out
from nnkernels.grading.report import Comparison, Finding, GradcheckReport, compare
from nnkernels.kernels.contract import initial_state
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.recipes import Optimizer, OptimizerName

# It changes on the way: two forms of momentum differ only then.
LEARNING_RATES = (0.1, 0.1, 0.05, 0.2, 0.2, 0.1)
HYPERPARAMETERS = {"sgd": (), "momentum": ("momentum",), "adam": ("beta_1", "beta_2", "epsilon")}
TOLERANCE = 1e-9
SGD = Optimizer("sgd")
UPDATE = exercise("update")


def check_update(update: Function, optimizer: Optimizer | OptimizerName = SGD) -> GradcheckReport:
    """Take several steps with an update and compare each with the rule, and name the mistake if it is a classic one.

    Parameters
    ----------
    update : callable
        One of the contract: ``(params, grads, state, learning_rate)``, and then ``momentum``, or ``beta_1, beta_2,
        epsilon``. It changes ``params`` and ``state`` in place.
    optimizer : Optimizer or {"sgd", "momentum", "adam"}
        The rule that it should follow, with its hyper-parameters; a name alone means the usual ones.

    Returns
    -------
    GradcheckReport
        ``arrays`` has a record for each parameter array: of the first step that goes wrong, or of the last.

    Raises
    ------
    UnknownNameError
        If there is no optimizer of that name.

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
    setting = (
        f"Held against the rule for one number, in float64, over {len(LEARNING_RATES)} steps with a learning rate that "
        "changes."
    )
    task = _draw(optimizer)
    names = ("params", "grads", "state", "learning_rate", *HYPERPARAMETERS[optimizer.name])
    values = [getattr(optimizer, name) for name in HYPERPARAMETERS[optimizer.name]]
    params, state = task.start, initial_state(task.start)
    path: list[Parameters] = []
    findings: tuple[Finding, ...] = ()
    for step, (grads, learning_rate) in enumerate(zip(task.gradients, LEARNING_RATES, strict=True), start=1):
        called = call(update, names, params, grads, state, learning_rate, *values)
        if called.error is not None:
            finding = _raised(called.error, f"update({', '.join(names)}) in step {step}", optimizer.name)
            return GradcheckReport(subject, setting, "expected", (), (finding,), (), called.error)
        touched = tuple(name for name in called.changed if name.startswith("grads"))
        if touched:
            findings = (changes_its_arguments("update", touched),)
        params, _grads, state = called.arguments[:3]
        path.append(copy(params))
    arrays, notes = _compare_all(path, task)
    if state.step[0] != len(path):
        text = f"state.step is {state.step[0]} after {len(path)} steps. The contract counts them there"
        notes = (f"{text}: state.step[0] += 1.", *notes)
    findings += _diagnose(path, arrays, task)
    return GradcheckReport(subject, setting, "expected", arrays, findings, () if findings else notes)


@dataclass(frozen=True)
class _Task:
    """Where the steps begin, their gradients, and the rule that is asked for."""

    start: Parameters
    gradients: list[Parameters]
    optimizer: Optimizer

    def follow(self, lines: Lines, k: int) -> Iterator[FloatArray]:
        """Yield one array after each step of a rule; not finite where the rule divides by zero."""
        w = self.start[k]
        values = {"w": w, "first": np.zeros_like(w), "second": np.zeros_like(w), **asdict(self.optimizer)}
        for t, (grads, rate) in enumerate(zip(self.gradients, LEARNING_RATES, strict=True), start=1):
            # NumPy's number, which may divide by zero.
            values = work_out(lines, {**values, "step_number": np.float64(t), "g": grads[k], "rate": rate})
            yield values["w"]


def _draw(optimizer: Optimizer) -> _Task:
    rng = np.random.default_rng(0)
    shapes = ((4, 3), (3,), (3, 5), (5,))
    start = Parameters(*(rng.normal(size=shape) for shape in shapes))
    # From 1e-4 to 1, so that Adam's epsilon counts in some of them; and some are zero all the time, as those of the
    # weights of a dark pixel are.
    gradients = [
        Parameters(*(rng.normal(size=shape) * 10.0 ** rng.uniform(-4, 0, shape) for shape in shapes))
        for _step in LEARNING_RATES
    ]
    for grads in gradients:
        grads.W1[0] = 0
    return _Task(start, gradients, optimizer)


def _raised(error: Exception, what: str, optimizer_name: str) -> Finding:
    text, right = f"{what} {raised(error)}.", UPDATE.shown[optimizer_name]
    if isinstance(error, NotImplementedError):  # an exercise not begun: too early for the solution
        return Finding("raises an error", (), text)
    if isinstance(error, AttributeError) and "set attribute" in str(error):
        text += " Parameters cannot be given other arrays, but the numbers in its arrays can be changed."
        return Finding("not in place", (), text, right)
    if isinstance(error, ZeroDivisionError) and optimizer_name == "adam":
        mistake = UPDATE.mistake("step counted from 0")
        return Finding(mistake.name, (), f"{text} {mistake.words}", right)
    return Finding("raises an error", (), text, right)


def _compare_all(path: list[Parameters], task: _Task) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    forms = []
    for lines in UPDATE.right[task.optimizer.name]:
        found = []
        for k, name in enumerate(Parameters._fields):
            steps = [
                compare(f"{name} after step {t}", params[k], expected, TOLERANCE)
                for t, (params, expected) in enumerate(zip(path, task.follow(lines, k), strict=True), start=1)
            ]
            # The first that goes wrong: the later ones only carry it on.
            found.append(next((step for step in steps if not step.passed), steps[-1]))
        forms.append(tuple(found))
    arrays = next((arrays for arrays in forms if all(array.passed for array in arrays)), forms[0])
    note = (
        "epsilon is added to the root of the corrected v, as in Algorithm 1 of Kingma and Ba. Keras and the reference "
        "add it before the correction, which makes a difference for small gradients."
    )
    return arrays, () if arrays is forms[0] else (note,)


def _diagnose(path: list[Parameters], arrays: tuple[Comparison, ...], task: _Task) -> tuple[Finding, ...]:
    names, right = Parameters._fields, UPDATE.shown[task.optimizer.name]
    wrong = [k for k in range(4) if not arrays[k].passed]
    still = [k for k in wrong if all(np.array_equal(params[k], task.start[k]) for params in path)]
    moved = [k for k in wrong if k not in still]
    found: tuple[Finding, ...] = ()
    if still:
        mistake = UPDATE.mistake("not in place" if len(still) == len(names) else "not updated")
        found += (mistake.finding(tuple(names[k] for k in still), right),)
    if not moved:
        return found
    explained = explain(
        [params[k] for k in moved for params in path],
        UPDATE.right[task.optimizer.name],
        UPDATE.mistakes,
        lambda lines: (w for k in moved for w in task.follow(lines, k)),
        tolerance=1e-8,
    )
    where = tuple(names[k] for k in moved)
    if explained:
        return found + recognised({where: explained}, UPDATE.mistakes, partial(Mistake.finding, right=right))
    text = "The steps fit none of the mistakes that are known here. "
    if any(arrays[k].name.endswith(" step 1") for k in moved):
        text += "The first step is wrong already: begin there, where nothing is remembered yet."
    else:
        text += "The first step is right: look at what is remembered from step to step, and at the learning rate."
    return (*found, Finding("not recognised", where, text, right))
