"""Times from images in memory to a network of a given test error, one training run per seed."""

from __future__ import annotations

import time
from functools import partial

from nnkernels.contenders import Contender
from nnkernels.data import Dataset
from nnkernels.errors import MeasurementError
from nnkernels.evaluation import evaluate
from nnkernels.measure.timing.interleaving import Task
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.tasks import prepare
from nnkernels.parameters import initial_parameters
from nnkernels.training import batch_order

SEEDS = 10


class Trainings:
    """Training runs of a contender to an error rate, each with a new seed, and their times.

    The preparation (see :func:`~nnkernels.measure.timing.tasks.prepare`) and the epochs are timed. The evaluation on
    test images, by the reference forward pass, is excluded from the timing.

    Parameters
    ----------
    scenario : Scenario
        A scenario of the kind ``time to accuracy``.
    contender : Contender
        The contender to train.
    dataset : Dataset
        Training and test images.

    Attributes
    ----------
    preparation : list of list of float
        Seconds of each preparation. There is one list per seed, with one number.
    training : list of list of float
        Seconds of the epochs of each training run, in the same form.
    """

    def __init__(self, scenario: Scenario, contender: Contender, dataset: Dataset) -> None:
        self.scenario, self.contender, self.dataset = scenario, contender, dataset
        self.preparation: list[list[float]] = []
        self.training: list[list[float]] = []

    @property
    def total(self) -> list[list[float]]:
        """The seconds of preparation and epochs together."""
        return [[first + second] for (first,), (second,) in zip(self.preparation, self.training, strict=True)]

    def task(self, threads: int) -> Task:
        """Return a task that trains from the next seed in each segment.

        The warm-up trains one epoch, so imports and compilation that happen once per process are excluded.

        Parameters
        ----------
        threads : int
            Number of threads, set before each segment.

        Returns
        -------
        task : Task
            Its unit is a training run.
        """
        return Task(self._next_seed, 1, 1, partial(self.contender.use_threads, threads), self._first_epoch)

    def _first_epoch(self) -> None:
        self._prepare(0)
        self._advance(0, 0)

    def _next_seed(self) -> None:
        """Train from the next seed; raise MeasurementError if the error rate is not reached."""
        recipe, data, seed = self.scenario.recipe, self.dataset, len(self.training)
        preparation = self._prepare(seed)
        training, error_rate = 0.0, 1.0
        for epoch in range(recipe.epochs):
            training += self._advance(seed, epoch)
            error_rate = evaluate(self.contender.parameters(), data.X_test, data.y_test)[1]
            if error_rate <= self.scenario.error_rate:
                self.preparation.append([preparation])
                self.training.append([training])
                return
        raise MeasurementError(
            f"after {recipe.epochs} epochs with seed {seed}, the test error is {100 * error_rate:.2f} %, "
            f"above the target of {100 * self.scenario.error_rate:.1f} %"
        )

    def _prepare(self, seed: int) -> float:
        recipe, data = self.scenario.recipe, self.dataset.training
        start = initial_parameters(seed, data.X.shape[1], recipe.hidden, data.classes)
        started = time.perf_counter()
        prepare(self.contender, start, data, recipe)
        return time.perf_counter() - started

    def _advance(self, seed: int, epoch: int) -> float:
        images = len(self.dataset.X_train)
        order, learning_rates = batch_order(seed, epoch, images), self.scenario.recipe.learning_rates(epoch, images)
        started = time.perf_counter()
        self.contender.advance(order, learning_rates)
        return time.perf_counter() - started
