"""From a classifier's hyper-parameters, which may be anything, to the checked values that a training takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

from sklearn.utils import check_random_state

from nnkernels.errors import ConfigurationError
from nnkernels.kernels import names
from nnkernels.recipes import OPTIMIZER_NAMES, Optimizer, Recipe
from nnkernels.training import Callback

DRAWN_SEEDS = 2**31 - 1


class HyperParameterError(ConfigurationError, ValueError):
    """A hyper-parameter that cannot be used; a ValueError too, which scikit-learn's own classifiers raise."""


@dataclass(frozen=True)
class HyperParameters:
    """What a classifier is told, but for where a training starts.

    Attributes
    ----------
    backend : str
    recipe : Recipe
        Its epochs are those of one call.
    validation_fraction : float
    callbacks : tuple of callables
    """

    backend: str
    recipe: Recipe
    validation_fraction: float
    callbacks: tuple[Callback, ...]

    def for_one_pass(self) -> HyperParameters:
        """Return them for a single epoch that learns from all samples, as one of many whose number nobody knows."""
        recipe = self.recipe.with_changes(epochs=1, schedule="constant")
        return replace(self, recipe=recipe, validation_fraction=0.0)


def checked(params: Mapping[str, Any]) -> HyperParameters:
    """Return the checked values of a classifier's ``get_params(deep=False)``.

    Raises
    ------
    HyperParameterError
        If a value has the wrong type or lies outside its range.
    """
    learning_rate, fraction = _real("learning_rate", params), _real("validation_fraction", params)
    if not 0 <= fraction < 1:
        raise HyperParameterError(f"validation_fraction is {fraction}; expected 0 (none held out) or a share below 1")
    optimizer, batch_size = _optimizer(params["optimizer"]), _whole("batch_size", params)
    epochs, hidden = _whole("epochs", params), _whole("hidden_size", params)
    try:
        recipe = Recipe("MLPClassifier", optimizer, batch_size, epochs, learning_rate, params["schedule"], hidden)
    except ConfigurationError as error:
        raise HyperParameterError(str(error)) from error
    return HyperParameters(checked_backend(params["backend"]), recipe, fraction, _callbacks(params["callbacks"]))


def checked_backend(backend: object) -> str:
    """Return the name of a backend.

    Raises
    ------
    HyperParameterError
        If there is none of that name.
    """
    if isinstance(backend, str) and backend in names():
        return backend
    raise HyperParameterError(f"backend is {backend!r}; known are: {', '.join(names())}")


def checked_seed(random_state: Any) -> int:
    """Return the seed of a training: a whole number is the seed itself, from everything else one is drawn.

    Raises
    ------
    HyperParameterError
        If it is neither None, nor a whole number from 0 on, nor a ``numpy.random.RandomState``.
    """
    if isinstance(random_state, Integral) and int(random_state) >= 0:
        return int(random_state)
    try:
        return int(check_random_state(random_state).randint(DRAWN_SEEDS))
    except ValueError as error:
        raise HyperParameterError(
            f"random_state is {random_state!r}; expected None, a whole number from 0 on, or a numpy RandomState"
        ) from error


def _whole(name: str, params: Mapping[str, Any]) -> int:
    value = params[name]
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    raise HyperParameterError(f"{name} is {value!r}; expected a whole number, at least 1")


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
    found: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(callable(callback) for callback in found):
        raise HyperParameterError(f"callbacks is {value!r}; expected None or a list of callables")
    return found
