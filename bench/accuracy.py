"""How accurate is each contender after the same training?"""

from __future__ import annotations

from contextlib import closing

from asv_runner.benchmarks.mark import SkipNotImplemented

from nnkernels import contenders, kernels
from nnkernels.errors import MeasurementError, one_line
from nnkernels.measure.timing.threads import thread_count
from nnkernels.recipes import accuracy_recipe
from nnkernels.training import train

from ._common import CONTENDERS, DATASETS, OPTIONS, available_dataset, dataset, selected_contenders, trainable_or_skip

SEEDS = OPTIONS.seeds or 10

ErrorRates = dict[str, dict[str, list[float]]]


class ErrorRate:
    """Error rate after training on 60,000 images: SGD, batch size 32, learning rate decaying to 0; a value per seed."""

    params = (CONTENDERS, DATASETS)
    param_names = ("contender", "dataset")
    version = "1"
    timeout = 60
    unit = "error rate"

    def setup_cache(self) -> tuple[ErrorRates, dict[str, str]]:
        """Train every contender from the same initial parameters and on the same image orders.

        Returns
        -------
        error_rates : dict
            ``error_rates[contender][part]``: one value per seed, for the parts ``test`` and ``train``.
        failures : dict
            The error of each contender that failed.
        """
        data = available_dataset()
        recipe = accuracy_recipe(len(data.X_train))
        error_rates: ErrorRates = {}
        failures: dict[str, str] = {}
        for name in selected_contenders():
            if not contenders.entry(name).trains:
                continue
            try:
                with (
                    closing(contenders.create_anywhere(name)) as contender,
                    contenders.thread_limit(contender, thread_count("all")),
                ):
                    histories = [
                        train(
                            contender,
                            data.training,
                            recipe,
                            seed=seed,
                            validation=data.test,
                            evaluate_every=0,
                            judge=kernels.load("numpy"),
                        )
                        for seed in range(SEEDS)
                    ]
                records = [history.epochs[-1] for history in histories]
            except Exception as error:  # counts as this contender's failure
                failures[name] = one_line(error)
                continue
            error_rates[name] = {
                "test": [record.validation_error_rate for record in records],
                "train": [record.train_error_rate for record in records],
            }
        return error_rates, failures

    setup_cache.timeout = 1800  # type: ignore[attr-defined]

    def track_test(
        self, measured: tuple[ErrorRates, dict[str, str]], contender: str, dataset_name: str
    ) -> dict[str, object]:
        """Return the fraction of misclassified test images."""
        return _samples(measured, contender, dataset_name, "test")

    def track_train(
        self, measured: tuple[ErrorRates, dict[str, str]], contender: str, dataset_name: str
    ) -> dict[str, object]:
        """Return the fraction of misclassified training images at the end of training."""
        return _samples(measured, contender, dataset_name, "train")


def _samples(
    measured: tuple[ErrorRates, dict[str, str]], contender: str, dataset_name: str, part: str
) -> dict[str, object]:
    dataset(dataset_name)
    error_rates, failures = measured
    if contender in failures:
        raise MeasurementError(f"{contender} could not be trained: {failures[contender]}")
    if trainable_or_skip(contender) not in error_rates:
        raise SkipNotImplemented(f"{contender} is not part of this run")
    return {"samples": error_rates[contender][part], "number": 1}
