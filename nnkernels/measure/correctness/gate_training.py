"""The short training that the gate compares, and the parameters that the float64 oracle expects after it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nnkernels.data import Dataset
from nnkernels.measure.correctness.oracle import train_float64
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe, benchmark_recipe

IMAGES = 2049  # at batch size 32: 64 full batches and a batch of one image
# Two for each call of `advance`, so that whatever a batch leaves behind shows in the next. Large ones need more images.
MIN_FULL_BATCHES = 4
SEEDS = (3, 4, 5)  # of the initial parameters; later seeds are used only if a ReLU input came too near 0


def training_from(
    dataset: Dataset, recipe: Recipe, seed: int
) -> tuple[npt.NDArray[np.int64], Parameters, npt.NDArray[np.float32]]:
    """Return the training from a seed.

    Parameters
    ----------
    dataset : Dataset
        The source of the images.
    recipe : Recipe
        The training recipe.
    seed : int
        Seed of the initial parameters and of the order of the images.

    Returns
    -------
    order : ndarray of int64
        Indices of the training images.
    start : Parameters
        The initial parameters.
    learning_rates : ndarray of float32
        The learning rate of each batch.
    """
    # The images are shuffled, so a contender that ignores the order fails.
    order = np.random.default_rng(seed).permutation(len(dataset.X_train))[: number_of_images(recipe.batch_size)]
    learning_rates = recipe.learning_rates(0, len(order))
    learning_rates[len(learning_rates) // 2 :] /= 2
    start = initial_parameters(seed, dataset.X_train.shape[1], recipe.hidden, dataset.classes)
    return order, start, learning_rates


def number_of_images(batch_size: int) -> int:
    """Return how many images the training needs.

    Parameters
    ----------
    batch_size : int
        Images per batch.

    Returns
    -------
    images : int
        Enough for four full batches and one more image, and at least 2,049.
    """
    return max(IMAGES, MIN_FULL_BATCHES * batch_size + 1)


def problem_for_oracle(
    dataset: Dataset, recipe: Recipe, seed: int
) -> tuple[Parameters, npt.NDArray[np.float64], npt.NDArray[np.uint8], Recipe, npt.NDArray[np.float32]]:
    """Return the arguments of the oracle for the training from a seed.

    Parameters
    ----------
    dataset : Dataset
        The source of the images.
    recipe : Recipe
        The training recipe.
    seed : int
        Seed of the initial parameters and of the order of the images.

    Returns
    -------
    arguments : tuple
        Those of :func:`~nnkernels.measure.correctness.oracle.train_float64`.
    """
    order, start, learning_rates = training_from(dataset, recipe, seed)
    return start, dataset.X_train[order] / 255.0, dataset.y_train[order], recipe, learning_rates


@lru_cache(maxsize=8)
def trained_by_oracle(dataset: Dataset, recipe: Recipe, seed: int, images: int) -> Parameters:
    """Return the oracle's trained parameters, cached and read-only, since successive contenders share them.

    Parameters
    ----------
    dataset : Dataset
        The source of the images.
    recipe : Recipe
        The training recipe.
    seed : int
        Seed of the initial parameters and of the order of the images.
    images : int
        The number of images of the training, which is part of the cache's key.

    Returns
    -------
    params : Parameters
        The parameters in float64.
    """
    problem = problem_for_oracle(dataset, recipe, seed)
    batches = len(problem[-1])
    expected = train_float64(*problem, averaged_after=(batches // 2, batches) if recipe.averaged_epochs else ())
    for array in expected:
        array.flags.writeable = False
    return expected


def parameters_of_oracle(dataset: Dataset, recipe: Recipe | None = None, seed: int = SEEDS[0]) -> Parameters:
    """Return parameters that the oracle has trained.

    Parameters
    ----------
    dataset : Dataset
        The source of the images.
    recipe : Recipe, optional
        The training recipe; by default, gradient descent as it is benchmarked.
    seed : int
        Seed of the initial parameters.

    Returns
    -------
    params : Parameters
        The trained parameters, rounded to float32.
    """
    recipe = recipe or benchmark_recipe()
    images = min(number_of_images(recipe.batch_size), len(dataset.X_train))
    return Parameters(*(array.astype(np.float32) for array in trained_by_oracle(dataset, recipe, seed, images)))
