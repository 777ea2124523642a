"""The job of `nnkernels train`: one training run in a folder with checkpoints, which can be interrupted and resumed."""

from __future__ import annotations

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
from nnkernels.learn.conditions import conditions, warn_of_other_conditions
from nnkernels.learn.earlier_parameters import STEPS, EarlierParameters, PausingContender
from nnkernels.learn.output import make_folder
from nnkernels.learn.training_request import Kernels, TrainingRequest, load_kernels
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.training import continue_training, recipe_images, train

CHECKPOINT = "checkpoint.safetensors"

ShowEpoch = Callable[[History], None]
Identity = dict[str, str]  # kernels, data and versions, as a checkpoint stores them


@dataclass(frozen=True)
class TrainingResult:
    """A training run at its end, or at the epoch after which it was interrupted.

    Attributes
    ----------
    kernels : Kernels
        The kernels.
    contender : Contender
        The contender that trained.
    parameters : Parameters
        The parameters with which the training ended: the mean or the best ones, if the recipe says so.
    history : History
        The epochs so far.
    finished : bool
        Whether the training is complete.
    """

    kernels: Kernels
    contender: Contender
    parameters: Parameters
    history: History
    finished: bool


def run(request: TrainingRequest, dataset: Dataset, folder: Path, resume: bool, show: ShowEpoch) -> TrainingResult:
    """Train, with a checkpoint after each epoch. Ctrl-C ends the training after the current epoch.

    The last sixth of the training images is held out for validation (10,000 of MNIST's 60,000).

    Parameters
    ----------
    request : TrainingRequest
        The requested training.
    dataset : Dataset
        The data.
    folder : Path
        The folder of the checkpoint and of the training steps.
    resume : bool
        Whether to continue the training in the folder.
    show : callable
        ``show(history)``, called after each epoch.

    Returns
    -------
    result : TrainingResult
        The training, finished or not.

    Raises
    ------
    ConfigurationError
        If the folder cannot be created, if it already contains a training run and ``resume`` is False, or if the
        request contradicts the run to resume.
    DataError
        If there is no checkpoint to resume, or if it is damaged.

    Warns
    -----
    ReproducibilityWarning
        If the training to resume ran with another number of threads, BLAS or CPU, so that its last bits may differ.
        Threads and BLAS do not affect parameters trained by the fused kernels.
    """
    split = dataset.validation_split()
    path = folder / CHECKPOINT
    checkpoint = load_checkpoint(path) if resume else None
    if checkpoint is None and path.exists():
        raise ConfigurationError(
            f"{folder} already contains a training run; resume it (--resume), or choose another folder (--out)"
        )
    used = _kernels(request, checkpoint)
    contender = PausingContender(used.backend)
    identity = {
        "kernels": used.name,
        "data": digest(split.X_train, split.y_train, split.X_test, split.y_test),
        "NumPy": version("numpy"),
        "Numba": version("numba"),
    }
    here = conditions()

    with stop_request() as stop:

        def save_epoch(history: History, _contender: Contender) -> bool:
            state = contender.optimizer_state()
            save_checkpoint(path, Checkpoint(contender.parameters(), state, history, identity | here))
            show(history)
            return stop.requested

        if checkpoint is not None:
            history = _resume(request, contender, split.training, checkpoint, identity)
            if not history.finished:
                warn_of_other_conditions(checkpoint.identity, here, used.backend)
            earlier = EarlierParameters(folder / STEPS, history.recipe, history.images)
            earlier.resume(history, checkpoint.parameters)
            continue_training(
                contender,
                split.training,
                history,
                validation=split.test,
                callbacks=[earlier, save_epoch],
                judge=used.judge,
            )
        else:
            recipe, seed = request.recipe_for(len(split.X_train)), request.seed or 0
            # First, because a network that does not fit into memory is refused here, and leaves no folder behind.
            start = initial_parameters(seed, split.X_train.shape[1], recipe.hidden, split.classes)
            make_folder(folder)
            earlier = EarlierParameters(folder / STEPS, recipe, len(split.X_train))
            contender.pauses = earlier.within_first_epoch
            history = train(
                contender,
                split.training,
                recipe,
                seed=seed,
                start=start,
                validation=split.test,
                callbacks=[earlier, save_epoch],
                judge=used.judge,
            )
    return TrainingResult(used, contender, contender.parameters(), history, history.finished)


def _kernels(request: TrainingRequest, checkpoint: Checkpoint | None) -> Kernels:
    """Load the requested kernels, or by default those of the checkpoint."""
    backend = request.backend
    if backend is None and request.kernels_file is None and checkpoint is not None:
        previous = checkpoint.identity.get("kernels", "")
        backend = previous if previous in kernels.names() else None
    return load_kernels(backend, request.kernels_file)


def _resume(
    request: TrainingRequest, contender: KernelContender, data: LabelledImages, checkpoint: Checkpoint, ours: Identity
) -> History:
    """Restore the state of the checkpoint, and return its history."""
    history = checkpoint.history
    requested = asdict(request.recipe_for(history.images, history.recipe)) | {"seed": request.seed}
    saved = asdict(history.recipe) | {"seed": history.seed}
    if request.seed is None:
        requested["seed"] = history.seed
    for what, there, here in (
        *(("recipe" if name == "name" else name, saved[name], requested[name]) for name in saved),
        *((name, checkpoint.identity.get(name), ours[name]) for name in ours),
    ):
        if there != here:
            raise ConfigurationError(
                f"cannot resume: different {what} ({there} in the checkpoint, {here} now); use the same {what}, or "
                "start a new training in another folder (--out)"
            )
    contender.prepare(checkpoint.parameters, recipe_images(history.recipe, data), history.recipe)
    contender.restore(checkpoint.state)
    return history
