"""The checks that precede timings, by name, as they are applied to mutants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nnkernels import contenders, kernels
from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.errors import GateError, one_line
from nnkernels.measure.correctness import gate
from nnkernels.measure.correctness.composed import require_functions
from nnkernels.measure.correctness.evaluations import first_wrong_evaluation
from nnkernels.measure.correctness.from_file import require_from_file
from nnkernels.measure.correctness.gate_result import PREDICTION_TOLERANCE, GateResult
from nnkernels.measure.correctness.gate_training import IMAGES
from nnkernels.recipes import OPTIMIZER_NAMES, Optimizer, OptimizerName, Recipe, benchmark_recipe
from nnkernels.transforms import as_features

FUNCTIONS, FROM_FILE = "kernels", "from file"
EVALUATION = "evaluation"
# The names of checks in verdicts. Those on real images come first.
CHECKS = ("parameters", "predictions", "functions", "file", "evaluation", "extremes", "threads", "breaks down")
BATCH_SIZES = (1, 32, 256, 2048)  # those of bench/kernels.py


@dataclass(frozen=True)
class Training:
    """The training of one gate.

    Attributes
    ----------
    recipe : Recipe
        Training recipe.
    threads : int
        Number of threads.
    """

    recipe: Recipe
    threads: int = 1


def _regularized(optimizer: OptimizerName) -> Training:
    """Return a training with weight decay and label smoothing that show in 65 steps, and with averaging."""
    recipe = benchmark_recipe(Optimizer(optimizer, weight_decay=0.2))
    return Training(recipe.with_changes(label_smoothing=0.1, averaged_epochs=1))


_LARGE = benchmark_recipe(batch_size=1024)
TRAININGS = {
    "sgd": Training(benchmark_recipe()),
    "sgd on 2 threads": Training(benchmark_recipe(), 2),
    "momentum": Training(benchmark_recipe(Optimizer("momentum"))),
    "adam": Training(benchmark_recipe(Optimizer("adam"))),
    **{f"regularized {name}": _regularized(name) for name in OPTIMIZER_NAMES},
    "batch 1,024": Training(_LARGE),
    "batch 1,024 on 2 threads": Training(_LARGE, 2),
    "batch 1,024 on 3 threads": Training(_LARGE, 3),
    "hidden 128": Training(benchmark_recipe(batch_size=128).with_changes(hidden=128)),
}
# `kernels` checks a backend's individual functions, as the benchmark of kernels calls them. `from file` checks an epoch
# on images that stay in their file. `evaluation` checks the loss and the errors of parameters, on two threads.
GATES = (*TRAININGS, FUNCTIONS, FROM_FILE, EVALUATION)
MAX_THREADS = max(training.threads for training in TRAININGS.values())


@dataclass(frozen=True)
class Verdict:
    """The result of a gate.

    Attributes
    ----------
    gate : str
        Name of the gate.
    checks : dict
        The failed checks, each with its deviation as a number or a description. Empty if the gate is passed.
    """

    gate: str
    checks: dict[str, float | str]

    @property
    def passed(self) -> bool:
        """Whether the gate is passed, so that the code would be timed."""
        return not self.checks


def judge(backend: str, gates: tuple[str, ...], dataset: Dataset) -> Iterator[Verdict]:
    """Check a backend, as it is imported in this process, with several gates.

    Parameters
    ----------
    backend : str
        Name of the backend.
    gates : tuple of str
        Names in :data:`GATES`.
    dataset : Dataset
        The source of the images.

    Yields
    ------
    verdict : Verdict
        The result of the next gate. An exception counts as a failed check.
    """
    for name in gates:
        try:
            yield Verdict(name, _failed_checks(backend, name, dataset))
        except Exception as error:
            yield Verdict(name, {"breaks down": one_line(error)})


def _failed_checks(backend: str, name: str, dataset: Dataset) -> dict[str, float | str]:
    if name == FUNCTIONS:
        return _failed_functions(backend, dataset)
    if name == EVALUATION:
        return _failed_evaluation(KernelContender(backend), dataset)
    with closing(contenders.create(backend)) as contender:
        if name == FROM_FILE:
            contender.use_threads(1)
            return _failed_from_file(backend, contender, dataset)
        training = TRAININGS[name]
        contender.use_threads(training.threads)
        return _failed_comparisons(gate.compare_with_oracle(backend, contender, dataset, training.recipe))


def _failed_functions(backend: str, dataset: Dataset) -> dict[str, float | str]:
    try:
        for size in BATCH_SIZES:
            X = as_features(np.resize(dataset.X_train[:2048], (size, dataset.X_train.shape[1])))
            y = np.resize(dataset.y_train[:2048], size).astype(np.int64)
            require_functions(backend, kernels.load(backend), X, y)
    except GateError as error:
        return {"functions": str(error)}
    return {}


def _failed_evaluation(contender: KernelContender, dataset: Dataset) -> dict[str, float | str]:
    contender.use_threads(2)
    wrong = first_wrong_evaluation(contender, dataset)
    return {EVALUATION: wrong} if wrong else {}


def _failed_from_file(backend: str, contender: Contender, dataset: Dataset) -> dict[str, float | str]:
    with TemporaryDirectory() as folder:
        images, labels = Path(folder, "images.npy"), Path(folder, "labels.npy")
        np.save(images, dataset.X_train[:IMAGES])
        np.save(labels, dataset.y_train[:IMAGES])
        try:
            require_from_file(backend, contender, images, labels)
        except GateError as error:
            return {"file": str(error)}
    return {}


def _number(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)  # JSON has neither NaN nor infinity


def _failed_comparisons(result: GateResult) -> dict[str, float | str]:
    checks: dict[str, float | str] = {}
    if not result.max_abs_difference <= result.tolerance:
        checks["parameters"] = _number(result.max_abs_difference)
    if not result.prediction_difference <= PREDICTION_TOLERANCE:
        checks["predictions"] = _number(result.prediction_difference)
    if result.extremes:
        checks["extremes"] = result.extremes
    if result.threads_difference != 0:
        checks["threads"] = _number(result.threads_difference)
    return checks
