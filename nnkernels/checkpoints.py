"""Checkpoints: files with the complete state of a training run, from which it can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
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
from nnkernels.recipes import recipe_from_record

FORMAT = "nnkernels-checkpoint"
VERSION = "1"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training run after an epoch.

    Attributes
    ----------
    parameters : Parameters
        The parameters, in float32 or float64.
    state : OptimizerState
        The state of the optimizer.
    history : History
        The history so far, with recipe and seed, and with the parameters that it keeps.
    identity : dict of str to str
        The conditions of the training. Data, backend and versions have to match to resume it. Threads, BLAS and CPU
        have to match too for the same result bit for bit.
    """

    parameters: Parameters
    state: OptimizerState
    history: History
    identity: dict[str, str]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically.

    If the process is killed, the file contains either the new or the previous checkpoint.

    Parameters
    ----------
    path : Path
        The safetensors file.
    checkpoint : Checkpoint
        The state to save.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    arrays = _arrays_by_name("parameters", checkpoint.parameters)
    arrays |= _arrays_by_name("first", checkpoint.state.first) | _arrays_by_name("second", checkpoint.state.second)
    history = checkpoint.history
    if history.kept is not None:
        arrays |= _arrays_by_name("kept", history.kept)
    arrays["step"] = np.ascontiguousarray(checkpoint.state.step, np.int64)
    texts = {
        "history": json.dumps(asdict(replace(history, kept=None))),
        "identity": json.dumps(checkpoint.identity),
    }
    metadata = {"format": FORMAT, "version": VERSION, **texts, "sha256": _digest(arrays, texts)}
    write_bytes(path, save(arrays, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint and verify its checksum.

    Parameters
    ----------
    path : Path
        The safetensors file.

    Returns
    -------
    checkpoint : Checkpoint
        The saved state.

    Raises
    ------
    DataError
        If the file does not exist, is damaged, or is not a checkpoint.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist, so there is no training to resume; start one without --resume")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
                raise DataError(f"{path} is not a checkpoint of version {VERSION}; start the training again")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dictionary)
        parameters, first, second = (_parameters(arrays, part) for part in ("parameters", "first", "second"))
        history = _history(json.loads(metadata["history"]))
        if any(name.startswith("kept.") for name in arrays):
            history.kept = _parameters(arrays, "kept")
        identity: dict[str, str] = json.loads(metadata["identity"])
        state = OptimizerState(arrays["step"], first, second)
        if _digest(arrays, metadata) != metadata["sha256"]:
            raise ValueError("the content does not match its checksum")
        return Checkpoint(parameters, state, history, identity)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ConfigurationError) as error:
        raise DataError(f"{path} is damaged ({one_line(error)}); start the training again") from error


def _digest(arrays: Mapping[str, npt.NDArray[Any]], texts: Mapping[str, str]) -> str:
    # safetensors detects an inconsistent header, but not a changed weight or a changed digit of the seed.
    sha256 = hashlib.sha256(json.dumps([texts["history"], texts["identity"]]).encode())
    for name, array in sorted(arrays.items()):
        sha256.update(f"{name} {array.dtype} {array.shape}".encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def _arrays_by_name(part: str, parameters: Parameters) -> dict[str, FloatArray]:
    # safetensors writes the memory of an array as it is, so an array that is not C-contiguous would be scrambled.
    return {f"{part}.{name}": array for name, array in native(parameters)._asdict().items()}


def _parameters(arrays: dict[str, FloatArray], part: str) -> Parameters:
    return Parameters(*(arrays[f"{part}.{name}"] for name in Parameters._fields))


def _history(values: dict[str, Any]) -> History:
    epochs = [EpochRecord(**record) for record in values["epochs"]]
    return History(recipe_from_record(values["recipe"]), values["seed"], values["images"], epochs)
