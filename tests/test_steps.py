"""The steps from naive to fast: each passes the gate, and changes few lines of the one that it builds on."""

from __future__ import annotations

import numpy as np
import pytest

from nnkernels import Dataset, contenders, steps
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError, GateError, UnknownNameError
from nnkernels.measure.timing.step_times import check_step
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD, Optimizer
from nnkernels.steps.contender import StepContender


@pytest.mark.parametrize("step", steps.STEPS, ids=steps.names())
def test_every_step_passes_the_gate(step: steps.Step, small_digits: Dataset) -> None:
    contender = StepContender(step.name)
    with contenders.thread_limit(contender, 2 if step.threads == "all" else 1):
        result = check_step(step, contender, small_digits)
    assert result.trained
    assert result.max_abs_difference < result.tolerance


def test_a_step_that_trains_otherwise_is_stopped_by_the_gate(
    monkeypatch: pytest.MonkeyPatch, small_digits: Dataset
) -> None:
    module = steps.load("numpy_arrays")
    backward = module.backward
    monkeypatch.setattr(module, "backward", lambda *arguments: [1.01 * array for array in backward(*arguments)])
    with pytest.raises(GateError, match="numpy_arrays departs from the float64 oracle"):
        check_step(steps.step("numpy_arrays"), StepContender("numpy_arrays"), small_digits)


def test_steps_are_no_contenders() -> None:
    assert not set(steps.names()) & set(contenders.names())


def test_each_step_builds_on_an_earlier_one_and_changes_some_of_its_lines() -> None:
    known = steps.names()
    for number, step in enumerate(steps.STEPS):
        assert step.builds_on in known[:number] if number else step.builds_on == ""
        lines = steps.changes(step.name)
        assert bool(lines) == bool(number)
        if number:
            assert lines[:2] == [f"--- {step.builds_on}.py", f"+++ {step.name}.py"]
            added = sum(line.startswith("+") for line in lines[2:])
            assert 0 < added < len(step.source.splitlines())


def test_every_step_says_its_idea_first_and_fits_on_two_screens() -> None:
    for step in steps.STEPS:
        first, *lines = step.source.splitlines()
        assert first.startswith('"""')
        assert first.endswith('."""')
        assert len(lines) < 150


def test_changes_against_any_other_step() -> None:
    lines = steps.changes("vectors", against="fused_batch", context=0)
    assert lines[0] == "--- fused_batch.py"
    assert any(line.startswith("-") and "z3 +=" in line for line in lines)
    with pytest.raises(UnknownNameError, match="python_loops"):
        steps.changes("vector")


def test_what_no_step_can_train_is_refused(small_digits: Dataset) -> None:
    contender = StepContender("numpy_arrays")
    floats = LabelledImages(small_digits.X_train[:8] / np.float32(255), small_digits.y_train[:8])
    with pytest.raises(DataError, match="uint8"):
        contender.prepare(initial_parameters(0), floats, SGD)
    with pytest.raises(ConfigurationError, match="adam"):
        contender.prepare(initial_parameters(0), small_digits.training, SGD.with_changes(optimizer=Optimizer("adam")))
    with pytest.raises(ConfigurationError, match="25 and 10"):
        contender.prepare(initial_parameters(0, hidden=25), small_digits.training, SGD)
    contender.prepare(initial_parameters(0), small_digits.training, SGD)
    with pytest.raises(DataError, match="order goes from"):
        contender.advance(np.array([0, len(small_digits.X_train)]), np.array([0.1], np.float32))
