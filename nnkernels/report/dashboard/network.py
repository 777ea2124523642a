"""The network of the page: parameters, steps of the training, and the digits that it misclassifies."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels.errors import NNKernelsError, ResultsError
from nnkernels.interchange import load_parameters
from nnkernels.interchange.training_steps import TrainingStep, load_training_steps
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.report.dashboard.learning import TRAIN_COMMAND, TRAINING, RecordedTraining, read_training
from nnkernels.report.dashboard.mistakes import Mistakes, read_mistakes
from nnkernels.report.formats import rate
from nnkernels.transforms.photo import IMAGE_SIZE

PARAMETERS, STEPS = "parameters.safetensors", "training_steps.safetensors"
# The colours of weights cover this quantile, as in the figures of `nnkernels train`.
SCALE_QUANTILE = 0.998


@dataclass(frozen=True)
class StepText:
    """What the page says about a step of the training.

    Attributes
    ----------
    label : str
        For example ``after 1 epoch``.
    sentence : str
        When it is, and the error there if it was measured.
    limit : float
        The absolute weight of the hidden layer from which on the colour is full.
    """

    label: str
    sentence: str
    limit: float

    @property
    def scale(self) -> str:
        """The sentence on the colours."""
        return f"Full colour: a weight of {self.limit:g} or more, either way."


@dataclass(frozen=True)
class RecordedNetwork:
    """The network of ``results/figures/train``.

    Attributes
    ----------
    parameters : Parameters
        The final ones, float32.
    class_names : tuple of str
        One for each output.
    steps : tuple of TrainingStep
        The recorded steps before the final one, from the initial parameters on; empty if they are missing.
    mistakes : Mistakes or None
        The digits that it misclassifies.
    training : RecordedTraining or None
        The history and the metrics.
    missing : tuple of str
        One sentence for each part that is missing or damaged.
    """

    parameters: Parameters
    class_names: tuple[str, ...]
    steps: tuple[TrainingStep, ...] = ()
    mistakes: Mistakes | None = None
    training: RecordedTraining | None = None
    missing: tuple[str, ...] = ()

    @property
    def shape(self) -> dict[str, int]:
        """The number of inputs, hidden units and classes."""
        (inputs, hidden), classes = self.parameters.W1.shape, self.parameters.W2.shape[1]
        return {"inputs": inputs, "hidden": hidden, "classes": classes}

    @property
    def final_error(self) -> str:
        """The errors at the end of the training, as far as they are known."""
        return f"test error {rate(self.training.test_error)}" if self.training else "error unknown"

    def step_texts(self) -> tuple[StepText, ...]:
        """Return what the page says about each step.

        Returns
        -------
        texts : tuple of StepText
            One for each recorded step, and the final one.
        """
        errors = {one.number: one.validation_error for one in self.training.epochs} if self.training else {}

        def error_after(epochs: float) -> str:
            found = errors.get(int(epochs)) if epochs == int(epochs) else None
            return "" if found is None else f"validation error {rate(found)}"

        texts = []
        for step in self.steps:
            error = error_after(step.epochs) or "error not measured here"
            sentence = f"After {_epochs(step.epochs)} ({step.batches:,} batches): {error}."
            if not step.batches:
                sentence = "Before the training, the weights are random, and so are the answers."
            label = f"after {_epochs(step.epochs)}" if step.batches else "initial"
            texts.append(StepText(label, sentence, colour_limit(step.parameters().W1)))
        last = self.training.epochs[-1].number if self.training else 0
        errors_at_end = ", ".join(filter(None, [error_after(last), self.final_error]))
        end = f"after {_epochs(last)}" if last else "at the end"
        sentence = f"The trained network, {end}: {errors_at_end}."
        return (*texts, StepText("final", sentence, colour_limit(self.parameters.W1)))


def read_network(root: Path) -> RecordedNetwork:
    """Read the network of a checkout.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    network : RecordedNetwork
        The network. Parts other than its parameters may be missing.

    Raises
    ------
    ResultsError
        If there are no parameters, or they are damaged or take other inputs than MNIST's pixels. The message names the
        command that records them.
    """
    folder = root / TRAINING
    if not (folder / PARAMETERS).exists():
        raise ResultsError(f"{TRAINING.as_posix()}/: no network is recorded; `{TRAIN_COMMAND}` records one")
    try:
        loaded = load_parameters(folder / PARAMETERS)
    except NNKernelsError as error:
        raise ResultsError(_note(root, PARAMETERS, error)) from error
    if len(loaded.W1) != IMAGE_SIZE**2:
        reason = f"takes {len(loaded.W1)} inputs, not {IMAGE_SIZE} x {IMAGE_SIZE} pixels"
        raise ResultsError(_note(root, PARAMETERS, ResultsError(reason)))
    parameters = Parameters(*(array.astype(np.float32) for array in loaded))
    missing: list[str] = []
    steps: tuple[TrainingStep, ...] = ()
    mistakes = training = None
    try:
        steps = tuple(load_training_steps(folder / STEPS))
        _require_shapes(steps, parameters)
    except NNKernelsError as error:
        steps = ()
        missing.append(_note(root, STEPS, error))
    try:
        mistakes = read_mistakes(folder, parameters)
    except ResultsError as error:
        missing.append(_note(root, "", error))
    try:
        training = read_training(root)
    except ResultsError as error:
        missing.append(str(error))
    classes = parameters.W2.shape[1]
    names = mistakes.class_names if mistakes else tuple(map(str, range(classes)))
    return RecordedNetwork(parameters, names, steps, mistakes, training, tuple(missing))


def encode(parameters: Parameters) -> str:
    """Encode parameters for the page.

    Parameters
    ----------
    parameters : Parameters
        The parameters.

    Returns
    -------
    text : str
        Base64 of W1, b1, W2 and b2, one after the other, as little-endian float32.
    """
    return _base64(b"".join(array.astype("<f4").tobytes() for array in parameters))


def encode_step(step: TrainingStep) -> dict[str, Any]:
    """Encode a step of the training for a file beside the page.

    Parameters
    ----------
    step : TrainingStep
        The step.

    Returns
    -------
    payload : dict
        ``text``: base64 of the bytes of W1, b1, W2 and b2; ``offsets`` and ``scales``, a number for each of the four.
    """
    return {
        "text": _base64(b"".join(array.tobytes() for array in step.values)),
        "offsets": [float(offset) for offset in step.offsets],
        "scales": [float(scale) for scale in step.scales],
    }


def colour_limit(W1: FloatArray) -> float:
    """Return the absolute weight from which on the colour is full.

    Parameters
    ----------
    W1 : ndarray, shape (D, H)
        Weights of the hidden layer.

    Returns
    -------
    limit : float
        Positive, with two digits.
    """
    return float(f"{np.quantile(np.abs(W1), SCALE_QUANTILE):.2g}") or 1.0


def _require_shapes(steps: Sequence[TrainingStep], parameters: Parameters) -> None:
    expected = [array.shape for array in parameters]
    for step in steps:
        if (found := [array.shape for array in step.parameters()]) != expected:
            raise ResultsError(f"its shapes are {found}, those of {PARAMETERS} {expected}")


def _note(root: Path, name: str, error: NNKernelsError) -> str:
    reason = " ".join(str(error).split()).replace(f"{root}/", "")
    where = f"{TRAINING.as_posix()}/{name}"
    reason = reason if where in reason else f"{where}: {reason}"
    return reason if TRAIN_COMMAND in reason else f"{reason}; `{TRAIN_COMMAND}` records it"


def _epochs(count: float) -> str:
    return f"{count:.3g} {'epoch' if count == 1 else 'epochs'}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
