"""The user's Keras settings affect neither the Keras contenders nor the model, and are not changed."""

from __future__ import annotations

import json
import os
import re
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from nnkernels.contenders._keras import import_tensorflow
from nnkernels.errors import ConfigurationError
from nnkernels.measure.records.environment import timed_environment
from tests.processes import python

pytestmark = pytest.mark.skipif(
    any(find_spec(package) is None for package in ("keras", "tensorflow")), reason="needs Keras and TensorFlow"
)

# A process of its own, because Keras reads keras.json once. It tests the dtype policies one after the other.
PROGRAM = """
import json, os
before_all = dict(os.environ)
from nnkernels import load_mnist
from nnkernels.contenders import create
from nnkernels.interchange import from_keras, keras_optimizer, load_parameters, save_parameters, to_keras
from nnkernels.measure.correctness import gate, gate_training, verification
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Optimizer, benchmark_recipe

gate_training.IMAGES, gate.PREDICTED_ALONE = 97, 2  # the first steps show whether settings reach a contender
OWN = ("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
data = load_mnist()
create("keras-graph").close()  # imports Keras on TensorFlow
import keras
import numpy as np

def settings():
    config = keras.config
    return [config.floatx(), config.dtype_policy().name, config.epsilon(), config.image_data_format()]

found = []
for policy, rule in ((None, "sgd"), ("mixed_float16", "adam")):
    if policy:
        keras.config.set_dtype_policy(policy)
    before = settings()
    model = to_keras(initial_parameters(0))
    save_parameters(initial_parameters(0), "model.keras")
    read = load_parameters("model.keras")
    gates = {}
    for name in ("keras-fit", "keras-graph"):
        (result,) = verification.verify(name, data, benchmark_recipe(Optimizer(rule)))
        gates[f"{name}, {rule}"] = [result.max_abs_difference, result.prediction_difference, result.passed]
    logits = model(np.ones((3, 784), np.float32))
    found.append({
        "gates": gates,
        "model": [model.dtype, model.compute_dtype, model.dtype_policy.name],
        "layers": [[layer.dtype_policy.name, layer.compute_dtype] for layer in model.layers],
        "weights": sorted({weight.dtype.name for weight in (*model.get_weights(), *from_keras(model), *read)}),
        "logits": logits.dtype.name,
        "float64": to_keras(Parameters(*(array.astype(np.float64) for array in initial_parameters(0)))).dtype,
        "learning rate": keras.backend.standardize_dtype(keras_optimizer(Optimizer("adam"), 0.3).learning_rate.dtype),
        "read": [float(np.abs(a - b).max()) for a, b in zip(read, initial_parameters(0))],
        "settings": [before, settings()],
        "backend": keras.backend.backend(),
        "environment": [name for name in OWN if os.environ.get(name) != before_all.get(name)],
    })
print(json.dumps(found))
"""


@pytest.mark.slow
def test_keras_json_and_dtype_policy_do_not_affect_contenders(tmp_path: Path, data_folder: Path) -> None:
    floatx = "float16"  # its error would fail the gate, unlike that of float64
    content = {"floatx": floatx, "epsilon": 0.1, "backend": "jax", "image_data_format": "channels_first"}
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "keras.json").write_text(json.dumps(content), "utf-8")
    ours = ("CUDA_", "KERAS_", "TF_CPP_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "KERAS_HOME": str(tmp_path / "keras"),
        "NNKERNELS_DATA": str(data_folder),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    answer = python("-c", PROGRAM, folder=tmp_path, environment=environment)
    for policy, found in zip((floatx, "mixed_float16"), json.loads(answer.stdout.splitlines()[-1]), strict=True):
        assert len(found["gates"]) == 2
        failed = {name: differences for name, (*differences, passed) in found["gates"].items() if not passed}
        assert not failed, (policy, failed)
        assert found["model"] == ["float32"] * 3, policy
        assert found["layers"] == [["float32"] * 2] * 2, policy
        assert found["weights"] == ["float32"]
        assert found["logits"] == found["learning rate"] == "float32"
        assert found["float64"] == "float64"
        assert found["read"] == [0.0] * 4
        # The user's settings are unchanged.
        assert found["settings"] == [[floatx, policy, 0.1, "channels_first"]] * 2
        assert found["backend"] == "tensorflow"
        assert found["environment"] == []


@pytest.mark.slow
def test_timed_processes_ignore_keras_json(tmp_path: Path) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"floatx": "float64", "backend": "jax"}', "utf-8")
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    program = """
import json, keras
from nnkernels.measure.records.provenance import keras_in_use
print(json.dumps(keras_in_use()))
"""
    answer = python("-c", program, environment=timed_environment(dict(os.environ) | home))
    assert json.loads(answer.stdout.splitlines()[-1]) == {
        "backend": "tensorflow",
        "floatx": "float32",
        "epsilon": 1e-07,
        "image_data_format": "channels_last",
    }


REJECTED = {
    "sets floatx to 'bfloat16', .*; set it to float32": {"floatx": "bfloat16", "backend": "tensorflow"},
    r"sets floatx to \['float16'\], .*; set it to float32": {"floatx": ["float16"]},
    "sets epsilon to 1, .*; set it to 1e-07": {"epsilon": 1},
    "sets image_data_format to 'th', .*; set it to channels_last": {"floatx": "float16", "image_data_format": "th"},
    "contains no settings by name; set KERAS_HOME": ["float16"],
}
IMPORTING = """
import json, os, sys
from pathlib import Path
from nnkernels.interchange import load_parameters
for content in json.loads(sys.argv[1]):
    Path(os.environ["KERAS_HOME"], "keras.json").write_text(json.dumps(content))
    for name in [name for name in sys.modules if name.startswith("keras")]:
        del sys.modules[name]
    try:
        load_parameters("model.keras")
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""


def test_setting_that_keras_rejects_is_named_and_the_file_is_not_blamed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    h5py.File(tmp_path / "model.weights.h5", "w").close()
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")} | {
        "KERAS_HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    answer = python("-c", IMPORTING, json.dumps(list(REJECTED.values())), folder=tmp_path, environment=environment)
    for reason, line in zip(REJECTED, answer.stdout.splitlines(), strict=True):
        assert re.match(f"ConfigurationError: Keras cannot start.*{reason}", line), line
        assert "model.keras" not in line


@pytest.mark.parametrize("loaded", [False, True])
def test_import_tensorflow_rejects_another_backend(monkeypatch: pytest.MonkeyPatch, loaded: bool) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    if loaded:
        jax = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "jax"))
        monkeypatch.setitem(sys.modules, "keras", jax)  # type: ignore[arg-type]
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
    else:
        monkeypatch.setenv("KERAS_BACKEND", "torch")  # whether PyTorch is installed or not
    before = dict(os.environ)
    message = "Keras runs on jax in this process already" if loaded else "KERAS_BACKEND is torch"
    with pytest.raises(ConfigurationError, match=message):
        import_tensorflow()
    assert dict(os.environ) == before
