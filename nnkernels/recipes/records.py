"""Recipes from plain values, as JSON and TOML files contain them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nnkernels.augmentation import Augmentation
from nnkernels.errors import ConfigurationError
from nnkernels.recipes.optimizer import Optimizer
from nnkernels.recipes.recipe import Recipe

_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "schedule": (str,),
    **dict.fromkeys(("deskew", "normalize_size"), (bool,)),
    "patience": (int, type(None)),
    "optimizer": (Mapping, str, Optimizer),
    "augmentation": (Mapping, Augmentation, type(None)),
    **dict.fromkeys(("batch_size", "epochs", "hidden", "warmup_steps", "averaged_epochs"), (int,)),
    **dict.fromkeys(("learning_rate", "label_smoothing"), (float, int)),
}


def recipe_from_record(record: Mapping[str, Any], base: Recipe | None = None) -> Recipe:
    """Return the recipe of a record, the inverse of ``dataclasses.asdict``.

    Parameters
    ----------
    record : mapping of str to object
        Values by the name of the attribute. ``optimizer`` and ``augmentation`` are records themselves; an optimizer may
        also be given by its name.
    base : Recipe, optional
        Has the values that the record leaves out; by default, those are the defaults of :class:`Recipe`.

    Returns
    -------
    recipe : Recipe
        The recipe.

    Raises
    ------
    ConfigurationError
        If a name is unknown, or a value has the wrong type or is out of range.
    """
    if not isinstance(record, Mapping):
        raise ConfigurationError(f"a recipe is {str(record)[:80]}; expected values by name")
    known = [field.name for field in fields(Recipe)]
    unknown = sorted(set(record) - set(known))
    if unknown:
        raise ConfigurationError(f"a recipe has no {', '.join(unknown)}; expected some of: {', '.join(known)}")
    values = dict(record)
    for name, value in values.items():
        kinds = _KINDS.get(name)
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise ConfigurationError(
                f"{name} of the recipe {record.get('name')!r} is {value!r}; expected {kinds[0].__name__}"
            )
    try:
        if isinstance(values.get("optimizer"), str):
            values["optimizer"] = {"name": values["optimizer"]}
        for name, kind in (("optimizer", Optimizer), ("augmentation", Augmentation)):
            if isinstance(values.get(name), Mapping):
                values[name] = kind(**values[name])
        return base.with_changes(**values) if base else Recipe(**values)
    except TypeError as error:
        raise ConfigurationError(f"the recipe {record.get('name')!r} is invalid: {error}") from error
