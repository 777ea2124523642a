"""The misclassified test digits of a training run, as a record and a picture for other programs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnkernels.data import Dataset
from nnkernels.errors import MissingDependencyError
from nnkernels.files import atomic_write, write_json
from nnkernels.learn.predictions import Predictions

RECORD, DIGITS = "mistakes.json", "mistakes_digits.png"
VERSION = 1
MAX_DIGITS = 600  # of an untrained network nine digits in ten are misclassified
COLUMNS = 25


def record_mistakes(predictions: Predictions, dataset: Dataset, folder: Path) -> None:
    """Write the misclassified test digits: ``mistakes.json``, and ``mistakes_digits.png`` with their pixels.

    The picture has the digits in the order of the record, those with the most confident wrong prediction first, in rows
    of ``columns`` digits without gaps. There is no picture if no digit is misclassified. Files of an earlier training
    are replaced, or deleted if there is nothing to write.

    Parameters
    ----------
    predictions : Predictions
        The predictions on the test images.
    dataset : Dataset
        The data.
    folder : Path
        The folder of the training.

    Raises
    ------
    MissingDependencyError
        If Pillow is not installed.
    """
    discard_mistakes(folder)  # the record is written last, so it always describes the picture beside it
    wrong, probs = predictions.wrong, predictions.probs
    if not np.isfinite(probs).all():
        return
    shown = wrong[:MAX_DIGITS]
    images, y, predicted = dataset.X_test[shown], dataset.y_test, predictions.predicted
    side = math.isqrt(images.shape[1])
    columns = max(1, min(COLUMNS, len(shown)))
    if len(shown):
        write_digits(images, columns, folder / DIGITS)
    write_json(
        folder / RECORD,
        {
            "version": VERSION,
            "dataset": {"name": dataset.name, "sha256": dataset.sha256},
            "class_names": list(dataset.names_of_classes),
            "test_images": len(dataset.X_test),
            "total": len(wrong),
            "image": {"width": side, "height": side},
            "columns": columns,
            "digits": [
                {
                    "index": int(index),
                    "true": int(y[index]),
                    "predicted": int(predicted[index]),
                    "true_probability": six_digits(probs[index, y[index]]),
                    "predicted_probability": six_digits(probs[index, predicted[index]]),
                }
                for index in shown
            ],
        },
    )


def discard_mistakes(folder: Path) -> None:
    """Delete the record and the picture, if there are any.

    Parameters
    ----------
    folder : Path
        The folder of the training.
    """
    for name in (RECORD, DIGITS):
        (folder / name).unlink(missing_ok=True)


def write_digits(images: npt.NDArray[np.uint8], columns: int, path: Path) -> None:
    """Write images side by side in rows, without gaps, as one PNG. The rest of the last row is black.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, D)
        Pixels; D is a square number.
    columns : int
        The number of images in a row.
    path : Path
        The file.

    Raises
    ------
    MissingDependencyError
        If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError("writing the misclassified digits", "pillow", "learn") from error
    count, side = len(images), math.isqrt(images.shape[1])
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, side, side), np.uint8)
    cells[:count] = images.reshape(-1, side, side)
    pixels = cells.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)
    with atomic_write(path) as temporary:
        Image.fromarray(pixels).save(temporary, optimize=True)


def six_digits(probability: float) -> float:
    """Round a probability to what float32 holds.

    Parameters
    ----------
    probability : float
        The probability.

    Returns
    -------
    probability : float
        With six significant digits.
    """
    return float(f"{probability:.6g}")
