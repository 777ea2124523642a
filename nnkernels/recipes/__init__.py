"""Training recipes as declarative records: nothing runs here."""

from nnkernels.recipes.benchmarked import SGD, accuracy_recipe, benchmark_recipe
from nnkernels.recipes.named import RECIPE_NAMES, named_recipe
from nnkernels.recipes.optimizer import OPTIMIZER_NAMES, Optimizer, OptimizerName
from nnkernels.recipes.recipe import SCHEDULE_NAMES, Recipe, ScheduleName
from nnkernels.recipes.records import recipe_from_record

__all__ = [
    "OPTIMIZER_NAMES",
    "RECIPE_NAMES",
    "SCHEDULE_NAMES",
    "SGD",
    "Optimizer",
    "OptimizerName",
    "Recipe",
    "ScheduleName",
    "accuracy_recipe",
    "benchmark_recipe",
    "named_recipe",
    "recipe_from_record",
]
