"""The recipes of the correctness check and of the benchmarks."""

from __future__ import annotations

from nnkernels.recipes.optimizer import Optimizer, OptimizerName
from nnkernels.recipes.recipe import Recipe

# Training recipe of all speed comparisons: plain stochastic gradient descent.
SGD = Recipe("sgd-epoch")
_BENCHMARK_RATES: dict[OptimizerName, float] = {"sgd": 0.1, "momentum": 0.01, "adam": 0.001}


def benchmark_recipe(optimizer: Optimizer | None = None, batch_size: int = 32) -> Recipe:
    """Return the training recipe of the correctness check and of timings, with a constant learning rate.

    Parameters
    ----------
    optimizer : Optimizer, optional
        The optimizer; by default, plain gradient descent.
    batch_size : int
        Number of images per step.

    Returns
    -------
    recipe : Recipe
        The recipe.
    """
    rule = optimizer or Optimizer()
    # Batches of fewer than 32 images mean more steps. Without a lower learning rate, rounding would change the sign of
    # so many hidden units that correct kernels could exceed the tolerances of the check.
    learning_rate = _BENCHMARK_RATES[rule.name] * min(1.0, batch_size / 32)
    return Recipe("gate", rule, batch_size=batch_size, learning_rate=learning_rate)


def accuracy_recipe(images: int) -> Recipe:
    """Return the training recipe of the accuracy benchmark, which trains on about 60,000 images in total.

    It uses SGD in batches of 32, with a learning rate that decreases from 0.3 to zero. Of learning rates from 0.05 to
    0.5, constant or decreasing, this one had the lowest validation error on MNIST (5.5 %, 6 seeds) and on the 5,000
    embedded digits.

    Parameters
    ----------
    images : int
        Number of training images, which determines the number of epochs.

    Returns
    -------
    recipe : Recipe
        The recipe.
    """
    return Recipe("sgd-60k", epochs=max(1, round(60_000 / images)), learning_rate=0.3, schedule="linear")
