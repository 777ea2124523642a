"""The recipes that have a name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nnkernels.errors import UnknownNameError
from nnkernels.recipes.accurate import ACCURATE
from nnkernels.recipes.optimizer import Optimizer
from nnkernels.recipes.recipe import Recipe


def _gradient_descent(images: int) -> Recipe:
    return Recipe("gradient-descent", batch_size=images, epochs=160, learning_rate=0.3)


def _fixed(recipe: Recipe, _images: int) -> Recipe:
    return recipe


_NAMED: dict[str, Callable[[int], Recipe]] = {
    "gradient-descent": _gradient_descent,
    "sgd": lambda _images: Recipe("sgd", epochs=20, learning_rate=0.1, schedule="linear"),
    "momentum": lambda _images: Recipe(
        "momentum", Optimizer("momentum"), epochs=20, learning_rate=0.01, schedule="linear"
    ),
    "adam": lambda _images: Recipe("adam", Optimizer("adam"), epochs=20, learning_rate=0.002, schedule="linear"),
    **{recipe.name: partial(_fixed, recipe) for recipe in ACCURATE},
}

RECIPE_NAMES = tuple(_NAMED)


def named_recipe(name: str, images: int) -> Recipe:
    """Return a training recipe by name.

    ``gradient-descent`` takes 160 steps, each on all images, at a learning rate of 0.3. It reaches the accuracy at
    which the from-scratch write-up stopped, 91.3 % on the validation images of MNIST. Learning rates of 0.5 and 1.0 are
    faster, but with some seeds the accuracy oscillates by percentage points. ``sgd``, ``momentum`` and ``adam`` train
    for 20 epochs in batches of 32, with a learning rate that decreases to zero. Each uses the learning rate with the
    lowest validation error of three.

    ``plain-best``, ``augmented-best`` and ``best`` aim at the highest accuracy that 20 hidden units can reach.
    ``plain-best`` sees the images as they are; ``augmented-best`` is trained on randomly distorted ones; ``best`` also
    deskews all images, in training and afterwards, and normalises the size of the digits.

    Parameters
    ----------
    name : str
        One of ``RECIPE_NAMES``.
    images : int
        Number of training images.

    Returns
    -------
    recipe : Recipe
        The recipe.

    Raises
    ------
    UnknownNameError
        If there is no such recipe.
    """
    if name not in _NAMED:
        raise UnknownNameError("recipe", name, RECIPE_NAMES)
    return _NAMED[name](images)
