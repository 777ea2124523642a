"""The errors of several networks on the same images: by class, by confusion, and the images that all get wrong.

Several trainings differ by their seed. An error that one of them makes may be chance; an image that all get wrong is
hard for this kind of network, or its label is doubtful.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.accuracy.calibration import checked_answers
from nnkernels.accuracy.record import AccuracyRun
from nnkernels.data import LabelledImages
from nnkernels.data.dataset import digest
from nnkernels.errors import DataError
from nnkernels.evaluation import probabilities
from nnkernels.interchange import Network, load_network
from nnkernels.statistics import Estimate, student

FOLDER = "errors"  # in the folder of an accuracy run

Indices = npt.NDArray[np.int64]


class Confusion(NamedTuple):
    """How often images of one class are predicted as another.

    Attributes
    ----------
    true, predicted : int
        The two classes.
    times : Estimate
        The number of images, mean over the networks.
    """

    true: int
    predicted: int
    times: Estimate


@dataclass(frozen=True)
class Answers:
    """The answers of S networks on N labelled images.

    Intervals are Student's over the networks. They include how training varies with the seed, not how the results would
    vary with other images.

    Attributes
    ----------
    y : ndarray of int64, shape (N,)
        True classes.
    probs : ndarray of float, shape (S, N, C)
        The predicted probabilities. Those of one network may have the shape (N, C).

    Raises
    ------
    DataError
        If the probabilities or the labels have another shape, or impossible values.
    """

    y: npt.NDArray[np.integer[Any]]
    probs: npt.NDArray[Any]

    def __post_init__(self) -> None:
        probs, y = checked_answers(self.probs, self.y)
        object.__setattr__(self, "probs", probs)
        object.__setattr__(self, "y", y)

    @cached_property
    def predicted(self) -> Indices:
        """The most probable class, shape (S, N)."""
        predicted: Indices = self.probs.argmax(axis=2)
        return predicted

    @cached_property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Whether each network gets each image wrong, shape (S, N)."""
        return np.asarray(self.predicted != self.y)

    @property
    def times_wrong(self) -> Indices:
        """The number of networks that get each image wrong, shape (N,)."""
        return np.asarray(np.count_nonzero(self.wrong, axis=0))

    @property
    def label_probability(self) -> npt.NDArray[np.float64]:
        """The probability of the true class of each image, mean over the networks, shape (N,)."""
        of_label = np.take_along_axis(self.probs, self.y[np.newaxis, :, np.newaxis], axis=2)
        return np.asarray(of_label[..., 0].mean(axis=0, dtype=np.float64))

    @property
    def error(self) -> Estimate:
        """The error rate."""
        return student(self.wrong.mean(axis=1))

    @property
    def error_by_class(self) -> list[Estimate | None]:
        """The error rate among the images of each class; None for a class without images."""
        classes = self.probs.shape[2]
        members = [self.y == label for label in range(classes)]
        return [student(self.wrong[:, of].mean(axis=1)) if of.any() else None for of in members]

    @property
    def confusion(self) -> Indices:
        """The number of answers of all networks by true class (row) and predicted class (column), shape (C, C)."""
        return np.asarray(self._confusion_of_each.sum(axis=0))

    @property
    def confusions(self) -> list[Confusion]:
        """The pairs of classes that are confused at least once, the most frequent first."""
        each = self._confusion_of_each
        pairs = [
            Confusion(int(true), int(predicted), student(each[:, true, predicted]))
            for true, predicted in np.argwhere(each.any(axis=0))
            if true != predicted
        ]
        return sorted(pairs, key=lambda pair: (-pair.times.value, pair.true, pair.predicted))

    @property
    def wrong_in_all(self) -> Indices:
        """The indices of the images that all networks get wrong, those with the least probable label first."""
        found = np.flatnonzero(self.wrong.all(axis=0))
        return found[np.argsort(self.label_probability[found], kind="stable")]

    def readings(self, index: int) -> list[tuple[int, int]]:
        """Return what an image is taken for.

        Parameters
        ----------
        index : int
            The index of the image.

        Returns
        -------
        readings : list of (int, int)
            Each predicted class, and the number of networks that predict it, the most frequent first.
        """
        counts = Counter(self.predicted[:, index].tolist())
        return sorted(counts.items(), key=lambda found: (-found[1], found[0]))

    @cached_property
    def _confusion_of_each(self) -> Indices:
        networks, _, classes = self.probs.shape
        counts = np.zeros((networks, classes, classes), np.int64)
        np.add.at(counts, (np.arange(networks)[:, np.newaxis], self.y, self.predicted), 1)
        return counts


def load_networks(paths: Sequence[Path]) -> dict[str, Network]:
    """Load several networks, each with the preprocessing that its file states.

    Parameters
    ----------
    paths : sequence of Path
        Files that :func:`nnkernels.load_network` reads.

    Returns
    -------
    networks : dict of str to Network
        By the path of their file, without the folders that all paths share.

    Raises
    ------
    DataError
        If there is no file, a file cannot be read, or two files contain the same network, which would count twice.
    ConfigurationError, MissingDependencyError
        As :func:`nnkernels.load_network`.
    """
    if not paths:
        raise DataError("there are no networks; name at least one file")
    whole = [path.resolve() for path in paths]
    shared = os.path.commonpath([path.parent for path in whole])
    networks: dict[str, Network] = {}
    names: dict[str, str] = {}
    for path, absolute in zip(paths, whole, strict=True):
        name = absolute.relative_to(shared).as_posix()
        network = load_network(path)
        content = digest(*network.parameters)
        if content in names:
            raise DataError(f"{name} and {names[content]} contain the same network; name each network once")
        names[content] = name
        networks[name] = network
    return networks


def kept_networks(run: AccuracyRun) -> dict[str, Network]:
    """Load the networks that an accuracy run has kept.

    Parameters
    ----------
    run : AccuracyRun
        The run.

    Returns
    -------
    networks : dict of str to Network
        By seed, such as ``seed 100``, in the order of the seeds.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    rows = sorted((row for row in run.rows if row.get("network")), key=lambda row: int(row["seed"]))
    return {f"seed {row['seed']}": load_network(run.folder / row["network"]) for row in rows}


def answers(networks: Mapping[str, Network], images: LabelledImages) -> Answers:
    """Let networks predict images.

    Parameters
    ----------
    networks : mapping of str to Network
        The networks by name, as :func:`load_networks` returns them.
    images : LabelledImages
        The images as they are; they are deskewed for the networks that need it.

    Returns
    -------
    answers : Answers
        In the order of the networks.

    Raises
    ------
    DataError
        If there are no images, or if a network has another number of inputs or outputs. The message names it.
    """
    features, classes = images.X.shape[1], images.classes
    for name, (params, _preprocessing) in networks.items():
        shape = len(params.W1), len(params.b2)
        if shape != (features, classes):
            raise DataError(
                f"{name} has {shape[0]} inputs and {shape[1]} outputs; the data set has {features} pixels and "
                f"{classes} classes"
            )
    seen = {how: how.deskewed(images.X) for how in {preprocessing for _params, preprocessing in networks.values()}}
    judge = kernels.load("numpy")
    probs = [probabilities(judge, params, seen[how]) for params, how in networks.values()]
    return Answers(images.y, np.stack(probs) if probs else np.empty((0, len(images.X), classes)))
