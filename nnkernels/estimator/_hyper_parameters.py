"""Validation of a classifier's hyperparameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

from sklearn.utils import check_random_state

from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.interchange import Preprocessing
from nnkernels.kernels import names
from nnkernels.recipes import OPTIMIZER_NAMES, Optimizer, Recipe, named_recipe
from nnkernels.training import Callback

SEED_UPPER_BOUND = 2**31 - 1
_ANY_NUMBER = 2**31 - 1  # of samples: batches are limited to the samples when training begins

# The hyperparameters that a recipe replaces, with their default values.
RECIPE_DEFAULTS: dict[str, Any] = {
    "hidden_size": 20,
    "optimizer": "adam",
    "learning_rate": 0.005,
    "schedule": "linear",
    "batch_size": 32,
    "epochs": 40,
}


class HyperParameterError(ConfigurationError, ValueError):
    """A hyperparameter is invalid. Also a ValueError, which scikit-learn's own classifiers raise."""


@dataclass(frozen=True)
class HyperParameters:
    """The validated hyperparameters of a classifier.

    Attributes
    ----------
    backend : str
        The name of the backend.
    recipe : Recipe
        How to train. Its epochs are those of one call of ``fit``.
    preprocessing : Preprocessing
        How pixels become what the network takes. It deskews images if the recipe does.
    validation_fraction : float
        The fraction of the samples to hold out, at least 0 and below 1.
    callbacks : tuple of callables
        Called after every epoch.
    """

    backend: str
    recipe: Recipe
    preprocessing: Preprocessing
    validation_fraction: float
    callbacks: tuple[Callback, ...]

    def for_partial_fit(self) -> HyperParameters:
        """Return the hyperparameters of one call of ``partial_fit``.

        It trains for one epoch at a constant learning rate, without held-out samples, averaging or early stopping.

        Returns
        -------
        hyper : HyperParameters
            A changed copy.
        """
        recipe = self.recipe.with_changes(
            epochs=1, schedule="constant", warmup_steps=0, averaged_epochs=0, patience=None
        )
        return replace(self, recipe=recipe, validation_fraction=0.0)


def validate(params: Mapping[str, Any]) -> HyperParameters:
    """Validate a classifier's hyperparameters.

    Parameters
    ----------
    params : mapping of str to object
        The result of ``get_params(deep=False)``.

    Returns
    -------
    hyper : HyperParameters
        The validated values.

    Raises
    ------
    HyperParameterError
        If a value has the wrong type or is out of range.
    """
    fraction = _real("validation_fraction", params)
    if not 0 <= fraction < 1:
        raise HyperParameterError(f"validation_fraction is {fraction}; expected a fraction of at least 0 and below 1")
    recipe = _recipe(params) if params["recipe"] is None else _given_recipe(params)
    preprocessing = validate_preprocessing(params["preprocessing"])
    preprocessing = replace(
        preprocessing,
        deskew=preprocessing.deskew or recipe.deskew,
        normalize_size=preprocessing.normalize_size or recipe.normalize_size,
    )
    if recipe.augmentation or recipe.deskew:
        if not preprocessing.scaling.is_default:
            raise HyperParameterError(
                f"the recipe {recipe.name!r} distorts or deskews pixels, which are then scaled by 1/255; set "
                "preprocessing to None"
            )
        recipe = recipe.with_changes(deskew=preprocessing.deskew, normalize_size=preprocessing.normalize_size)
    if recipe.patience is not None and (params["warm_start"] or not fraction):
        raise HyperParameterError(
            f"the recipe {recipe.name!r} stops early; set validation_fraction, for example to 0.1, and leave "
            "warm_start False"
        )
    backend, callbacks = validate_backend(params["backend"]), _callbacks(params["callbacks"])
    return HyperParameters(backend, recipe, preprocessing, fraction, callbacks)


