"""The library does not change the user's process: threads, environment variables, and visible GPUs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from nnkernels import (
    Dataset,
    MLPClassifier,
    Recipe,
    check_softmax,
    check_update,
    compare,
    contenders,
    gradcheck,
    train,
    verify,
)
from nnkernels.contenders import _keras
from nnkernels.errors import ConfigurationError, MissingDependencyError
from nnkernels.interchange.keras_import import import_keras
from nnkernels.kernels import numpy_kernels
from nnkernels.measure.roofline import peaks
from nnkernels.measure.roofline.caches import Cache, Caches
from nnkernels.measure.timing import interleaved_measuring
from nnkernels.measure.timing.interleaved_measuring import run_interleaved
from nnkernels.measure.timing.scenarios import Scenario

FIVE_IMAGES = (Scenario("five images", "predict", images=5),)


def threads() -> tuple[list[int], int]:
    blas = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    return blas, numba.get_num_threads()


@pytest.fixture
def user_threads():
    """Threads of BLAS and Numba as a user has set them."""
    import_module("scipy.linalg.cython_blas")  # otherwise its BLAS could be loaded during the test
    before = numba.get_num_threads()
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        yield threads()
    numba.set_num_threads(before)


def measure_limits_of_a_small_machine(_digits: Dataset) -> None:
    peaks.measure_limits(1, samples=1, caches=Caches(Cache(1024), Cache(4096), 16384))


ENTRY_POINTS: dict[str, Callable[[Dataset], object]] = {
    "train": lambda digits: train(contenders.create("fused"), digits.training, Recipe("test", epochs=1)),
    "compare": lambda digits: compare(["numpy", "numba"], digits, Recipe("test", epochs=1)),
    "verify": lambda digits: [verify(name, digits) for name in ("numpy", "numba", "fused")],
    "MLPClassifier": lambda digits: (
        MLPClassifier(epochs=1).fit(digits.X_train / 255, digits.y_train).predict(digits.X_test / 255)
    ),
    "gradcheck": lambda _digits: gradcheck(numpy_kernels.backward),
    "check_softmax": lambda _digits: check_softmax(lambda logits: np.exp(logits) / np.exp(logits).sum(axis=1)),
    "check_update": lambda _digits: check_update(lambda params, grads, learning_rate: None),
    "measure_limits": measure_limits_of_a_small_machine,
    "run_interleaved": lambda digits: run_interleaved(["numpy", "numba"], digits, FIVE_IMAGES, "1", rounds=1),
}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_entry_points_do_not_change_threads_and_environment(name, user_threads, small_digits, monkeypatch):
    monkeypatch.setattr(peaks, "MATMUL_SIZES", (64,))
    monkeypatch.setattr(peaks, "SAMPLE_SECONDS", 1e-4)
    monkeypatch.setattr(peaks, "READ_BYTES", 2**16)
    monkeypatch.setattr(interleaved_measuring, "thread_count", lambda _setting: 1)
    environment = dict(os.environ)
    ENTRY_POINTS[name](small_digits)
    assert threads() == user_threads
    assert dict(os.environ) == environment


def test_failed_run_restores_threads(user_threads, small_digits, monkeypatch):
    def fail(*_arguments):
        assert threads() != user_threads
        raise KeyboardInterrupt

    monkeypatch.setattr(interleaved_measuring, "_check_and_prepare", fail)
    with pytest.raises(KeyboardInterrupt):
        run_interleaved(["numpy"], small_digits, FIVE_IMAGES, "1", rounds=1)
    assert threads() == user_threads


@pytest.mark.parametrize("name", ["numpy", "numba", "scikit-learn"])
def test_thread_limit_ends_with_its_block(name, user_threads):
    if not contenders.is_installed(name):
        pytest.skip(f"{name} is not installed")
    contender = contenders.create(name)
    for count in (1, 2):
        with suppress(ZeroDivisionError), contenders.thread_limit(contender, count):
            assert set(threads()[0]) == {count}
            raise ZeroDivisionError
        assert threads() == user_threads


# Keras. The effects of importing the real Keras are tested in test_keras_settings.py, in separate processes.

SETTINGS = ("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
FAKE_KERAS = f"""
import os
seen = [os.environ.get(name) for name in {SETTINGS}]
if seen[1] == "broken":
    import a_backend_that_is_not_installed
"""


@pytest.mark.parametrize(
    ("settings", "backend", "seen"),
    [
        ({}, None, [None, None, "3"]),
        ({}, "jax", [None, "jax", "3"]),
        ({"KERAS_BACKEND": "tensorflow"}, None, [None, "tensorflow", "3"]),
        ({"KERAS_BACKEND": "tensorflow"}, "jax", [None, "jax", "3"]),
        ({"CUDA_VISIBLE_DEVICES": "0", "TF_CPP_MIN_LOG_LEVEL": "1"}, "tensorflow", ["0", "tensorflow", "1"]),
        ({"KERAS_BACKEND": "jax"}, "broken", None),
    ],
)
def test_import_keras_does_not_change_environment(settings, backend, seen, tmp_path, monkeypatch):
    (tmp_path / "keras.py").write_text(FAKE_KERAS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "keras", None)  # so that it is removed after the test as well
    del sys.modules["keras"]
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    if seen is None:
        with pytest.raises(MissingDependencyError, match="a_backend_that_is_not_installed"):
            import_keras(backend)
    else:
        assert import_keras(backend).seen == seen
    assert dict(os.environ) == before


class FakeTensorFlow:
    """TensorFlow's settings of devices, on a machine with a GPU."""

    def __init__(self, started: bool) -> None:
        self.hidden: list[tuple[list[str], str]] = []
        self.started = started
        self.config = SimpleNamespace(set_visible_devices=self.set_visible_devices)

    def set_visible_devices(self, devices: list[str], kind: str) -> None:
        if self.started:
            raise RuntimeError("Visible devices cannot be modified after being initialized")
        self.hidden.append((devices, kind))


def test_tensorflow_backend_hides_gpus(monkeypatch):
    tensorflow = FakeTensorFlow(started=False)
    monkeypatch.setattr(_keras, "import_tensorflow", lambda: tensorflow)
    _keras.TensorFlowBackend()
    assert tensorflow.hidden == [([], "GPU")]
    monkeypatch.setattr(_keras, "import_tensorflow", lambda: FakeTensorFlow(started=True))
    with pytest.raises(ConfigurationError, match="TensorFlow already uses a GPU in this process"):
        _keras.TensorFlowBackend()
