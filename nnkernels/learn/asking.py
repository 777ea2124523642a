"""Ask a trained network what digit a picture shows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnkernels import __version__, contenders, kernels, plots
from nnkernels.data import load_mnist
from nnkernels.data.cache import cache_folder
from nnkernels.data.dataset import PIXELS
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.interchange import load_parameters, save_parameters
from nnkernels.learn.training_job import DEFAULT_BACKEND, DEFAULT_RECIPE
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import named_recipe
from nnkernels.training import train
from nnkernels.transforms import as_features
from nnkernels.transforms.photo import Digit, read_digit


@dataclass(frozen=True)
class Reading:
    """A picture, and what the network says it shows.

    Attributes
    ----------
    digit : Digit
        What the network saw.
    probs : ndarray, shape (C,)
    """

    path: Path
    digit: Digit
    probs: FloatArray

    @property
    def label(self) -> int:
        """The most probable digit."""
        return int(self.probs.argmax())


def standard_network() -> Parameters:
    """Return the network that answers when nobody has named another: the default recipe's, trained once and kept."""
    path = cache_folder() / f"{DEFAULT_RECIPE}-{__version__}.safetensors"
    with contextlib.suppress(DataError):
        return load_parameters(path)
    digits = load_mnist()
    contender = contenders.create(DEFAULT_BACKEND)
    train(contender, digits.training, named_recipe(DEFAULT_RECIPE, len(digits.X_train)), evaluate_every=0)
    params = contender.parameters()
    if digits.name == "mnist":  # what stands in for it today is not kept for tomorrow
        with contextlib.suppress(ConfigurationError):  # no cache to keep it in: it only costs time
            save_parameters(params, path)
    return params


def read_pictures(paths: Sequence[Path], params: Parameters) -> list[Reading]:
    """Read pictures of digits and ask the network for each.

    Raises
    ------
    DataError
        If one of them is no image or shows nothing, or the network is none for pictures of 28 x 28 pixels.
    """
    inputs = len(params.W1)
    if inputs != PIXELS:
        raise DataError(f"the network takes {inputs} features; a picture has {PIXELS} pixels (28 x 28)")
    forward = kernels.load("numpy").forward
    readings = []
    for path in paths:
        digit = read_digit(path)
        probs = forward(params, as_features(digit.pixels[np.newaxis], params.W1.dtype)).probs[0]
        readings.append(Reading(path, digit, probs))
    return readings


def draw(readings: Sequence[Reading], folder: Path) -> list[Path]:
    """Draw each picture, what the network saw of it, and the probabilities; return the files."""
    files = []
    for number, reading in enumerate(readings, start=1):
        figure = plots.digit_reading(reading.digit.picture, reading.digit.pixels, reading.probs, reading.path.name)
        files.append(folder / f"{number:02d}-{reading.path.stem}.png")
        plots.save_figure(figure, files[-1])
    return files
