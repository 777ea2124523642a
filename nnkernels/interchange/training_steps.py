"""Earlier parameters of a training run, in 8 bits: what the network was before the training and on the way."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from nnkernels.errors import DataError
from nnkernels.files import write_bytes
from nnkernels.interchange.checks import MAX_BYTES, checked_parameters, reader_errors_as_data_errors
from nnkernels.parameters import Parameters

MAX_STEPS = 8
FORMAT = "nnkernels-training-steps"
VERSION = 1

_METADATA = "nnkernels"  # the only entry, because safetensors writes several in an order that varies between processes
_HIGHEST = 255  # the highest level of 8 bits
_PARTS = (*Parameters._fields, "offsets", "scales")


@dataclass(frozen=True)
class TrainingStep:
    """The parameters at one moment of a training run, in 8 bits: array n is ``offsets[n] + scales[n] * values[n]``.

    The levels of an array divide its range evenly. Trained on MNIST (seeds 0 to 2 of ``adam`` and ``sgd``), the network
    so rounded misclassifies at most ten more or fewer of the 10,000 test images than the original, and its test loss
    differs by at most 0.001. Separate levels for each column of a matrix are no better.

    Attributes
    ----------
    epochs : float
        The number of epochs done: 0 for the initial parameters, or for example 0.25.
    batches : int
        The number of batches since the beginning of the training. Each is one update of the parameters.
    values : Parameters
        The levels, of uint8.
    offsets, scales : tuple of four floats
        The value of level 0 of each array, and the difference between two levels; representable in float32. A scale is
        0 if all values of the array are equal.
    """

    epochs: float
    batches: int
    values: Parameters
    offsets: tuple[float, ...]
    scales: tuple[float, ...]

    def parameters(self) -> Parameters:
        """Return the parameters.

        Returns
        -------
        params : Parameters
            In float32, and finite. They differ from the original ones by half a level, apart from rounding.
        """
        limit = np.finfo(np.float32).max  # the highest level can lie beyond it by a rounding error
        exact = (
            offset + scale * levels.astype(np.float64)
            for levels, offset, scale in zip(self.values, self.offsets, self.scales, strict=True)
        )
        return Parameters(*(np.clip(array, -limit, limit).astype(np.float32) for array in exact))


def quantised(epochs: float, batches: int, params: Parameters) -> TrainingStep:
    """Round the parameters of a training step to 8 bits.

    Parameters
    ----------
    epochs : float
        The number of epochs done.
    batches : int
        The number of batches done.
    params : Parameters
        The parameters, in float32 or float64.

    Returns
    -------
    step : TrainingStep
        The step.

    Raises
    ------
    DataError
        If the arrays do not form a network, or if a value is not finite in float32.
    """
    with np.errstate(over="ignore"):  # an infinity is rejected below
        single = {name: np.asarray(array).astype(np.float32) for name, array in params._asdict().items()}
    checked = checked_parameters(single, f"the parameters after {epochs:g} epochs")
    levels, offsets, scales = zip(*map(_quantised, checked), strict=True)
    return TrainingStep(float(epochs), int(batches), Parameters(*levels), offsets, scales)


def _quantised(array: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], float, float]:
    exact = array.astype(np.float64)  # in which the difference of two float32 numbers does not overflow
    low, extent = float(exact.min()), float(exact.max() - exact.min())
    scale = np.float32(extent / _HIGHEST)
    if (
        float(scale) * _HIGHEST < extent
    ):  # round up: level 255 reaches the largest value, and no tiny range gets scale 0
        scale = np.nextafter(scale, np.float32(np.inf))
    levels = np.rint((exact - low) / (float(scale) or 1.0)).astype(np.uint8)
    return levels, low, float(scale)


def save_training_steps(path: Path, steps: Sequence[TrainingStep]) -> None:
    """Write training steps to a safetensors file, atomically. The same steps give the same bytes.

    Step ``n`` has the arrays ``n.W1``, ``n.b1``, ``n.W2`` and ``n.b2`` of uint8, and ``n.offsets`` and ``n.scales`` of
    float32, shape (4,). The only entry of the metadata, ``nnkernels``, is a JSON text with ``format``, ``version`` and
    ``steps``: the ``epochs`` and ``batches`` of each.

    Parameters
    ----------
    path : Path
        The file. Missing folders are created.
    steps : sequence of TrainingStep
        One to eight steps of the same network, in the order of training.

    Raises
    ------
    DataError
        If the number, the order or the arrays of the steps are wrong.
    OSError
        If the file cannot be written.
    """
    _check_steps(steps, str(path))
    arrays: dict[str, npt.NDArray[Any]] = {}
    for n, step in enumerate(steps):
        arrays |= {f"{n}.{name}": np.ascontiguousarray(levels) for name, levels in step.values._asdict().items()}
        arrays[f"{n}.offsets"] = np.array(step.offsets, np.float32)
        arrays[f"{n}.scales"] = np.array(step.scales, np.float32)
    moments = [{"epochs": step.epochs, "batches": step.batches} for step in steps]
    record = {"format": FORMAT, "version": VERSION, "steps": moments}
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
        If the file cannot be read, is damaged, or is of another format or version.
    """
    where = str(path)
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror or error}); expected training steps") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{where}: has more than {MAX_BYTES} bytes, far more than {MAX_STEPS} training steps need")
    with reader_errors_as_data_errors(where, "file of training steps"):
        arrays = safetensors.numpy.load(content)
        moments = _moments(content, where)
        expected = {f"{n}.{part}" for n in range(len(moments)) for part in _PARTS}
        if unlike := sorted(expected ^ set(arrays)):
            raise DataError(f"{where}: {unlike[0]!r} is missing or unknown; the file is damaged, so train again")
        steps = [_step(n, moment, arrays, where) for n, moment in enumerate(moments)]
        _check_steps(steps, where)
    return steps


