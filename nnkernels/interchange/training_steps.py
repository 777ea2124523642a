"""Earlier parameters of a training run, quantised to 8 bits: what a network looked like before it was trained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from nnkernels.errors import DataError
from nnkernels.files import write_bytes
from nnkernels.interchange.checks import MAX_BYTES, checked_parameters, reader_errors_as_data_errors
from nnkernels.parameters import Parameters

TRAINING_STEPS = "training_steps.safetensors"  # the name of the file in the folder of a training run
MAX_STEPS = 8
FORMAT = "nnkernels-training-steps"
VERSION = 1

_METADATA = "nnkernels"  # the only entry: safetensors writes several in an order that varies between processes
_LEVELS = 255  # the highest level of 8 bits
_PARTS = ("", ".offset", ".scale")  # of a QuantisedArray, in the names of its arrays


class QuantisedArray(NamedTuple):
    """An array of 8-bit levels. Its values are ``offset + scale * levels``.

    Attributes
    ----------
    levels : ndarray of uint8, shape (M, K) or (K,)
        From 0 to 255.
    offset, scale : ndarray of float32, shape (K,) for a matrix, (1,) for a vector
        The value of level 0, and the difference between two levels: of each column of a matrix, and of a whole vector.
        ``scale`` is 0 where all values are equal.
    """

    levels: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]

    def values(self) -> npt.NDArray[np.float32]:
        """Return the values.

        Returns
        -------
        values : ndarray of float32
            In the shape of the levels, finite.
        """
        values = self.offset.astype(np.float64) + self.scale.astype(np.float64) * self.levels
        limit = float(np.finfo(np.float32).max)  # the highest level can lie beyond it by a rounding error
        return np.clip(values, -limit, limit).astype(np.float32)


class QuantisedParameters(NamedTuple):
    """Parameters of 8 bits each, a quarter of the size of float32.

    Attributes
    ----------
    W1, b1, W2, b2 : QuantisedArray
        The arrays of :class:`~nnkernels.parameters.Parameters`.
    """

    W1: QuantisedArray
    b1: QuantisedArray
    W2: QuantisedArray
    b2: QuantisedArray


@dataclass(frozen=True)
class TrainingStep:
    """The parameters at one moment of a training run.

    Attributes
    ----------
    epochs : float
        How many epochs were done, such as 0 for the initial parameters, or 0.25.
    batches : int
        The number of batches since the beginning of the training. Each is one update of the parameters.
    arrays : QuantisedParameters
        The parameters.
    """

    epochs: float
    batches: int
    arrays: QuantisedParameters

    def parameters(self) -> Parameters:
        """Return the parameters, which differ from the original ones by at most half a level.

        Returns
        -------
        params : Parameters
            In float32.
        """
        return Parameters(*(array.values() for array in self.arrays))


def quantised(params: Parameters) -> QuantisedParameters:
    """Quantise parameters to 8 bits.

    Parameters
    ----------
    params : Parameters
        In float32 or float64, and finite.

    Returns
    -------
    quantised : QuantisedParameters
        Each value is that of the nearest of 256 levels, which divide the range of its column (of its array, if it is a
        bias) evenly.

    Raises
    ------
    DataError
        If the arrays do not form a network, or if a value is not finite in float32.
    """
    with np.errstate(over="ignore"):  # checked below
        single = [np.asarray(array).astype(np.float32) for array in params]
    arrays = checked_parameters(Parameters(*single)._asdict(), "the parameters of the training step")
    return QuantisedParameters(*map(_quantised, arrays))


def _quantised(array: npt.NDArray[np.float32]) -> QuantisedArray:
    exact = array.astype(np.float64)  # in which the difference of two float32 numbers does not overflow
    low, high = exact.min(axis=0, keepdims=True), exact.max(axis=0, keepdims=True)
    scale = ((high - low) / _LEVELS).astype(np.float32)
    # Round up, so that level 255 reaches the largest value, and a tiny range does not get the scale 0.
    scale = np.where(scale * np.float64(_LEVELS) < high - low, np.nextafter(scale, np.float32(np.inf)), scale)
    levels = np.rint((exact - low) / np.where(scale > 0, scale, 1)).astype(np.uint8)
    return QuantisedArray(levels, low.astype(np.float32).ravel(), scale.ravel())


def save_training_steps(path: Path, steps: Sequence[TrainingStep]) -> None:
    """Write training steps to a safetensors file, atomically. The same steps give the same bytes.

    Step ``n`` has the arrays ``n.W1`` of uint8, ``n.W1.offset`` and ``n.W1.scale`` of float32, and so on. The only
    entry of the metadata, ``nnkernels``, is a JSON text with ``format``, ``version`` and, for each step, its ``epochs``
    and ``batches``.

    Parameters
    ----------
    path : Path
        The file. Missing folders are created.
    steps : sequence of TrainingStep
        One to eight steps of the same network, in the order of training.

    Raises
    ------
    DataError
        If there are no steps or too many, or if they are not in order or not of the same network.
    OSError
        If the file cannot be written.
    """
    _check_steps(steps, str(path))
    arrays = {}
    for n, step in enumerate(steps):
        for name, array in step.arrays._asdict().items():
            arrays[f"{n}.{name}"] = np.ascontiguousarray(array.levels)
            arrays[f"{n}.{name}.offset"] = np.ascontiguousarray(array.offset)
            arrays[f"{n}.{name}.scale"] = np.ascontiguousarray(array.scale)
    record = {
        "format": FORMAT,
        "version": VERSION,
        "steps": [{"epochs": step.epochs, "batches": step.batches} for step in steps],
    }
    write_bytes(path, safetensors.numpy.save(arrays, metadata={_METADATA: json.dumps(record)}))


def load_training_steps(path: Path) -> list[TrainingStep]:
    """Read training steps.

    Parameters
    ----------
    path : Path
        A file of :func:`save_training_steps`.

    Returns
    -------
    steps : list of TrainingStep
        One to eight, in the order of training.

    Raises
    ------
    DataError
        If the file does not exist, is damaged, or is of another format or a later version.
    """
    where = str(path)
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror or error}); expected training steps") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{where}: has more than {MAX_BYTES} bytes; expected at most {MAX_STEPS} training steps")
    with reader_errors_as_data_errors(where, "file of training steps"):
        arrays = safetensors.numpy.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        record = _record(header.get("__metadata__", {}).get(_METADATA), where)
        expected = {f"{n}.{name}{part}" for n in range(len(record)) for name in Parameters._fields for part in _PARTS}
        if expected != set(arrays):
            raise DataError(
                f"{where}: the arrays are not those of its {len(record)} steps "
                f"({', '.join(sorted(expected ^ set(arrays))[:3])}); it is damaged, so train again"
            )
        steps = [
            TrainingStep(float(entry["epochs"]), entry["batches"], _arrays(arrays, n)) for n, entry in enumerate(record)
        ]
    _check_steps(steps, where)
    return steps


def _record(text: str | None, where: str) -> list[dict[str, Any]]:
    """Return the entries of the steps, after a check of the format."""
    record = json.loads(text) if text is not None else {}
    found = record.get("format"), record.get("version")
    if found != (FORMAT, VERSION):
        raise DataError(
            f"{where}: is not a file of training steps of version {VERSION}, but of the format {found[0]!r}, version "
            f"{found[1]!r}"[:300]
            + "; train again, or install a newer version of nnkernels"
        )
    entries: list[dict[str, Any]] = record["steps"]
    return entries


def _arrays(arrays: Mapping[str, npt.NDArray[Any]], n: int) -> QuantisedParameters:
    return QuantisedParameters(
        *(QuantisedArray(*(arrays[f"{n}.{name}{part}"] for part in _PARTS)) for name in Parameters._fields)
    )


def _check_steps(steps: Sequence[TrainingStep], where: str) -> None:
    if not 1 <= len(steps) <= MAX_STEPS:
        raise DataError(f"{where}: has {len(steps)} training steps; expected 1 to {MAX_STEPS}")
    for n, step in enumerate(steps):
        if not (math.isfinite(step.epochs) and step.epochs >= 0 and type(step.batches) is int and step.batches >= 0):
            raise DataError(f"{where}: step {n} is at epoch {step.epochs} and batch {step.batches}; expected 0 or more")
        for name, array in step.arrays._asdict().items():
            _check_array(array, f"{where}: {name} of step {n}")
        checked_parameters(step.parameters()._asdict(), f"{where}: step {n}")
    for name in Parameters._fields:
        shapes = {getattr(step.arrays, name).levels.shape for step in steps}
        if len(shapes) > 1:
            raise DataError(f"{where}: the steps are of different networks; {name} has the shapes {shapes}")
    batches = [step.batches for step in steps]
    if any(later <= earlier for earlier, later in pairwise(batches)):
        raise DataError(f"{where}: the steps are at the batches {batches}; expected them in order, each once")


def _check_array(array: QuantisedArray, where: str) -> None:
    levels, offset, scale = array
    dtypes = tuple(str(part.dtype) for part in array)
    if dtypes != ("uint8", "float32", "float32"):
        raise DataError(f"{where}: levels, offset and scale are {dtypes}; expected uint8, float32 and float32")
    ranges = (levels.shape[1] if levels.ndim == 2 else 1,)
    if offset.shape != ranges or scale.shape != ranges:
        raise DataError(f"{where}: offset has the shape {offset.shape}, scale {scale.shape}; expected {ranges}")
    with np.errstate(over="ignore"):
        highest = offset + _LEVELS * scale.astype(np.float64)
    if not (np.isfinite(offset).all() and np.isfinite(highest).all() and (scale >= 0).all()):
        raise DataError(f"{where}: offset or scale is not finite, or scale is negative; the file is damaged")
