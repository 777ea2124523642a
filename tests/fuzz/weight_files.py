"""Valid files of weights in every format, of nnkernels and of other programs, and their reader."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels.interchange import Preprocessing, load_parameters, save_parameters
from nnkernels.parameters import Parameters, initial_parameters
from tests.fuzz.readers import Files, Reader

INPUTS, HIDDEN, CLASSES = 8, 3, 4


def _network() -> Parameters:
    return initial_parameters(0, inputs=INPUTS, hidden=HIDDEN, classes=CLASSES)


def made(write: Callable[[Path], object]) -> Files:
    """Return the files that ``write`` writes into a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _saved(suffix: str) -> Files:
    """Return files that nnkernels writes, with and without a record of the preprocessing."""

    def write(folder: Path) -> None:
        save_parameters(_network(), folder / f"a.{suffix}")
        save_parameters(_network(), folder / f"b.{suffix}", preprocessing=Preprocessing(mean=0.1307, deviation=0.3081))

    return made(write)


def _state_dict() -> dict[str, np.ndarray]:
    """Return arrays as PyTorch names and turns them."""
    params = _network()
    names = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
    return {name: np.ascontiguousarray(array.T) for name, array in zip(names, params, strict=True)}


def _foreign_npz() -> Files:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **_state_dict())
    return {"model.npz": content.getvalue()}


def _foreign_safetensors() -> Files:
    from safetensors.numpy import save

    header: dict[str, Any] = {}
    content = b""
    for name, array in _state_dict().items():
        data = (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        offsets = [len(content), len(content) + len(data)]
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": offsets}
        content += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return {
        "torch.safetensors": save(_state_dict(), {"format": "pt"}),
        "bfloat16.safetensors": len(text).to_bytes(8, "little") + text + content,
    }


def _legacy_configuration(*normalisations: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the configuration of a model as Keras 2 wrote it, with layers before its first dense one."""
    layers = [
        ("InputLayer", {"name": "x", "batch_input_shape": [None, INPUTS]}),
        ("Rescaling", {"name": "r", "scale": 1 / 255, "offset": 0.0}),
        *normalisations,
        ("Dense", {"name": "dense", "activation": "relu"}),
        ("Dense", {"name": "dense_1", "activation": "softmax"}),
    ]
    listed = [{"class_name": kind, "config": config} for kind, config in layers]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": listed}}


def _hdf5(arrays: dict[str, np.ndarray], configuration: dict[str, Any] | None = None) -> bytes:
    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        if configuration is not None:
            file.attrs["model_config"] = json.dumps(configuration)
    return content.getvalue()


def _hdf5_files() -> Files:
    names = [f"{layer}/{layer}/{kind}:0" for layer in ("dense", "dense_1") for kind in ("kernel", "bias")]
    old = dict(zip(names, _network(), strict=True))
    inside = {f"model_weights/{name}": array for name, array in old.items()}
    layers = [f"layers/{layer}/vars/{place}" for layer in ("dense", "dense_1") for place in (0, 1)]
    new = dict(zip(layers, _network(), strict=True))
    batch = ("BatchNormalization", {"name": "b", "epsilon": 0.001, "scale": False, "center": False})
    statistics = {f"model_weights/b/moving_{role}:0": np.ones(INPUTS, np.float32) for role in ("mean", "variance")}
    return {
        "weights.h5": _hdf5(old),
        "normalised.h5": _hdf5(inside | statistics, _legacy_configuration(batch)),
        "model.h5": _hdf5(inside, _legacy_configuration()),
        "model.weights.h5": _hdf5(new),
    }


def _keras_2() -> Files:
    """Return archives of Keras 2, in the weights of Keras 3, also of the package beside Keras 3."""
    layers = [f"layers/{layer}/vars/{place}" for layer in ("dense", "dense_1") for place in (0, 1)]
    weights = _hdf5(dict(zip(layers, _network(), strict=True)))
    files = {}
    for name, module in (("old.keras", "keras"), ("beside.keras", "tf_keras")):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
            archive.writestr("config.json", json.dumps(_legacy_configuration() | {"module": module}))
            archive.writestr("model.weights.h5", weights)
        files[name] = content.getvalue()
    return files


def _external_onnx() -> Files:
    import onnx

    from nnkernels.interchange import to_onnx

    def write(folder: Path) -> None:
        model = to_onnx(_network())
        onnx.save(model, folder / "p.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)

    return made(write)


def _pickled() -> Files:
    return dict.fromkeys(("model.pt", "model.pkl", "model.joblib"), b"\x80\x04N.")


def _read_all(folder: Path) -> object:
    """Read every file of weights in a folder: the first that cannot be read ends it."""
    return [load_parameters(path) for path in sorted(folder.iterdir()) if path.suffix != ".bin"]


def weight_readers() -> list[Reader]:
    """Return the readers of weights."""
    safetensors, npz = ("interchange.formats.safetensors",), ("interchange.formats.npz", "interchange.zip_sizes")
    keras = ("interchange.formats.keras_archive",)
    return [
        Reader("weights: safetensors", safetensors, _read_all, lambda: _saved("safetensors")),
        Reader("weights: safetensors, foreign", safetensors, _read_all, _foreign_safetensors),
        Reader("weights: npz", npz, _read_all, lambda: _saved("npz")),
        Reader("weights: npz, foreign", npz, _read_all, _foreign_npz),
        Reader("weights: ONNX", ("interchange.formats.onnx",), _read_all, lambda: _saved("onnx")),
        Reader("weights: ONNX, data outside", ("interchange.formats.onnx",), _read_all, _external_onnx),
        Reader("weights: pickled", ("interchange.formats.pickled",), _read_all, _pickled, refuses=True),
        Reader("weights: HDF5", ("interchange.formats.hdf5", "interchange.hdf5_arrays"), _read_all, _hdf5_files),
        Reader("weights: Keras", keras, _read_all, lambda: _saved("keras"), heavy=True),
        Reader("weights: Keras 2", keras, _read_all, _keras_2, heavy=True),
    ]
