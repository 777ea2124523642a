"""The check of somebody's update, over several steps, against the rule for one number in plain floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnkernels.grading.calls import Function, call, changes_its_arguments, raised
from nnkernels.grading.report import Comparison, Finding, GradcheckReport, compare
from nnkernels.grading.update_mistakes import COUNTED_FROM_0, NOT_IN_PLACE, NOT_UPDATED, RIGHT, candidates
from nnkernels.grading.update_rules import RULES, Memory, Rule, adam_of_algorithm_1
from nnkernels.kernels.contract import initial_state
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.recipes import Optimizer, OptimizerName

# It changes on the way: two forms of momentum differ only then.
LEARNING_RATES = (0.1, 0.1, 0.05, 0.2, 0.2, 0.1)
HYPERPARAMETERS = {"sgd": (), "momentum": ("momentum",), "adam": ("beta_1", "beta_2", "epsilon")}
TOLERANCE = 1e-9
SGD = Optimizer("sgd")

# The parameters after each step.
Path = list[Parameters]


def check_update(update: Function, optimizer: Optimizer | OptimizerName = SGD) -> GradcheckReport:
    """Take several steps with an update and compare each with the rule, and name the mistake if it has a classic one.

    Parameters
    ----------
    update : callable
        One of the contract: ``(params, grads, state, learning_rate)``, and then ``momentum``, or ``beta_1, beta_2,
        epsilon``. It changes ``params`` and ``state`` in place.
    optimizer : Optimizer or {"sgd", "momentum", "adam"}
        The rule that it should keep, with its hyper-parameters; of a name alone, with the usual ones.

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
    problem = _draw(optimizer)
    subject = f"update ({optimizer.name})"
    setting = (
        f"Held against the rule for one number, in float64, over {len(LEARNING_RATES)} steps with a learning rate that "
        "changes."
    )
    taken = _take_steps(update, problem)
    if taken.error is not None:
        return GradcheckReport(subject, setting, "expected", (), taken.findings, (), taken.error)
    arrays, notes = _compare_all(taken.path, problem.follow(RULES[optimizer.name])), taken.notes
    if optimizer.name == "adam" and not all(array.passed for array in arrays):
        by_algorithm_1 = _compare_all(taken.path, problem.follow(adam_of_algorithm_1))
        if all(array.passed for array in by_algorithm_1):
            arrays = by_algorithm_1
            notes += (
                "epsilon is added to the root of the corrected v, as in Algorithm 1 of Kingma and Ba. Keras and the "
                "reference add it before the correction, which makes a difference for small gradients.",
            )
    findings = taken.findings + _diagnose(taken.path, arrays, problem)
    return GradcheckReport(subject, setting, "expected", arrays, findings, () if findings else notes)


@dataclass(frozen=True)
class _Problem:
    """Where the steps begin, their gradients, and the rule that is asked for."""

    start: Parameters
    gradients: list[Parameters]
    optimizer: Optimizer

    def follow(self, rule: Rule) -> Path:
        """Return the path of a rule, worked out number by number; NaN where it divides by zero."""
        path, at = [], self.start
        memories: list[list[Memory]] = [[[0.0, 0.0] for _ in range(w.size)] for w in at]
        for t, (grads, learning_rate) in enumerate(zip(self.gradients, LEARNING_RATES, strict=True), start=1):
            moved = []
            for w, g, memory in zip(at, grads, memories, strict=True):
                numbers = zip(w.ravel().tolist(), g.ravel().tolist(), memory, strict=True)
                after = [_apply(rule, *number, t, learning_rate, self.optimizer) for number in numbers]
                moved.append(np.array(after).reshape(w.shape))
            at = Parameters(*moved)
            path.append(at)
        return path


@dataclass(frozen=True)
class _Taken:
    """The steps that somebody's update took, or the error that it raised."""

    path: Path
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    error: Exception | None = None


def _apply(rule: Rule, w: float, g: float, memory: Memory, t: int, learning_rate: float, optimizer: Optimizer) -> float:
    try:
        return rule(w, g, memory, t, learning_rate, optimizer)
    except ZeroDivisionError:
        return float("nan")


def _draw(optimizer: Optimizer) -> _Problem:
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
    return _Problem(start, gradients, optimizer)