def _moments(content: bytes, where: str) -> list[dict[str, Any]]:
    """Return epochs and batches of the steps, after a check of the format."""
    # safetensors can read metadata from a file, but not from bytes. The header is its length, followed by JSON.
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    record = json.loads(header.get("__metadata__", {}).get(_METADATA, "{}"))
    found = record.get("format"), record.get("version")
    if found != (FORMAT, VERSION):
        raise DataError(
            f"{where}: has the format {str(found[0])[:80]!r} of version {str(found[1])[:20]}; this version of "
            f"nnkernels reads {FORMAT!r} of version {VERSION}"
        )
    moments: list[dict[str, Any]] = record["steps"]
    return moments


def _step(n: int, moment: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], where: str) -> TrainingStep:
    for name in ("offsets", "scales"):
        array = arrays[f"{n}.{name}"]
        if array.dtype != np.float32 or array.shape != (len(Parameters._fields),):
            raise DataError(f"{where}: {n}.{name} is {array.dtype} of shape {array.shape}; expected float32 (4,)")
    values = Parameters(*(arrays[f"{n}.{name}"] for name in Parameters._fields))
    offsets, scales = (tuple(arrays[f"{n}.{name}"].tolist()) for name in ("offsets", "scales"))
    return TrainingStep(moment["epochs"], moment["batches"], values, offsets, scales)


def _check_steps(steps: Sequence[TrainingStep], where: str) -> None:
    if not 1 <= len(steps) <= MAX_STEPS:
        raise DataError(f"{where}: has {len(steps)} training steps; expected 1 to {MAX_STEPS}")
    for n, step in enumerate(steps):
        _check_step(step, f"{where}: step {n}")
    batches = [step.batches for step in steps]
    epochs = [step.epochs for step in steps]
    if any(later <= earlier for counts in (batches, epochs) for earlier, later in pairwise(counts)):
        raise DataError(
            f"{where}: the steps are at the batches {batches}, epochs {epochs}; expected increasing numbers"
        )
    shapes = [tuple(levels.shape for levels in step.values) for step in steps]
    if len(set(shapes)) > 1:
        raise DataError(f"{where}: the steps are of different networks, with the shapes {shapes}")


def _check_step(step: TrainingStep, where: str) -> None:
    if type(step.epochs) not in (int, float) or not math.isfinite(step.epochs) or step.epochs < 0:
        raise DataError(f"{where}: its epochs are {step.epochs!r}; expected a number from 0")
    if type(step.batches) is not int or step.batches < 0:
        raise DataError(f"{where}: its batches are {step.batches!r}; expected an integer from 0")
    for name, levels, offset, scale in zip(Parameters._fields, step.values, step.offsets, step.scales, strict=True):
        if levels.dtype != np.uint8:
            raise DataError(f"{where}: {name} is {levels.dtype}; expected uint8")
        if not (math.isfinite(offset) and math.isfinite(scale) and scale >= 0):
            raise DataError(f"{where}: {name} has the offset {offset} and the scale {scale}; expected finite numbers")
    checked_parameters(step.parameters()._asdict(), where)