def _recipe(params: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the single hyperparameters."""
    optimizer, batch_size = _optimizer(params["optimizer"]), _positive_integer("batch_size", params)
    epochs, hidden = _positive_integer("epochs", params), _positive_integer("hidden_size", params)
    learning_rate = _real("learning_rate", params)
    try:
        return Recipe("MLPClassifier", optimizer, batch_size, epochs, learning_rate, params["schedule"], hidden)
    except ConfigurationError as error:
        raise HyperParameterError(str(error)) from error


def _given_recipe(params: Mapping[str, Any]) -> Recipe:
    """Return the hyperparameter ``recipe``, which no other one may contradict."""
    given = params["recipe"]
    try:
        recipe = given if isinstance(given, Recipe) else named_recipe(given, _ANY_NUMBER)
    except (UnknownNameError, TypeError) as error:
        raise HyperParameterError(
            f"recipe is {given!r}; expected None, a Recipe or the name of one: {error}"
        ) from error
    for name, default in RECIPE_DEFAULTS.items():
        expected = getattr(recipe, "hidden" if name == "hidden_size" else name)
        value = params[name]
        if value not in (default, expected) and not (name == "optimizer" and _optimizer(value) == expected):
            raise HyperParameterError(
                f"{name} is {value!r}, but the recipe {recipe.name!r} has {expected!r}; leave it out, or change the "
                "recipe: nnkernels.named_recipe(...).with_changes(...)"
            )
    return recipe


def validate_backend(backend: object) -> str:
    """Validate the name of a backend.

    Parameters
    ----------
    backend : object
        The hyperparameter ``backend``.

    Returns
    -------
    backend : str
        The same name.

    Raises
    ------
    HyperParameterError
        If there is no backend of this name.
    """
    if isinstance(backend, str) and backend in names():
        return backend
    raise HyperParameterError(f"backend is {backend!r}; expected one of: {', '.join(names())}")


def validate_preprocessing(preprocessing: object, features: int | None = None) -> Preprocessing:
    """Validate the record of the preprocessing.

    Parameters
    ----------
    preprocessing : object
        The hyperparameter ``preprocessing``.
    features : int, optional
        The number of features, which a mean or deviation of several numbers must have.

    Returns
    -------
    preprocessing : Preprocessing
        The record. None stands for pixels / 255.

    Raises
    ------
    HyperParameterError
        If it is something else, or has another number of features.
    """
    if preprocessing is None:
        return Preprocessing()
    if not isinstance(preprocessing, Preprocessing):
        raise HyperParameterError(f"preprocessing is {preprocessing!r}; expected None or an nnkernels.Preprocessing")
    for name in ("mean", "deviation"):
        value = getattr(preprocessing, name)
        if features is not None and isinstance(value, tuple) and len(value) != features:
            raise HyperParameterError(
                f"preprocessing: {name} has {len(value)} numbers, but there are {features} features; give one number "
                "for all, or one for each"
            )
    return preprocessing


def seed_from(random_state: Any) -> int:
    """Return the seed of a training run. An integer is itself the seed; from a random state, a seed is drawn.

    Parameters
    ----------
    random_state : int, RandomState or None
        None stands for NumPy's global random state.

    Returns
    -------
    seed : int
        At least 0.

    Raises
    ------
    HyperParameterError
        If ``random_state`` has another type or is negative.
    """
    if isinstance(random_state, Integral) and int(random_state) >= 0:
        return int(random_state)
    try:
        return int(check_random_state(random_state).randint(SEED_UPPER_BOUND))
    except ValueError as error:
        raise HyperParameterError(
            f"random_state is {random_state!r}; expected None, an integer of at least 0, or a numpy RandomState"
        ) from error


def _positive_integer(name: str, params: Mapping[str, Any]) -> int:
    value = params[name]
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    raise HyperParameterError(f"{name} is {value!r}; expected an integer of at least 1")


def _real(name: str, params: Mapping[str, Any]) -> float:
    value = params[name]
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    raise HyperParameterError(f"{name} is {value!r}; expected a number")


def _optimizer(value: object) -> Optimizer:
    if isinstance(value, Optimizer):
        return value
    for name in OPTIMIZER_NAMES:
        if isinstance(value, str) and value == name:
            return Optimizer(name)
    raise HyperParameterError(
        f"optimizer is {value!r}; expected an nnkernels.Optimizer or one of: {', '.join(OPTIMIZER_NAMES)}"
    )


def _callbacks(value: object) -> tuple[Callback, ...]:
    if value is None:
        return ()
    callbacks: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(callable(callback) for callback in callbacks):
        raise HyperParameterError(f"callbacks is {value!r}; expected None or a list of callables")
    return callbacks
