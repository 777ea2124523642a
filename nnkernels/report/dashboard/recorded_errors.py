"""The recorded errors of the networks of an accuracy run, which ``nnkernels errors`` writes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.accuracy.errors import FOLDER
from nnkernels.errors import DataError, ResultsError, one_line
from nnkernels.files import MALFORMED, read_json
from nnkernels.report.accuracy_runs import published_accuracy
from nnkernels.statistics import Estimate
from nnkernels.transforms.image_files import read_grayscale
from nnkernels.transforms.photo import IMAGE_SIZE

VERSION = 1
RECORD, SPRITE = "errors.json", "errors_digits.png"
NO_RUN = "No accuracy run is recorded; `nnkernels bench --profile accuracy` records one"


@dataclass(frozen=True)
class SharedMistake:
    """An image that all networks get wrong.

    Attributes
    ----------
    index : int
        Its number among the images, from 0.
    true : int
        Its class.
    readings : tuple of (int, int)
        Each class that it is taken for, and the number of networks that do so, the most frequent first.
    true_probability : float
        The probability of its class, mean over the networks.
    """

    index: int
    true: int
    readings: tuple[tuple[int, int], ...]
    true_probability: float


@dataclass(frozen=True)
class Bin:
    """Answers of similar confidence.

    Attributes
    ----------
    above, up_to : float
        The range of the confidence.
    count : int
        Number of answers, of all networks together.
    confidence : float
        Their mean confidence.
    accuracy : Estimate
        The share of right answers.
    """

    above: float
    up_to: float
    count: int
    confidence: float
    accuracy: Estimate


@dataclass(frozen=True)
class RecordedErrors:
    """What the networks of a run get wrong.

    Attributes
    ----------
    run_id : str
        The run.
    networks, images : int
        Their numbers.
    judge, dataset : str
        Which images, and the name of the data set.
    class_names : tuple of str
        One for each class.
    error : Estimate
        The error rate.
    by_class : tuple of (int, Estimate or None)
        The number of images of each class, and their error rate; None for a class without images.
    confusions : tuple of (int, int, float)
        True class, predicted class, and the number of images, mean over the networks; the most frequent first.
    calibration_error, overconfidence : Estimate
        The expected calibration error, and the mean confidence minus the accuracy.
    bins : tuple of Bin
        Bins of equal width that have answers.
    wrong_in_any, wrong_in_all : int
        Numbers of images that at least one network gets wrong, and that all do.
    digits : tuple of SharedMistake
        The latter, in the order of the picture.
    columns : int
        Digits in a row of the picture.
    sprite : ndarray of uint8, shape (height, width)
        The picture; empty if there are no digits.
    """

    run_id: str
    networks: int
    images: int
    judge: str
    dataset: str
    class_names: tuple[str, ...]
    error: Estimate
    by_class: tuple[tuple[int, Estimate | None], ...]
    confusions: tuple[tuple[int, int, float], ...]
    calibration_error: Estimate
    overconfidence: Estimate
    bins: tuple[Bin, ...]
    wrong_in_any: int
    wrong_in_all: int
    digits: tuple[SharedMistake, ...]
    columns: int
    sprite: npt.NDArray[np.uint8]


def read_errors(root: Path) -> RecordedErrors:
    """Read the recorded errors of the published accuracy run, or of the newest one if none is published.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    errors : RecordedErrors
        The errors.

    Raises
    ------
    ResultsError
        If they are missing or damaged. The message names the command that records them.
    """
    summary = published_accuracy(root)
    if summary is None:
        raise ResultsError(NO_RUN)
    place = summary.run.folder
    run = place.relative_to(root).as_posix()
    folder = place / FOLDER
    command = f"`nnkernels errors {run}/networks/*.safetensors --out {run}/{FOLDER}`"
    try:
        content = read_json(folder / RECORD)
        sprite = _picture(folder / SPRITE) if content["digits"] else np.empty((0, 0), np.uint8)
        return _checked(content, sprite, place.name)
    except OSError as error:
        raise ResultsError(f"{run}: the errors of its networks are not recorded; {command} records them") from error
    except (DataError, *MALFORMED) as error:
        reason = f"damaged ({one_line(error)}); {command} records it again"
        raise ResultsError(f"{run}/{FOLDER}/{RECORD}: {reason}") from error


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    path.stat()  # its absence is another error than damage
    return read_grayscale(path)


def _checked(content: Any, sprite: npt.NDArray[np.uint8], run_id: str) -> RecordedErrors:
    if content["version"] != VERSION:
        raise ValueError(f"its version is {content['version']!r}, expected {VERSION}")
    names = tuple(map(str, content["class_names"]))
    networks, columns = len(content["networks"]), int(content["columns"])
    digits = tuple(_mistake(one, len(names), networks) for one in content["digits"])
    if networks < 1 or columns < 1 or len(content["error_by_class"]) != len(names):
        raise ValueError(f"it has {networks} networks, {columns} columns and {len(names)} classes")
    expected = (-(-len(digits) // columns) * IMAGE_SIZE, columns * IMAGE_SIZE)
    if digits and sprite.shape != expected:
        raise ValueError(f"{SPRITE} is not a picture of {expected[1]} x {expected[0]} pixels")
    calibration = content["calibration"]
    return RecordedErrors(
        run_id,
        networks,
        int(content["images"]),
        str(content["judge"]),
        str(content["provenance"]["dataset"]["name"]),
        names,
        _estimate(content["error_rate"]),
        tuple((int(one["images"]), _estimate(one) if "value" in one else None) for one in content["error_by_class"]),
        tuple((int(one["true"]), int(one["predicted"]), float(one["value"])) for one in content["confusions"]),
        _estimate(calibration["expected_calibration_error"]["width"]),
        _estimate(calibration["overconfidence"]),
        tuple(_bin(one, networks) for one in calibration["bins"] if one["count"]),
        int(content["wrong_in_any"]),
        int(content["wrong_in_all"]),
        digits,
        columns,
        sprite,
    )


def _mistake(content: Any, classes: int, networks: int) -> SharedMistake:
    true, predicted = int(content["true"]), [int(one) for one in content["predicted"]]
    if len(predicted) != networks or not all(0 <= one < classes for one in (true, *predicted)) or true in predicted:
        raise ValueError(f"the answers to image {content['index']} are impossible")
    readings = sorted(Counter(predicted).items(), key=lambda found: (-found[1], found[0]))
    return SharedMistake(int(content["index"]), true, tuple(readings), float(content["true_probability"]))


def _bin(content: Any, networks: int) -> Bin:
    accuracy = Estimate(float(content["accuracy"]), float(content["low"]), float(content["high"]), networks)
    return Bin(
        float(content["above"]),
        float(content["up_to"]),
        int(content["count"]),
        float(content["confidence"]),
        accuracy,
    )


def _estimate(content: Any) -> Estimate:
    low, high = (float("nan") if content[end] is None else float(content[end]) for end in ("low", "high"))
    return Estimate(float(content["value"]), low, high, int(content["samples"]))
