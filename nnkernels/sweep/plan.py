"""Which trainings a sweep consists of, and on which images."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from nnkernels import contenders
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, DataError, one_line
from nnkernels.recipes import Recipe, named_recipe, recipe_from_record

JudgeName = Literal["validation", "test"]
JUDGES: tuple[JudgeName, ...] = ("validation", "test")


@dataclass(frozen=True)
class Training:
    """One training run of a sweep.

    Attributes
    ----------
    contender : str
        The name of the contender.
    recipe : Recipe
        The recipe, with the width of the hidden layer and the learning rate.
    seed : int
        The seed.
    keep_network : bool
        Whether the trained parameters are kept as well. This does not change the training.
    """

    contender: str
    recipe: Recipe
    seed: int
    keep_network: bool = field(default=False, compare=False)

    @property
    def text(self) -> str:
        """The training in a few words."""
        recipe = self.recipe
        return (
            f"{recipe.name}, {self.contender}, width {recipe.hidden}, rate {recipe.learning_rate:g}, seed {self.seed}"
        )

    def key(self, images: str) -> str:
        """Return what identifies the result of this training.

        Parameters
        ----------
        images : str
            What identifies the images, see :attr:`Plan.images`.

        Returns
        -------
        key : str
            32 hexadecimal digits.
        """
        # Only what differs from the defaults, so that a new attribute of recipes changes no key.
        text = json.dumps([self.contender, _stated(self.recipe), self.seed, images], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Plan:
    """The trainings of a sweep, and their images.

    Attributes
    ----------
    trainings : tuple of Training
        Ordered by seed, so that an interrupted sweep has about equally many seeds of each combination.
    dataset : Dataset
        The images: its training images, and as test images those on which the trainings are judged.
    judge : {"validation", "test"}
        Which images of the data set those are.
    source : dict
        The name and the hash of the data set they come from.
    """

    trainings: tuple[Training, ...]
    dataset: Dataset
    judge: JudgeName
    source: dict[str, str]

    @property
    def images(self) -> str:
        """What identifies the images on which the networks are trained and judged."""
        return f"{self.source['sha256']} {self.judge}"


def make_plan(
    dataset: Dataset,
    recipes: Sequence[Recipe],
    *,
    seeds: Sequence[int],
    names: Sequence[str] = ("fused",),
    widths: Sequence[int] = (),
    learning_rates: Sequence[float] = (),
    judge: JudgeName = "validation",
    networks: bool = False,
) -> Plan:
    """Return the plan of a sweep: every combination of what is given.

    Parameters
    ----------
    dataset : Dataset
        The data.
    recipes : sequence of Recipe
        The recipes, with different names.
    seeds : sequence of int
        The seeds.
    names : sequence of str, default: ("fused",)
        The contenders.
    widths : sequence of int, optional
        Widths of the hidden layer instead of those of the recipes.
    learning_rates : sequence of float, optional
        Learning rates instead of those of the recipes.
    judge : {"validation", "test"}, default: "validation"
        ``validation`` holds out the last sixth of the training images (10,000 of MNIST's 60,000), and judges on them.
        ``test`` trains on all training images, and judges on the test images.
    networks : bool, default: False
        Whether to keep the trained networks.

    Returns
    -------
    plan : Plan
        The plan.

    Raises
    ------
    ConfigurationError
        If there is nothing to train, if something is given twice, if two recipes have the same name, or if a recipe
        would be stopped early by the test images.
    UnknownNameError, MissingDependencyError, InferenceOnlyError
        If a contender is unknown, not installed, or cannot train.
    """
    axes: dict[str, Sequence[object]] = {
        "recipe": [recipe.name for recipe in recipes],
        "seed": seeds,
        "contender": names,
        "width": widths,
        "learning rate": learning_rates,
    }
    for what in ("recipe", "seed", "contender"):
        if not axes[what]:
            raise ConfigurationError(f"no {what} is given; a sweep needs at least one")
    for what, given in axes.items():
        if repeated := [value for value in given if list(given).count(value) > 1]:
            raise ConfigurationError(f"the {what} {repeated[0]} is given twice; give each one once, by its own name")
    if min(seeds) < 0:
        raise ConfigurationError(f"the seed {min(seeds)} is negative; expected 0 or more")
    for name in names:
        contenders.require_trainable(name)
    for recipe in recipes:
        if recipe.patience is not None and judge == "test":
            raise ConfigurationError(
                f"the recipe {recipe.name!r} stops early, and the test images would decide when; judge by the "
                "validation images, or set patience to None"
            )
    trainings = tuple(
        Training(name, recipe.with_changes(hidden=width, learning_rate=rate), seed, networks)
        for seed in seeds
        for recipe in recipes
        for width in widths or (recipe.hidden,)
        for rate in learning_rates or (recipe.learning_rate,)
        for name in names
    )
    used = dataset.validation_split() if judge == "validation" else dataset
    return Plan(trainings, used, judge, {"name": dataset.name, "sha256": dataset.sha256})


def _stated(value: Any) -> Any:
    """Return the attributes of a record that differ from their defaults, by name."""
    if not is_dataclass(value):
        return value
    stated = {}
    for attribute in fields(value):
        found = getattr(value, attribute.name)
        default = attribute.default_factory() if attribute.default_factory is not MISSING else attribute.default
        if found != default:
            stated[attribute.name] = _stated(found)
    return stated


def read_recipes(path: Path, images: int) -> list[Recipe]:
    """Read recipes from a TOML file.

    The file contains tables ``[[recipe]]`` with attributes of :class:`~nnkernels.recipes.Recipe`. With ``base``, the
    name of a recipe, a table states only what differs from that recipe.

    Parameters
    ----------
    path : Path
        The file.
    images : int
        The number of training images.

    Returns
    -------
    recipes : list of Recipe
        The recipes, at least one.

    Raises
    ------
    DataError
        If the file cannot be read, or contains anything else.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({one_line(error)}); expected a TOML file of recipes") from error
    tables = content.get("recipe")
    if set(content) != {"recipe"} or not isinstance(tables, list):
        raise DataError(f"{path}: contains {', '.join(content) or 'nothing'}; expected only tables [[recipe]]")
    return [_recipe(table, images, f"{path}, recipe {number}") for number, table in enumerate(tables, start=1)]


def _recipe(table: Any, images: int, where: str) -> Recipe:
    try:
        record = dict(table)
        base = record.pop("base", None)
        if "name" not in record:
            raise ConfigurationError("it has no name")
        return recipe_from_record(record, None if base is None else named_recipe(base, images))
    except (ConfigurationError, TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}") from error
