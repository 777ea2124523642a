"""The check of contenders that know neither weight decay nor label smoothing."""

from __future__ import annotations

from nnkernels.errors import ConfigurationError
from nnkernels.recipes import Recipe


def require_plain_loss(recipe: Recipe, what: str) -> None:
    """Check that a recipe has neither weight decay nor label smoothing.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    what : str
        What cannot train with them, for the error message.

    Raises
    ------
    ConfigurationError
        If it has one of them.
    """
    for name, value in (("weight decay", recipe.optimizer.weight_decay), ("label smoothing", recipe.label_smoothing)):
        if value:
            raise ConfigurationError(
                f"{what} cannot train with {name}, which the recipe {recipe.name!r} sets to {value:g}; use another "
                "recipe or another contender"
            )
