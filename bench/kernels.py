"""How long does each kernel take, at each batch size?"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from nnkernels import kernels
from nnkernels.kernels import initial_state
from nnkernels.kernels.contract import Backend
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.transforms import as_features

from ._common import BACKENDS, DATASETS, dataset, ready

BATCH_SIZES = (1, 32, 256, 2048)


@cache
def _inputs(backend: str, batch_size: int, dataset_name: str) -> tuple[Backend, Any, ...]:
    ready(backend, "1", dataset_name)  # past the gate, on one thread
    functions = kernels.load(backend)
    data = dataset(dataset_name)
    X = as_features(np.resize(data.X_train[:2048], (batch_size, data.X_train.shape[1])))
    y = np.resize(data.y_train[:2048], batch_size).astype(np.int64)
    params: Parameters = initial_parameters(0)
    return functions, params, X, y, functions.forward(params, X), initial_state(params)


class Kernels:
    """Forward, backward, and a whole step of SGD on real images, on one thread. No ``setup``: see inference."""

    params = (BACKENDS, BATCH_SIZES, DATASETS)
    param_names = ("backend", "batch_size", "dataset")
    version = "1"
    timeout = 120
    rounds = 1
    repeat = (5, 10, 0.15)
    sample_time = 0.01
    warmup_time = 0.05

    def time_forward(self, backend: str, batch_size: int, dataset_name: str) -> None:
        """X to probabilities."""
        functions, params, X, _y, _activations, _state = _inputs(backend, batch_size, dataset_name)
        functions.forward(params, X)

    def time_backward(self, backend: str, batch_size: int, dataset_name: str) -> None:
        """Activations to gradients."""
        functions, params, X, y, activations, _state = _inputs(backend, batch_size, dataset_name)
        functions.backward(params, X, y, activations)

    def time_step(self, backend: str, batch_size: int, dataset_name: str) -> None:
        """Forward, backward and update; the learning rate is too small to go anywhere."""
        functions, params, X, y, _activations, state = _inputs(backend, batch_size, dataset_name)
        grads = functions.backward(params, X, y, functions.forward(params, X))
        functions.sgd_update_inplace(params, grads, state, 1e-6)
