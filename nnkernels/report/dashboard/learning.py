"""The records of learning that the page shows: the curves of a training, and the experiment on width and recipe."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnkernels.errors import ResultsError, one_line
from nnkernels.files import MALFORMED, read_json
from nnkernels.statistics import Estimate

TRAINING = Path("results", "figures", "train")
CLAIM = Path("results", "figures", "claim", "claim.json")
_ERROR_COLUMNS = ("train_error_rate", "validation_error_rate")
TRAIN_COMMAND = "nnkernels train --recipe adam --out results/figures/train"
CLAIM_COMMAND = "nnkernels compare --claim --out results/figures/claim"


@dataclass(frozen=True)
class Epoch:
    """An epoch of a recorded training.

    Attributes
    ----------
    number : int
        From 1.
    seconds : float
        Time of training since the start, without evaluation.
    train_error, validation_error : float or None
        Error rates after the epoch, as fractions; None if they were not evaluated.
    """

    number: int
    seconds: float
    train_error: float | None
    validation_error: float | None


@dataclass(frozen=True)
class RecordedTraining:
    """A recorded training.

    Attributes
    ----------
    epochs : tuple of Epoch
        At least one.
    recipe : dict
        ``name``, ``batch_size``, ``hidden``, ``learning_rate`` and others.
    kernels : str
        The kernels that trained.
    test_error : float
        The final error rate on test images, as a fraction.
    commit, dataset : str
        The commit of the code, and the name of the data set.
    """

    epochs: tuple[Epoch, ...]
    recipe: dict[str, Any]
    kernels: str
    test_error: float
    commit: str
    dataset: str


@dataclass(frozen=True)
class Combination:
    """A combination of width, recipe and contender.

    Attributes
    ----------
    hidden : int
        Number of hidden units.
    recipe, contender : str
        Names.
    error : Estimate
        The test error, a fraction: mean over seeds.
    """

    hidden: int
    recipe: str
    contender: str
    error: Estimate


@dataclass(frozen=True)
class Claim:
    """The experiment on what a gap in accuracy is due to.

    Attributes
    ----------
    combinations : tuple of Combination
        All eight.
    gap : Estimate
        The gap, in percentage points.
    parts : dict of str to Estimate
        The contributions of width, recipe and framework to it.
    sentence : str
        The result as it was recorded.
    commit, dataset : str
        The commit of the code, and the name of the data set.
    """

    combinations: tuple[Combination, ...]
    gap: Estimate
    parts: dict[str, Estimate]
    sentence: str
    commit: str
    dataset: str


def read_training(root: Path) -> RecordedTraining:
    """Read the recorded training.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    training : RecordedTraining
        The training of ``results/figures/train``.

    Raises
    ------
    ResultsError
        If it is missing or damaged. The message names the command that records it.
    """
    try:
        content = read_json(root / TRAINING / "metrics.json")
        with (root / TRAINING / "history.csv").open(encoding="utf-8", newline="") as file:
            epochs = tuple(map(_epoch, csv.DictReader(file)))
        if not epochs:
            raise ValueError("history.csv has no epoch")
        return RecordedTraining(
            epochs,
            {"name": str(content["recipe"]["name"]), "hidden": int(content["recipe"]["hidden"])} | content["recipe"],
            str(content["kernels"]),
            float(content["test"]["error_rate"]),
            str(content["provenance"]["commit"]),
            str(content["provenance"]["dataset"]["name"]),
        )
    except OSError as error:
        raise ResultsError(f"{TRAINING.as_posix()}/: no training is recorded; `{TRAIN_COMMAND}` records one") from error
    except (csv.Error, *MALFORMED) as error:
        reason = f"damaged ({one_line(error)}); `{TRAIN_COMMAND}` records it again"
        raise ResultsError(f"{TRAINING.as_posix()}/: {reason}") from error


def read_claim(root: Path) -> Claim:
    """Read the recorded experiment on width, recipe and framework.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    claim : Claim
        The experiment of ``results/figures/claim``.

    Raises
    ------
    ResultsError
        If it is missing or damaged. The message names the command that records it.
    """
    try:
        content = read_json(root / CLAIM)
        return Claim(
            tuple(map(_combination, content["cells"])),
            _estimate(content["gap_in_points"]),
            {str(name): _estimate(part) for name, part in content["parts_in_points"].items()},
            str(content["sentence"]),
            str(content["provenance"]["commit"]),
            str(content["provenance"]["dataset"]["name"]),
        )
    except OSError as error:
        raise ResultsError(f"{CLAIM.as_posix()}: not recorded; `{CLAIM_COMMAND}` records it") from error
    except MALFORMED as error:
        reason = f"damaged ({one_line(error)}); `{CLAIM_COMMAND}` records it again"
        raise ResultsError(f"{CLAIM.as_posix()}: {reason}") from error


def _epoch(row: dict[str, str]) -> Epoch:
    train, validation = (float(row[name]) if row[name] else None for name in _ERROR_COLUMNS)
    return Epoch(int(row["epoch"]), float(row["elapsed_seconds"]), train, validation)


def _combination(cell: dict[str, Any]) -> Combination:
    # The interval of an error is that of the accuracy, mirrored.
    error = Estimate(1 - cell["accuracy"], 1 - cell["ci_high"], 1 - cell["ci_low"], int(cell["seeds"]))
    return Combination(int(cell["hidden"]), str(cell["recipe"]), str(cell["contender"]), error)


def _estimate(content: dict[str, Any]) -> Estimate:
    return Estimate(float(content["value"]), float(content["low"]), float(content["high"]), int(content["samples"]))
