"""One training as a learner asks for it: into a folder, with checkpoints, to be stopped and resumed at will."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from nnkernels import kernels
from nnkernels.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset, LabelledImages
from nnkernels.data.dataset import digest
from nnkernels.errors import ConfigurationError
from nnkernels.history import History
from nnkernels.interrupts import stop_request
from nnkernels.kernels import Backend
from nnkernels.learn.conditions import conditions, warn_of_other_conditions
from nnkernels.learn.output import make_folder
from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe, named_recipe
from nnkernels.training import go_on, train

CHECKPOINT = "checkpoint.safetensors"
DEFAULT_RECIPE, DEFAULT_BACKEND = "adam", "numba"

ShowEpoch = Callable[[History], None]
Identity = dict[str, str]  # what a checkpoint keeps of where it was written


@dataclass(frozen=True)
class TrainingRequest:
    """What a learner asks for; None is "not said": the recipe's own, or the checkpoint's.

    Attributes
    ----------
    kernels_file : Path or None
        Somebody's own kernels in place of a backend.
    seed : int or None
        Not negative.

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
        """Return the named recipe (``base`` where its name or none was said) with the changes that were asked for."""
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
    """The mathematics of a training: a backend of the suite, or somebody's own file.

    Attributes
    ----------
    name : str
        The backend's name, or the file's with the head of its sha256.
    own_file : bool
        Whether the mathematics is somebody's own: another network perhaps, and none that the suite compares.
    """

    name: str
    backend: Backend
    own_file: bool

    @property
    def mark(self) -> str:
        """What every picture says of mathematics that is not the suite's; empty for the suite's own."""
        return f"different mathematics: {self.name}" if self.own_file else ""


def load_kernels(backend: str | None, kernels_file: Path | None) -> Kernels:
    """Load a backend, or the kernels of a file.

    Raises
    ------
    ConfigurationError
        If both are named.
    """
    if kernels_file is None:
        name = backend or DEFAULT_BACKEND
        return Kernels(name, kernels.load(name), own_file=False)
    if backend is not None:
        raise ConfigurationError("--backend and --kernels are both given; the file is a backend of its own")
    loaded = kernels.load_file(kernels_file)
    sha256 = hashlib.sha256(kernels_file.read_bytes()).hexdigest()
    return Kernels(f"{kernels_file.name} ({sha256[:8]})", loaded, own_file=True)


@dataclass(frozen=True)
class TrainingResult:
    """A training as it stands.

    Attributes
    ----------
    finished : bool
        Whether it reached the end of its recipe.
    """

    kernels: Kernels
    contender: Contender
    parameters: Parameters
    history: History
    finished: bool


def run(request: TrainingRequest, dataset: Dataset, folder: Path, resume: bool, show: ShowEpoch) -> TrainingResult:
    """Train into ``folder``, a checkpoint an epoch; Ctrl-C ends the training after the epoch that is on.

    The last sixth of the training images is held out for validation (10,000 of MNIST's).

    Raises
    ------
    ConfigurationError
        If the folder already holds a training and ``resume`` is False, or the request contradicts the one to resume, or
        there can be no such folder.
    DataError
        If there is nothing to resume, or it is damaged.

    Warns
    -----
    ReproducibilityWarning
        If the training to resume ran on another number of threads, BLAS or CPU; those two do not matter to the fused
        kernels' parameters. The losses in the history are computed with BLAS whatever trains.
    """
    split = dataset.validation_split()
    path = folder / CHECKPOINT
    checkpoint = load_checkpoint(path) if resume else None
    if checkpoint is None and path.exists():
        raise ConfigurationError(
            f"{folder} already holds a training: go on with it (--resume), or choose another folder (--out)"
        )
    used = _kernels(request, checkpoint)
    contender = KernelContender(used.backend)
    identity = {
        "kernels": used.name,
        "data": digest(split.X_train, split.y_train, split.X_test, split.y_test),
        "NumPy": version("numpy"),
        "Numba": version("numba"),
    }
    here = conditions()

    with stop_request() as stop:

        def keep(history: History, _contender: Contender) -> bool:
            state = contender.optimizer_state()
            save_checkpoint(path, Checkpoint(contender.parameters(), state, history, identity | here))
            show(history)
            return stop.asked

        if checkpoint is not None:
            history = _resume(request, contender, split.training, checkpoint, identity)
            if history.epochs_done < history.recipe.epochs:
                warn_of_other_conditions(checkpoint.identity, here, used.backend)
            go_on(contender, split.training, history, validation=split.test, callbacks=[keep], judge=used.backend)
        else:
            recipe, seed = request.recipe_for(len(split.X_train)), request.seed or 0
            make_folder(folder)
            history = train(
                contender,
                split.training,
                recipe,
                seed=seed,
                validation=split.test,
                callbacks=[keep],
                judge=used.backend,
            )
    finished = history.epochs_done == history.recipe.epochs
    return TrainingResult(used, contender, contender.parameters(), history, finished)


def _kernels(request: TrainingRequest, checkpoint: Checkpoint | None) -> Kernels:
    """Load what was asked for; if nothing was, what the checkpoint was trained with."""
    backend = request.backend
    if backend is None and request.kernels_file is None and checkpoint is not None:
        kept = checkpoint.identity.get("kernels", "")
        backend = kept if kept in kernels.names() else None
    return load_kernels(backend, request.kernels_file)


def _resume(
    request: TrainingRequest, contender: KernelContender, data: LabelledImages, checkpoint: Checkpoint, ours: Identity
) -> History:
    """Bring a contender to where the checkpoint was written; return the history until there."""
    history = checkpoint.history
    asked = asdict(request.recipe_for(history.images, history.recipe)) | {"seed": request.seed}
    kept = asdict(history.recipe) | {"seed": history.seed}
    if request.seed is None:
        asked["seed"] = history.seed
    for what, there, here in (
        *(("recipe" if name == "name" else name, kept[name], asked[name]) for name in kept),
        *((name, checkpoint.identity.get(name), ours[name]) for name in ours),
    ):
        if there != here:
            raise ConfigurationError(
                f"the training to resume has another {what}: {there} there, {here} here; it cannot go on as if nothing "
                "had happened. Ask for the same, or start another one in another folder (--out)"
            )
    contender.prepare(checkpoint.parameters, data, history.recipe)
    contender.restore(checkpoint.state)
    return history