def _take_steps(update: Function, problem: _Problem) -> _Taken:
    names = HYPERPARAMETERS[problem.optimizer.name]
    values = [getattr(problem.optimizer, name) for name in names]
    names = ("params", "grads", "state", "learning_rate", *names)
    params, state = problem.start, initial_state(problem.start)
    path: Path = []
    findings: tuple[Finding, ...] = ()
    for step, (grads, learning_rate) in enumerate(zip(problem.gradients, LEARNING_RATES, strict=True), start=1):
        called = call(update, names, params, grads, state, learning_rate, *values)
        if called.error is not None:
            what = f"update({', '.join(names)}) in step {step}"
            return _Taken([], (_raised(called.error, what, problem.optimizer.name),), error=called.error)
        touched = tuple(name for name in called.changed if name.startswith("grads"))
        if touched:
            findings = (changes_its_arguments("update", touched),)
        params, _grads, state = called.arguments[:3]
        path.append(copy(params))
    counted, steps = int(state.step[0]), len(LEARNING_RATES)
    notes = (
        (f"state.step is {counted} after {steps} steps. The contract counts them there: state.step[0] += 1.",)
        if counted != steps
        else ()
    )
    return _Taken(path, findings, notes)


def _raised(error: Exception, what: str, optimizer_name: str) -> Finding:
    text, right = f"{what} {raised(error)}.", RIGHT[optimizer_name]
    if isinstance(error, NotImplementedError):  # an exercise not begun: no time to say the solution
        return Finding("raises an error", (), text)
    if isinstance(error, AttributeError) and "set attribute" in str(error):
        text += " Parameters cannot be given other arrays, but the numbers in its arrays can be changed."
        return Finding(NOT_IN_PLACE.name, (), text, right)
    if isinstance(error, ZeroDivisionError) and optimizer_name == "adam":
        return Finding(COUNTED_FROM_0.name, (), f"{text} {COUNTED_FROM_0.explanation}", right)
    return Finding("raises an error", (), text, right)


def _compare_all(path: Path, expected: Path) -> tuple[Comparison, ...]:
    found = []
    for k, name in enumerate(Parameters._fields):
        steps = [
            compare(f"{name} after step {t}", yours[k], right[k], TOLERANCE)
            for t, (yours, right) in enumerate(zip(path, expected, strict=True), start=1)
        ]
        # The first that goes wrong: the later ones only carry it on.
        found.append(next((step for step in steps if not step.passed), steps[-1]))
    return tuple(found)


def _diagnose(path: Path, arrays: tuple[Comparison, ...], problem: _Problem) -> tuple[Finding, ...]:
    names, right = Parameters._fields, RIGHT[problem.optimizer.name]
    wrong = [k for k in range(4) if not arrays[k].passed]
    still = [k for k in wrong if all(np.array_equal(params[k], problem.start[k]) for params in path)]
    moved = [k for k in wrong if k not in still]
    found: tuple[Finding, ...] = ()
    if still:
        mistake = NOT_IN_PLACE if len(still) == len(names) else NOT_UPDATED
        found += (Finding(mistake.name, tuple(names[k] for k in still), mistake.explanation, right),)
    if not moved:
        return found
    where = tuple(names[k] for k in moved)
    for mistakes, rule in candidates(problem.optimizer.name):
        theirs = problem.follow(rule)
        if all(_is_same(yours[k], its[k]) for k in moved for yours, its in zip(path, theirs, strict=True)):
            return found + tuple(
                Finding(mistake.name, where, mistake.explanation, right if mistake is mistakes[-1] else "")
                for mistake in mistakes
            )
    text = "The steps fit none of the mistakes that are known here. "
    if any(arrays[k].name.endswith(" step 1") for k in moved):
        text += "The first step is wrong already: begin there, where nothing is remembered yet."
    else:
        text += "The first step is right: look at what is remembered from step to step, and at the learning rate."
    return (*found, Finding("not recognised", where, text, right))


def _is_same(yours: FloatArray, theirs: FloatArray) -> bool:
    # A number that is not finite in both, be it NaN or infinite, is the same slip.
    finite = np.isfinite(yours)
    return bool(np.array_equal(finite, np.isfinite(theirs)) and np.allclose(yours[finite], theirs[finite], rtol=1e-7))
