"""What a user asks to train: a recipe with changes, and the kernels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nnkernels import kernels
from nnkernels.errors import ConfigurationError
from nnkernels.kernels import Backend
from nnkernels.recipes import Recipe, named_recipe

DEFAULT_RECIPE, DEFAULT_BACKEND = "adam", "numba"


@dataclass(frozen=True)
class TrainingRequest:
    """What the user has requested. None means that an option was not given.

    An option that was not given has the value of the recipe or, when resuming, of the checkpoint.

    Attributes
    ----------
    recipe : str or None
        The name of a recipe.
    backend : str or None
        The name of a backend.
    kernels_file : Path or None
        A Python file with the user's own kernels, instead of a backend.
    epochs, hidden, batch_size : int or None
        Number of epochs, number of hidden units, and images per step.
    learning_rate : float or None
        The learning rate of the first step.
    seed : int or None
        The seed of the initial parameters and of the order of the images, at least 0.

    Raises
    ------
    ConfigurationError
        If the seed is negative.
    """

    recipe: str | None = None
    backend: str | None = None
    kernels_file: Path | None = None
    epochs: int | None = None
    hidden: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and self.seed < 0:
            raise ConfigurationError(f"seed is {self.seed}; expected 0 or more")

    def recipe_for(self, images: int, base: Recipe | None = None) -> Recipe:
        """Return the requested recipe with the requested changes.

        Parameters
        ----------
        images : int
            The number of training images.
        base : Recipe, optional
            The recipe to change, unless the request names another one. If None, it is the requested recipe, or the
            default one.

        Returns
        -------
        recipe : Recipe
            The recipe.

        Raises
        ------
        UnknownNameError, ConfigurationError
            If there is no such recipe, or if a requested value is invalid.
        """
        if base is None or self.recipe not in (None, base.name):
            base = named_recipe(self.recipe or DEFAULT_RECIPE, images)
        changes = {
            name: getattr(self, name)
            for name in ("epochs", "hidden", "batch_size", "learning_rate")
            if getattr(self, name) is not None
        }
        return base.with_changes(**changes)


@dataclass(frozen=True)
class Kernels:
    """The kernels of a training run: a backend of nnkernels, or the user's own file.

    Attributes
    ----------
    name : str
        The name of the backend, or the name of the file with the first digits of its SHA-256 hash.
    backend : Backend
        The kernels.
    own_file : bool
        Whether they come from the user's own file. Such kernels may define a different network, so they take no part in
        comparisons.
    """

    name: str
    backend: Backend
    own_file: bool

    @property
    def judge(self) -> Backend | None:
        """The backend that evaluates: the user's own kernels, or None for the judge of all contenders."""
        return self.backend if self.own_file else None

    @property
    def mark(self) -> str:
        """The remark on every figure made with the user's own kernels; empty for a backend of nnkernels."""
        return f"different mathematics: {self.name}" if self.own_file else ""


def load_kernels(backend: str | None, kernels_file: Path | None) -> Kernels:
    """Load a backend, or the kernels in a file.

    Parameters
    ----------
    backend : str or None
        The name of a backend.
    kernels_file : Path or None
        A Python file. If both are None, the default backend is loaded.

    Returns
    -------
    kernels : Kernels
        The loaded kernels.

    Raises
    ------
    ConfigurationError
        If both are given.
    """
    if kernels_file is None:
        name = backend or DEFAULT_BACKEND
        return Kernels(name, kernels.load(name), own_file=False)
    if backend is not None:
        raise ConfigurationError(
            "--backend and --kernels exclude each other; the file of --kernels is itself a backend"
        )
    loaded = kernels.load_file(kernels_file)
    sha256 = hashlib.sha256(kernels_file.read_bytes()).hexdigest()
    return Kernels(f"{kernels_file.name} ({sha256[:8]})", loaded, own_file=True)
