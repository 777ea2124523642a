"""How long does each kernel take, at each batch size?"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.kernels import Activations, Backend, OptimizerState, initial_state
from nnkernels.measure.correctness.composed import require_functions
from nnkernels.measure.timing.distinct import kernel_owner
from nnkernels.parameters import FloatArray, Parameters, initial_parameters
from nnkernels.transforms import as_features

from ._common import BACKENDS, DATASETS, clock, dataset, ready, skip_shared

BATCH_SIZES = (1, 32, 256, 2048)
LEARNING_RATE = 1e-6  # so small that thousands of steps on one batch hardly change the parameters


class Inputs(NamedTuple):
    """Arguments of the kernels.

    Attributes
    ----------
    functions : Backend
        The kernels.
    params, grads : Parameters
        Parameters and gradients.
    X : ndarray of float32, shape (N, D)
        Features.
    y : ndarray of int64, shape (N,)
        Labels.
    activations : Activations
        Result of the forward pass.
    state : OptimizerState
        State of the optimizer.
    """

    functions: Backend
    params: Parameters
    X: FloatArray
    y: npt.NDArray[np.int64]
    activations: Activations
    grads: Parameters
    state: OptimizerState


@cache
def _inputs(backend: str, batch_size: int, dataset_name: str) -> Inputs:
    with clock.paused():
        ready(backend, "1", dataset_name)  # the gate's check, on one thread
        functions = kernels.load(backend)
        data = dataset(dataset_name)
        X = as_features(np.resize(data.X_train[:2048], (batch_size, data.X_train.shape[1])))
        y = np.resize(data.y_train[:2048], batch_size).astype(np.int64)
        require_functions(backend, functions, X, y)  # the gate may have trained by another entry point
        params = initial_parameters(0, classes=data.classes)
        state = initial_state(params)
        activations = functions.forward(params, X)
        grads = functions.backward(params, X, y, activations)
        functions.sgd_update_inplace(params, grads, state, LEARNING_RATE)
        return Inputs(functions, params, X, y, activations, grads, state)


@cache
def _timed(benchmark: str, backend: str, batch_size: int, dataset_name: str) -> Inputs:
    """Return the arguments, or skip the benchmark if all of its functions belong to another backend."""
    with clock.paused():
        skip_shared(backend, kernel_owner(benchmark, backend))
    return _inputs(backend, batch_size, dataset_name)


class Kernels:
    """Forward pass, backward pass and a whole SGD step on real images, on one thread.

    If several backends share a function, it is timed only for the backend that defines it.

    The same batch is used in every call. A branch predictor cannot learn anything from that: these functions read every
    pixel, and no branch depends on its value. ReLU is a selection and a product.
    """

    params = (BACKENDS, BATCH_SIZES, DATASETS)
    param_names = ("backend", "batch_size", "dataset")
    version = "1"
    timeout = 120
    rounds = 1
    repeat = (5, 10, 0.15)
    sample_time = 0.01
    warmup_time = 0.05

    timer = clock

    def time_forward(self, backend: str, batch_size: int, dataset_name: str) -> None:
        """Compute the forward pass, from features to probabilities."""
        given = _timed("forward", backend, batch_size, dataset_name)
        given.functions.forward(given.params, given.X)

    def time_backward(self, backend: str, batch_size: int, dataset_name: str) -> None:
        """Compute the backward pass, from activations to gradients."""
        given = _timed("backward", backend, batch_size, dataset_name)
        given.functions.backward(given.params, given.X, given.y, given.activations)

    def time_step(self, backend: str, batch_size: int, dataset_name: str) -> None:
        """Compute forward pass, backward pass and parameter update."""
        functions, params, X, y, _activations, _grads, state = _timed("step", backend, batch_size, dataset_name)
        grads = functions.backward(params, X, y, functions.forward(params, X))
        functions.sgd_update_inplace(params, grads, state, LEARNING_RATE)
