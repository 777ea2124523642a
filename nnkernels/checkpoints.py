"""Checkpoints: all that a training needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nnkernels.errors import ConfigurationError, DataError, one_line
from nnkernels.files import write_bytes
from nnkernels.history import EpochRecord, History
from nnkernels.kernels.contract import OptimizerState
from nnkernels.parameters import FloatArray, Parameters, native
from nnkernels.recipes import Optimizer, Recipe

FORMAT = "nnkernels-checkpoint"
VERSION = "1"


@dataclass(frozen=True)
class Checkpoint:
    """A training between two epochs.

    Attributes
    ----------
    parameters : Parameters
    state : OptimizerState
    history : History
        Recipe and seed included.
    identity : dict of str to str
        What must be the same for the training to go on: data, backend, versions; and to go on bit for bit: threads,
        BLAS, CPU.
    """

    parameters: Parameters
    state: OptimizerState
    history: History
    identity: dict[str, str]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint all or nothing: a kill at any moment leaves this one or the one before."""
    arrays = _named("parameters", checkpoint.parameters)
    arrays |= _named("first", checkpoint.state.first) | _named("second", checkpoint.state.second)
    arrays["step"] = np.ascontiguousarray(checkpoint.state.step, np.int64)
    texts = {
        "history": json.dumps(asdict(checkpoint.history)),
        "identity": json.dumps(checkpoint.identity),
    }
    metadata = {"format": FORMAT, "version": VERSION, **texts, "sha256": _digest(arrays, texts)}
    write_bytes(path, save(arrays, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    DataError
        If there is none, or the file is damaged or something else.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist: there is no training to go on with; start one without --resume")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
                raise DataError(f"{path} is no checkpoint of version {VERSION}; start the training anew")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dictionary)
        parameters, first, second = (_parameters(arrays, part) for part in ("parameters", "first", "second"))
        history = _history(json.loads(metadata["history"]))
        identity: dict[str, str] = json.loads(metadata["identity"])
        state = OptimizerState(arrays["step"], first, second)
        if _digest(arrays, metadata) != metadata["sha256"]:
            raise ValueError("what it holds does not have its checksum")
        return Checkpoint(parameters, state, history, identity)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ConfigurationError) as error:
        raise DataError(f"{path} is damaged ({one_line(error)}); start the training anew") from error


def _digest(arrays: Mapping[str, npt.NDArray[Any]], texts: Mapping[str, str]) -> str:
    # safetensors notices a header that does not fit; a changed weight, or a changed digit of the seed, nobody would.
    sha256 = hashlib.sha256(json.dumps([texts["history"], texts["identity"]]).encode())
    for name, array in sorted(arrays.items()):
        sha256.update(f"{name} {array.dtype} {array.shape}".encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def _named(part: str, parameters: Parameters) -> dict[str, FloatArray]:
    # safetensors writes memory as it lies: an array that is not C-contiguous would come back with its entries mixed up.
    return {f"{part}.{name}": array for name, array in native(parameters)._asdict().items()}


def _parameters(arrays: dict[str, FloatArray], part: str) -> Parameters:
    return Parameters(*(arrays[f"{part}.{name}"] for name in Parameters._fields))


def _history(values: dict[str, Any]) -> History:
    recipe = values["recipe"]
    recipe["optimizer"] = Optimizer(**recipe["optimizer"])
    epochs = [EpochRecord(**record) for record in values["epochs"]]
    return History(Recipe(**recipe), values["seed"], values["images"], epochs)
