"""The check of a backward pass against numerical derivatives of the loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nnkernels.errors import ConfigurationError
from nnkernels.grading.backward_call import BACKWARD, NAMES, BackwardResult, call_backward
from nnkernels.grading.calls import Function
from nnkernels.grading.diagnosis import Case, diagnose, reference_steps
from nnkernels.grading.networks import FULL_SIZE, SQUARE, ProblemSizes, check_sizes, draw_problem
from nnkernels.grading.numerical_gradient import (
    Functions,
    check_forward_and_loss,
    directional_derivative,
    smooth_problem,
)
from nnkernels.grading.report import ArrayCheck, Finding, GradcheckReport
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import Parameters


def gradcheck(
    backward: Any,
    *,
    forward: Function | None = None,
    loss: Function | None = None,
    inputs: int = 7,
    hidden: int = 5,
    classes: int = 4,
    images: int = 6,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> GradcheckReport:
    """Compare a backward pass with numerical derivatives, entry by entry, and diagnose known mistakes.

    The reference is the loss itself. Each parameter of a small float64 network is increased and decreased slightly, and
    the change of ``loss(forward(params, X).logits, y)`` is compared with the gradient. So modified mathematics passes
    if forward and backward match, such as tanh and its derivative, and fails if they do not. The check uses a batch of
    ``images`` images and a single image. If both are right, it also compares derivatives along random directions at the
    full size, 784-20-10.

    Parameters
    ----------
    backward : callable, or module with ``forward``, ``loss`` and ``backward``
        ``backward(params, X, y, activations) -> Parameters``; a tuple of four arrays is accepted too. Of a module, such
        as an edited copy of ``numpy_kernels``, all three functions are used.
    forward : callable, optional
        ``forward(params, X) -> Activations``. By default that of the module, or the reference kernels'.
    loss : callable, optional
        ``loss(logits, y) -> float``. By default that of the module, or the reference kernels'.
    inputs, hidden, classes, images : int
        The sizes of the small random network and its batch. Equal sizes would hide swapped axes.
    seed : int, default: 0
        Seed of the network and the batch.
    tolerance : float, default: 1e-6
        The largest error that passes, relative to the largest entry of the array.

    Returns
    -------
    report : GradcheckReport
        Print it for the diagnosis. The check fails if an array has wrong values, shape or dtype, or NaN, and if
        backward raises an exception or modifies its arguments.

    Raises
    ------
    GradcheckError
        If forward and loss cannot be differentiated: they raise an exception, do not return float64, are random, or are
        not smooth.
    ConfigurationError
        If a size, the seed or the tolerance is out of range, or if ``backward`` is not callable.

    Examples
    --------
    >>> from nnkernels.grading import gradcheck
    >>> from nnkernels.kernels import numpy_kernels
    >>> gradcheck(numpy_kernels.backward).passed
    True
    """
    sizes = ProblemSizes(inputs, hidden, classes, images)
    check_sizes(sizes, seed)
    if not 0 < tolerance < 1:
        raise ConfigurationError(f"tolerance is {tolerance}; expected a number between 0 and 1, such as 1e-6")
    functions = _functions(backward, forward, loss)
    # A second batch size distinguishes a missing 1/N from any other constant factor.
    other_size = 1 if images > 1 else 3
    setting = f"Compared with numerical derivatives of the loss, in float64, for {sizes} and for N = {other_size}"
    cases = _cases(functions, (sizes, sizes._replace(images=other_size)), seed)
    error = next((case.result.error for case in cases if case.result.error), None)
    if cases[0].result.error is not None:
        arrays, findings, notes = _diagnose_error(functions, cases[0].result, seed, tolerance)
        return GradcheckReport("backward", setting, "numerical", arrays, findings, notes, error)
    findings = cases[0].result.findings
    # Report a finding only once if both batches have it.
    reported = {(finding.mistake, finding.arrays) for finding in findings}
    findings += tuple(one for one in cases[1].result.findings if (one.mistake, one.arrays) not in reported)
    usable = [case for case in cases if case.result.error is None]
    findings += diagnose(usable, tolerance)
    if not findings:
        findings = _check_full_size(functions, seed, tolerance)
        setting += f"; also along random directions, for {FULL_SIZE}"
    notes = tuple(dict.fromkeys(note for case in cases for note in case.result.notes))
    return GradcheckReport("backward", setting, "numerical", _worst_checks(usable, tolerance), findings, notes, error)


def _functions(backward: Any, forward: Function | None, loss: Function | None) -> Functions:
    module_backward = getattr(backward, "backward", None)
    if module_backward is not None:
        forward = forward or getattr(backward, "forward", None)
        loss = loss or getattr(backward, "loss", None)
    functions = Functions(forward or numpy_kernels.forward, loss or numpy_kernels.loss, module_backward or backward)
    for name, function in functions._asdict().items():
        if not callable(function):
            raise ConfigurationError(
                f"{name} is a {type(function).__name__}; expected a function, or a module that has one"
            )
    return functions


def _cases(functions: Functions, batches: tuple[ProblemSizes, ...], seed: int) -> list[Case]:
    cases = []
    for sizes in batches:
        reference = smooth_problem(functions, sizes, seed)
        result = call_backward(functions.backward, reference.problem, reference.activations)
        cases.append(Case(reference, reference_steps(functions, reference), result))
    return cases


def _worst_checks(cases: list[Case], tolerance: float) -> tuple[ArrayCheck, ...]:
    # One check per array: that of the first batch, unless it passes there and fails in another batch.
    compared = ([one for case in cases if (one := case.compared(k, tolerance))] for k in range(len(NAMES)))
    return tuple(min(records, key=lambda record: record.passed) for records in compared if records)


def _diagnose_error(
    functions: Functions, result: BackwardResult, seed: int, tolerance: float
) -> tuple[tuple[ArrayCheck, ...], tuple[Finding, ...], tuple[str, ...]]:
    # After an exception there are no numbers to diagnose. Other sizes may work, and show the reason.
    (raised,) = result.findings
    problem = draw_problem(FULL_SIZE, seed)
    if call_backward(functions.backward, problem, check_forward_and_loss(functions, problem)).error is None:
        fixed = BACKWARD.finding("hard-coded size", (), seen=raised.explanation, sizes=FULL_SIZE)
        return (), (fixed,), ()
    (square_case,) = cases = _cases(functions, (SQUARE,), seed)
    if square_case.result.error is not None:
        return (), (replace(raised, right=BACKWARD.hints["raises"]),), ()
    found = square_case.result.findings + diagnose(cases, tolerance)
    text = BACKWARD.hints["square wrong" if found else "square right"].format(sizes=SQUARE)
    raised = replace(raised, explanation=f"{raised.explanation} {text}")
    return _worst_checks(cases, tolerance), (raised, *found), square_case.result.notes


def _check_full_size(functions: Functions, seed: int, tolerance: float) -> tuple[Finding, ...]:
    problem = draw_problem(FULL_SIZE, seed)
    result = call_backward(functions.backward, problem, check_forward_and_loss(functions, problem))
    if result.findings:
        return result.findings
    rng = np.random.default_rng([seed, 1])
    found = []
    for name, field, array in zip(NAMES, Parameters._fields, result.arrays, strict=True):
        w = getattr(problem.params, field)
        # Normalised so that a step changes Z1 and the logits about as much as a step of a single bias.
        direction = rng.normal(size=w.shape) / np.sqrt(w.size)
        expected = directional_derivative(functions, problem, field, direction)
        parts = np.asarray(array) * direction
        yours = float(np.sum(parts))
        # Terms may cancel, so the error is relative to their norm. A comparison with NaN is false, so NaN passes.
        if abs(yours - expected) > tolerance * max(abs(expected), float(np.linalg.norm(parts))):
            fields = {"sizes": FULL_SIZE, "name": name, "yours": f"{yours:.8g}", "expected": f"{expected:.8g}"}
            found.append(BACKWARD.finding("wrong at full size", (name,), **fields))
    return tuple(found)
