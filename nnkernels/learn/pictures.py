"""Prediction of the digits in pictures by a trained network."""

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
from nnkernels.interchange import Preprocessing, load_parameters, save_parameters
from nnkernels.learn.training_request import DEFAULT_BACKEND, DEFAULT_RECIPE
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import named_recipe
from nnkernels.training import train
from nnkernels.transforms import as_features
from nnkernels.transforms.image_files import STANDARD_INPUT, source_name
from nnkernels.transforms.photo import Digit, read_digit

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class PicturePrediction:
    """A picture and the network's prediction.

    Attributes
    ----------
    path : Path
        The file of the picture.
    digit : Digit
        The picture, and the pixels that the network sees.
    probs : ndarray of float, shape (C,)
        The predicted probabilities.
    """

    path: Path
    digit: Digit
    probs: FloatArray

    @property
    def name(self) -> str:
        """The name of the file, or ``standard input``."""
        return source_name(self.path) if self.path == STANDARD_INPUT else self.path.name

    @property
    def label(self) -> int:
        """The most probable digit."""
        return int(self.probs.argmax())


def default_network() -> Parameters:
    """Return the default network: that of the default recipe, which is trained once and cached.

    It is cached only if it was trained on the whole MNIST.

    Returns
    -------
    params : Parameters
        The parameters of the network.

    Raises
    ------
    DataError, MissingDependencyError
        As :func:`~nnkernels.data.load_mnist`, if the network has to be trained.
    """
    path = cache_folder() / f"{DEFAULT_RECIPE}-{__version__}.safetensors"
    with contextlib.suppress(DataError):
        return load_parameters(path)
    digits = load_mnist()
    contender = contenders.create(DEFAULT_BACKEND)
    train(contender, digits.training, named_recipe(DEFAULT_RECIPE, len(digits.X_train)), evaluate_every=0)
    params = contender.parameters()
    if digits.name == "mnist":  # a network trained on the smaller substitute is not cached
        with contextlib.suppress(ConfigurationError):  # without a cache, it is trained again next time
            save_parameters(params, path)
    return params


@dataclass(frozen=True)
class UnreadPicture:
    """A picture that could not be read.

    Attributes
    ----------
    path : Path
        The file of the picture.
    reason : str
        What is wrong with it, and what to do.
    """

    path: Path
    reason: str


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """Replace each folder by the pictures in it.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders. ``-`` is the standard input.

    Returns
    -------
    files : list of Path
        The files in the given order, those of a folder by name. In a folder, only files with the suffix of a picture
        are used, and subfolders and hidden files are not.

    Raises
    ------
    DataError
        If a folder contains no picture, or if the standard input is named twice.
    """
    files: list[Path] = []
    for path in paths:
        found = [path]
        if path.is_dir():
            inside = sorted(path.iterdir())
            found = [
                file
                for file in inside
                if file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".") and file.is_file()
            ]
            if not found:
                raise DataError(f"{path} contains no picture; expected files named {', '.join(PICTURE_SUFFIXES)}")
        files += found
    if files.count(STANDARD_INPUT) > 1:
        raise DataError("the standard input (-) is named twice, but it can be read only once")
    return files


def predict_pictures(
    paths: Sequence[Path], params: Parameters, preprocessing: Preprocessing | None = None
) -> tuple[list[PicturePrediction], list[UnreadPicture]]:
    """Predict the digits in pictures.

    Parameters
    ----------
    paths : sequence of Path
        PNG or JPEG files, with one digit each.
    params : Parameters
        The parameters of a network with 784 inputs.
    preprocessing : Preprocessing, optional
        What :func:`nnkernels.load_network` returned beside the parameters. If it deskews images, digits are deskewed.

    Returns
    -------
    predictions : list of PicturePrediction
        One per picture that can be read.
    unread : list of UnreadPicture
        The others: not an image, damaged, or without a digit.

    Raises
    ------
    DataError
        If the network does not take 784 features.
    """
    inputs = len(params.W1)
    if inputs != PIXELS:
        raise DataError(f"the network takes {inputs} features; a picture has {PIXELS} pixels (28 x 28)")
    forward = kernels.load("numpy").forward
    predictions, unread = [], []
    for path in paths:
        try:
            digit = read_digit(path)
        except DataError as error:
            unread.append(UnreadPicture(path, str(error)))
            continue
        if preprocessing:
            digit = digit._replace(pixels=preprocessing.deskewed(digit.pixels[np.newaxis])[0])
        probs = forward(params, as_features(digit.pixels[np.newaxis], params.W1.dtype)).probs[0]
        predictions.append(PicturePrediction(path, digit, probs))
    return predictions, unread


def draw_predictions(predictions: Sequence[PicturePrediction], folder: Path) -> list[Path]:
    """Draw each picture, the pixels that the network sees, and the probabilities.

    Parameters
    ----------
    predictions : sequence of PicturePrediction
        The pictures with their predictions.
    folder : Path
        Where to write the figures.

    Returns
    -------
    files : list of Path
        One PNG file per picture.
    """
    files = []
    for number, prediction in enumerate(predictions, start=1):
        figure = plots.digit_reading(
            prediction.digit.picture, prediction.digit.pixels, prediction.probs, prediction.name
        )
        stem = "standard-input" if prediction.path == STANDARD_INPUT else prediction.path.stem
        files.append(folder / f"{number:02d}-{stem}.png")
        plots.save_figure(figure, files[-1])
    return files
