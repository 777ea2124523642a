"""Comparisons: backends in scenarios, and the amount of work per segment."""

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
    """Work that both sides perform.

    Attributes
    ----------
    kind : str
        ``train``, ``one image`` or ``many images``; see :class:`~nnkernels.measure.regression.side_process.Side`.
    recipe : Recipe
        Training recipe; also used for the correctness check.
    unit : str
        The unit of work of a segment: ``batches`` or ``calls``.
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
    backend, scenario : str
        Their names.
    units : int
        Batches or calls per segment; 0 if not yet decided.
    repeat_every : int
        Injects a slowdown of known size: after every ``repeat_every`` batches, the tree trains on an additional
        one. 0 for none.
    """

    backend: str
    scenario: str
    units: int = 0
    repeat_every: int = 0

    @property
    def name(self) -> str:
        """The names of the backend and the scenario, separated by a space."""
        return f"{self.backend} {self.scenario}"

    @property
    def injected(self) -> float:
        """The tree's injected slowdown, as a fraction of the base's time."""
        return 1 / self.repeat_every if self.repeat_every else 0.0

    def with_units(self, units: int, images: int) -> Comparison:
        """Return the comparison with a number of units per segment.

        Parameters
        ----------
        units : int
            Desired number of units. With an injected slowdown, it is rounded to a multiple of ``repeat_every``, so that
            the slowdown is exact.
        images : int
            Number of training images.

        Returns
        -------
        comparison : Comparison
            A copy.

        Raises
        ------
        ConfigurationError
            If an epoch has fewer than ``repeat_every`` batches.
        """
        if not self.repeat_every:
            return replace(self, units=units)
        if self.max_units(images) < self.repeat_every:
            raise ConfigurationError(
                f"an epoch of {images} images has fewer than {self.repeat_every} batches: use a larger data set"
            )
        max_repeats = self.max_units(images) // self.repeat_every
        return replace(self, units=self.repeat_every * min(max(round(units / self.repeat_every), 1), max_repeats))

    def work(self, units: int, slowed: bool = False) -> dict[str, Any]:
        """Return the request for a side's process to prepare a segment.

        Parameters
        ----------
        units : int
            Batches or calls.
        slowed : bool
            Whether to inject the slowdown.

        Returns
        -------
        request : dict
            Arguments of :meth:`nnkernels.measure.regression.side_process.Side.add`.
        """
        scenario = SCENARIOS[self.scenario]
        amount = {scenario.unit: units, "extra": units // self.repeat_every if slowed and self.repeat_every else 0}
        return {"backend": self.backend, "kind": scenario.kind, "recipe": recipe_fields(scenario.recipe), **amount}

    def max_units(self, images: int) -> int:
        """Return the largest number of units per segment.

        Parameters
        ----------
        images : int
            Number of training images.

        Returns
        -------
        units : int
            The batches of an epoch, or 100,000 calls.
        """
        scenario = SCENARIOS[self.scenario]
        return max(1, images // scenario.recipe.batch_size) if scenario.kind == "train" else 100_000


def choose(backends: Sequence[str], scenarios: Sequence[str], repeat_every: int = 0) -> list[Comparison]:
    """Return the comparisons of backends in scenarios, ordered by scenario.

    Parameters
    ----------
    backends : sequence of str
        Names of backends; empty for the default ones.
    scenarios : sequence of str
        Names of scenarios; empty for all.
    repeat_every : int
        Injected slowdown; see :class:`Comparison`.

    Returns
    -------
    comparisons : list of Comparison
        One per backend and scenario.

    Raises
    ------
    UnknownNameError
        If there is no such scenario.
    ConfigurationError
        If a slowdown is to be injected into a scenario that does not train.
    """
    scenarios = list(dict.fromkeys(scenarios)) or list(SCENARIOS)
    for name in scenarios:
        if name not in SCENARIOS:
            raise UnknownNameError("scenario", name, tuple(SCENARIOS))
        if repeat_every and SCENARIOS[name].kind != "train":
            raise ConfigurationError(f"{name} has no batches to repeat: choose scenarios that train")
    return [
        Comparison(backend, scenario, repeat_every=repeat_every)
        for scenario in scenarios
        for backend in dict.fromkeys(backends or BACKENDS)
    ]


def recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe in the form in which it is sent to the sides. All other fields have their defaults.

    Parameters
    ----------
    recipe : Recipe
        The recipe.

    Returns
    -------
    fields : dict
        Name, optimizer's name, batch size and learning rate.
    """
    return {
        "name": recipe.name,
        "optimizer": recipe.optimizer.name,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
    }


def write_data(dataset: Dataset, folder: Path) -> None:
    """Write the arrays that both sides read, as ``.npy`` files.

    Parameters
    ----------
    dataset : Dataset
        Training and test images.
    folder : Path
        An existing folder.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        side_process.IMAGES: dataset.X_train,
        side_process.LABELS: dataset.y_train,
        side_process.ORDER: batch_order(SEED, 0, len(dataset.X_train)),
        side_process.ONE_BY_ONE: np.concatenate(one_image_calls(dataset)),
        side_process.TOGETHER: ten_thousand_images(dataset),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
