"""What the accuracy benchmark trains: recipes, seeds, contenders and widths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nnkernels.accuracy.equivalence import planned_seeds
from nnkernels.data import Dataset
from nnkernels.recipes import Recipe, named_recipe
from nnkernels.statistics import Floats
from nnkernels.sweep.plan import Plan, Training, make_plan

OURS, KERAS, FIT = "fused", "keras-graph", "keras-fit"
BEST = "best"
RECIPES = ("plain-best", "augmented-best", BEST)
# Plain Adam: the width alone decides.
WIDTH_RECIPE = "adam"
# The recipes were chosen with seeds below 25, so luck in that choice is not part of the result. An interrupted run of
# earlier recipes had the seeds 100 to 109 as well, see results/search/README.md.
FIRST_SEED = 100
# Test accuracies of the write-up's two models, as fractions. It calls them equivalent.
CLAIMED_KERAS = {"the write-up's Keras": 0.979}
CLAIMS = {"the write-up's own network": 0.913, **CLAIMED_KERAS}
MINUTES = 40  # on two cores, for the display


@dataclass(frozen=True)
class Design:
    """The trainings of the accuracy benchmark.

    Attributes
    ----------
    recipes : tuple of Recipe
        The accurate recipes. That of the name ``best`` is trained with more seeds, and its networks are kept.
    width_recipe : Recipe
        The recipe of the width study.
    seeds : int
        Number of seeds of ours, and of Keras with ``best``.
    pilot_seeds : int
        Number of seeds of Keras with the other recipes. The first so many pairs plan the number of further seeds.
    most_seeds : int
        Largest number of seeds.
    fit_seeds : int
        Number of seeds of Keras' ``fit``, which takes minutes for each.
    widths, keras_widths : tuple of int
        Numbers of hidden units of the width study, for ours and for Keras.
    keras_width_seeds : int
        Number of seeds of Keras in the width study.
    processes : int
        Number of processes that time paired epochs.
    turns : int
        Number of paired epochs in each of them.
    """

    recipes: tuple[Recipe, ...]
    width_recipe: Recipe
    seeds: int = 10
    pilot_seeds: int = 5
    most_seeds: int = 20
    fit_seeds: int = 1
    widths: tuple[int, ...] = (10, 16, 20, 32, 64, 128, 256)
    keras_widths: tuple[int, ...] = (20, 64, 128)
    keras_width_seeds: int = 10
    processes: int = 4
    turns: int = 5

    @property
    def best(self) -> Recipe:
        """The recipe of the name ``best``."""
        return next(recipe for recipe in self.recipes if recipe.name == BEST)


def standard_design(images: int) -> Design:
    """Return the design of ``nnkernels bench --profile accuracy``.

    Parameters
    ----------
    images : int
        Number of training images.

    Returns
    -------
    design : Design
        The design.
    """
    recipes = tuple(named_recipe(name, images) for name in RECIPES)
    return Design(recipes, named_recipe(WIDTH_RECIPE, images))


@dataclass(frozen=True)
class Stage:
    """A part of the benchmark that consists of trainings.

    Attributes
    ----------
    name : str
        The key of its duration in the record.
    title : str
        What it does, for people.
    trainings : tuple of Training
        The trainings, the longest first.
    """

    name: str
    title: str
    trainings: tuple[Training, ...] = field(repr=False)


def stages(design: Design, dataset: Dataset) -> tuple[Stage, ...]:
    """Return the parts of the benchmark whose trainings do not depend on results.

    Parameters
    ----------
    design : Design
        The design.
    dataset : Dataset
        The data.

    Returns
    -------
    stages : tuple of Stage
        Ours, Keras, and the width study.

    Raises
    ------
    MissingDependencyError
        If Keras is not installed.
    ConfigurationError
        If a recipe stops early, so that the test images would decide when.
    """
    best, others = [design.best], [recipe for recipe in design.recipes if recipe.name != BEST]

    def trainings(
        recipes: list[Recipe], seeds: int, name: str, widths: tuple[int, ...] = (), networks: bool = False
    ) -> tuple[Training, ...]:
        fresh = range(FIRST_SEED, FIRST_SEED + seeds)
        plan = make_plan(dataset, recipes, seeds=fresh, names=(name,), widths=widths, judge="test", networks=networks)
        return tuple(sorted(plan.trainings, key=lambda training: -training.recipe.epochs))

    ours = trainings(best, design.seeds, OURS, networks=True) + trainings(others, design.seeds, OURS)
    keras = trainings([*design.recipes], design.fit_seeds, FIT)
    keras += trainings(best, design.seeds, KERAS) + trainings(others, design.pilot_seeds, KERAS)
    study = [design.width_recipe]
    widths = trainings(study, design.keras_width_seeds, KERAS, design.keras_widths)
    widths += trainings(study, design.seeds, OURS, design.widths)
    return (
        Stage("ours", f"{OURS}, all recipes", ours),
        Stage("keras", f"{KERAS} and {FIT}, all recipes", keras),
        Stage("widths", f"{design.width_recipe.name}, all widths", widths),
    )


def further_stage(design: Design, differences: Mapping[str, Floats]) -> Stage:
    """Return further trainings with the recipes for which they may show that ours and Keras are equivalent.

    Parameters
    ----------
    design : Design
        The design.
    differences : mapping of str to ndarray of float64, shape (seeds,)
        By name of the recipe, the error rates of ours minus those of Keras, by seed, after the other stages.

    Returns
    -------
    stage : Stage
        Without trainings of a recipe if its differences decide, or if no possible number of seeds is expected to.
    """
    further = []
    for recipe in sorted(design.recipes, key=lambda recipe: -recipe.epochs):
        found = differences[recipe.name]
        count = planned_seeds(found, design.pilot_seeds, design.most_seeds)
        for name, done in ((KERAS, len(found)), (OURS, design.seeds)):
            seeds = range(FIRST_SEED + done, FIRST_SEED + count)
            further += [Training(name, recipe, seed, _keeps_network(name, recipe)) for seed in seeds]
    return Stage("further seeds", "further seeds", tuple(further))


def _keeps_network(name: str, recipe: Recipe) -> bool:
    return name == OURS and recipe.name == BEST


def sweep_plan(trainings: tuple[Training, ...], dataset: Dataset) -> Plan:
    """Return trainings as the plan of a sweep, judged by the test images.

    Parameters
    ----------
    trainings : tuple of Training
        The trainings.
    dataset : Dataset
        The data.

    Returns
    -------
    plan : Plan
        The plan.
    """
    return Plan(trainings, dataset, "test", {"name": dataset.name, "sha256": dataset.sha256})
