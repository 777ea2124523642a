"""What is compared: scenarios, each of our backends in them, and how much work a segment is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.regression import side_process
from nnkernels.measure.timing.tasks import SEED, one_image_calls, ten_thousand_images
from nnkernels.recipes import SGD, Optimizer, Recipe, benchmark_recipe
from nnkernels.training import batch_order

BACKENDS = ("numpy", "numba", "fused")


@dataclass(frozen=True)
class Scenario:
    """Work that both sides do.

    Attributes
    ----------
    kind : str
        ``train``, ``one image`` or ``many images``, as :class:`~nnkernels.measure.regression.side_process.Side` has it.
    recipe : Recipe
        What it trains by, and what the gate is passed by.
    unit : str
        What ``units`` of a comparison count.
    """

    kind: str
    recipe: Recipe
    unit: str


SCENARIOS = {
    "epoch": Scenario("train", SGD, "batches"),
    "epoch-adam": Scenario("train", benchmark_recipe(Optimizer("adam")), "batches"),
    "one-image": Scenario("one image", SGD, "calls"),
    "10000-images": Scenario("many images", SGD, "calls"),
}


@dataclass(frozen=True)
class Comparison:
    """A backend in a scenario.

    Attributes
    ----------
    units : int
        How much work a segment is: batches, or calls. 0 where that is not decided yet.
    repeat_every : int
        The tree does one batch more for each so many, as a slowdown of a known size; 0: none.
    """

    backend: str
    scenario: str
    units: int = 0
    repeat_every: int = 0

    @property
    def name(self) -> str:
        """Backend and scenario."""
        return f"{self.backend} {self.scenario}"

    @property
    def injected(self) -> float:
        """The slowdown, as a share, that the tree is given."""
        return 1 / self.repeat_every if self.repeat_every else 0.0

    def with_units(self, units: int, images: int) -> Comparison:
        """Return it with about so many units a segment: of a slowed one, a multiple, so that the slowdown is exact.

        Raises
        ------
        ConfigurationError
            If an epoch has fewer batches than one of which is to be done again.
        """
        if not self.repeat_every:
            return replace(self, units=units)
        if self.most_units(images) < self.repeat_every:
            raise ConfigurationError(f"an epoch of {images} images has fewer than {self.repeat_every} batches")
        most = self.most_units(images) // self.repeat_every
        return replace(self, units=self.repeat_every * min(max(round(units / self.repeat_every), 1), most))

    def work(self, units: int, slowed: bool = False) -> dict[str, Any]:
        """Return the request by which a side prepares so much of it."""
        scenario = SCENARIOS[self.scenario]
        amount = {scenario.unit: units, "extra": units // self.repeat_every if slowed and self.repeat_every else 0}
        return {"backend": self.backend, "kind": scenario.kind, "recipe": recipe_fields(scenario.recipe), **amount}

    def most_units(self, images: int) -> int:
        """Return what a segment is at most: an epoch."""
        scenario = SCENARIOS[self.scenario]
        return max(1, images // scenario.recipe.batch_size) if scenario.kind == "train" else 100_000


def choose(backends: Sequence[str], scenarios: Sequence[str], repeat_every: int = 0) -> list[Comparison]:
    """Return each backend in each scenario, those of a scenario together; empty: all.

    Raises
    ------
    UnknownNameError
        If there is no such scenario.
    ConfigurationError
        If a scenario that does not train is to repeat batches.
    """
    scenarios = list(dict.fromkeys(scenarios)) or list(SCENARIOS)
    for name in scenarios:
        if name not in SCENARIOS:
            raise UnknownNameError("scenario", name, tuple(SCENARIOS))
        if repeat_every and SCENARIOS[name].kind != "train":
            raise ConfigurationError(f"{name} has no batches that could be repeated; choose scenarios that train")
    return [
        Comparison(backend, scenario, repeat_every=repeat_every)
        for scenario in scenarios
        for backend in dict.fromkeys(backends or BACKENDS)
    ]


def recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as the sides are told it; all else is as the recipe's defaults are."""
    return {
        "name": recipe.name,
        "optimizer": recipe.optimizer.name,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
    }


def write_data(dataset: Dataset, folder: Path) -> None:
    """Write what the sides read: in the form that loads fastest, and the same for both."""
    arrays: dict[str, npt.NDArray[Any]] = {
        side_process.IMAGES: dataset.X_train,
        side_process.LABELS: dataset.y_train,
        side_process.ORDER: batch_order(SEED, 0, len(dataset.X_train)),
        side_process.ONE_BY_ONE: np.concatenate(one_image_calls(dataset)),
        side_process.TOGETHER: ten_thousand_images(dataset),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
