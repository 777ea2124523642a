"""The check of a backward pass: numerical derivatives of the loss beside what the backward pass says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nnkernels.errors import ConfigurationError
from nnkernels.grading.calls import BACKWARD, NAMES, Function, Returned, ask
from nnkernels.grading.diagnosis import Case, diagnose, right_steps
from nnkernels.grading.measured import Functions, check_forward_and_loss, directional_derivative, smooth_problem
from nnkernels.grading.networks import FULL_SIZE, SQUARE, ProblemSizes, check_sizes, draw_problem
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
    """Compare a backward pass with numerical derivatives, entry by entry, and name the mistake if it has a classic one.

    The judge is the loss itself: each parameter of a small float64 network is moved up and down a little, and the
    change of ``loss(forward(params, X).logits, y)`` is compared with the gradient. So changed mathematics (tanh in
    forward and its derivative in backward) passes, and a backward pass that does not belong to its forward fails.
    This is done for ``images`` images and for a single one; if all is right, also along random directions at the
    full size, 784-20-10.

    Parameters
    ----------
    backward : callable, or a module with ``forward``, ``loss`` and ``backward``
        ``backward(params, X, y, activations) -> Parameters`` of the kernel contract; four arrays in a tuple will do.
        Of a module (an edited copy of ``numpy_kernels``, say) all three functions are taken.
    forward, loss : callable, optional
        ``forward(params, X) -> Activations`` and ``loss(logits, y) -> float``; those of the module, or else the
        reference's.
    inputs, hidden, classes, images, seed : int
        Sizes of the small random network and its batch, and the seed. Equal sizes would hide confusions of axes.
    tolerance : float
        Largest error that passes, relative to the largest entry of the array.

    Returns
    -------
    GradcheckReport
        Print it. It failed if an array is wrong, or has the wrong shape or dtype, or NaN, and if backward raises an
        error or changes what it was given.

    Raises
    ------
    GradcheckError
        If forward or loss cannot be differentiated: it raises, gives no float64, is random, or has a kink everywhere.
    ConfigurationError
        If a size, the seed or the tolerance makes no sense, or ``backward`` cannot be called.

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
    # A factor N is 1 for one image, so two batches also tell a missing 1/N from any other factor.
    others = 1 if images > 1 else 3
    setting = f"Held against numerical derivatives of the loss, in float64, with {sizes} and with N = {others}"
    cases = _cases(functions, (sizes, sizes._replace(images=others)), seed)
    error = next((case.answer.error for case in cases if case.answer.error), None)
    if cases[0].answer.error is not None:
        arrays, findings, notes = _after_an_error(functions, cases[0].answer, seed, tolerance)
        return GradcheckReport("backward", setting, "numerical", arrays, findings, notes, error)
    findings = cases[0].answer.findings
    # What both batches show is said once.
    said = {(finding.mistake, finding.arrays) for finding in findings}
    findings += tuple(one for one in cases[1].answer.findings if (one.mistake, one.arrays) not in said)
    usable = [case for case in cases if case.answer.error is None]
    findings += diagnose(usable, tolerance)
    if not findings:
        findings = _at_full_size(functions, seed, tolerance)
        setting += f"; also, along random directions, with {FULL_SIZE}"
    notes = tuple(dict.fromkeys(note for case in cases for note in case.answer.notes))
    return GradcheckReport("backward", setting, "numerical", _worst(usable, tolerance), findings, notes, error)


def _functions(backward: Any, forward: Function | None, loss: Function | None) -> Functions:
    of_module = getattr(backward, "backward", None)
    if of_module is not None:
        forward = forward or getattr(backward, "forward", None)
        loss = loss or getattr(backward, "loss", None)
    functions = Functions(forward or numpy_kernels.forward, loss or numpy_kernels.loss, of_module or backward)
    for name, function in functions._asdict().items():
        if not callable(function):
            raise ConfigurationError(f"{name} is a {type(function).__name__}; expected a function or a module with one")
    return functions


def _cases(functions: Functions, batches: tuple[ProblemSizes, ...], seed: int) -> list[Case]:
    cases = []
    for sizes in batches:
        measured = smooth_problem(functions, sizes, seed)
        answer = ask(functions.backward, measured.problem, measured.activations)
        cases.append(Case(measured, right_steps(functions, measured), answer))
    return cases


def _worst(cases: list[Case], tolerance: float) -> tuple[ArrayCheck, ...]:
    # One record an array: of the first batch, unless the array is right there and wrong in another.
    compared = ([one for case in cases if (one := case.compared(k, tolerance))] for k in range(len(NAMES)))
    return tuple(min(records, key=lambda record: record.passed) for records in compared if records)


def _after_an_error(
    functions: Functions, answer: Returned, seed: int, tolerance: float
) -> tuple[tuple[ArrayCheck, ...], tuple[Finding, ...], tuple[str, ...]]:
    # Where it raises there are no numbers; at other sizes there may be, and they say why.
    (raised,) = answer.findings
    problem = draw_problem(FULL_SIZE, seed)
    if ask(functions.backward, problem, check_forward_and_loss(functions, problem)).error is None:
        fixed = BACKWARD.finding("size written into the code", (), seen=raised.explanation, sizes=FULL_SIZE)
        return (), (fixed,), ()
    (square,) = cases = _cases(functions, (SQUARE,), seed)
    if square.answer.error is not None:
        return (), (replace(raised, right=BACKWARD.hints["raises"]),), ()
    found = square.answer.findings + diagnose(cases, tolerance)
    text = BACKWARD.hints["square wrong" if found else "square right"].format(sizes=SQUARE)
    raised = replace(raised, explanation=f"{raised.explanation} {text}")
    return _worst(cases, tolerance), (raised, *found), square.answer.notes


def _at_full_size(functions: Functions, seed: int, tolerance: float) -> tuple[Finding, ...]:
    problem = draw_problem(FULL_SIZE, seed)
    answer = ask(functions.backward, problem, check_forward_and_loss(functions, problem))
    if answer.findings:
        return answer.findings
    rng = np.random.default_rng([seed, 1])
    found = []
    for name, field, array in zip(NAMES, Parameters._fields, answer.arrays, strict=True):
        w = getattr(problem.params, field)
        # A step along a direction moves Z1 and the logits about as far as one along a single bias.
        direction = rng.normal(size=w.shape) / np.sqrt(w.size)
        expected = directional_derivative(functions, problem, field, direction)
        parts = np.asarray(array) * direction
        yours = float(np.sum(parts))
        # The entries may cancel along a direction, so their size is what the error is judged by; NaN is not judged.
        if abs(yours - expected) > tolerance * max(abs(expected), float(np.linalg.norm(parts))):
            fields = {"sizes": FULL_SIZE, "name": name, "yours": f"{yours:.8g}", "expected": f"{expected:.8g}"}
            found.append(BACKWARD.finding("wrong at full size", (name,), **fields))
    return tuple(found)
