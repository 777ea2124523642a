"""A correctness check of a backend's individual functions, which the benchmark of kernels times one by one.

The gate does not cover these functions if a backend has its own entry point for training.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import CLASSES
from nnkernels.errors import GateError
from nnkernels.kernels import Backend, initial_state
from nnkernels.measure.correctness.extremes import ROWS, blank_parameters, is_close, worst
from nnkernels.measure.correctness.oracle import backward_float64, forward_float64, loss_float64
from nnkernels.parameters import FloatArray, Parameters, copy, initial_parameters, zeros_like

SEED = 3
# On real images, float32 differs from the oracle by at most 2e-6 in activations and 3e-7 in gradients.
TOLERANCE = 1e-5
LEARNING_RATE = 0.5


def require_functions(name: str, backend: Backend, X: FloatArray, y: npt.NDArray[np.int64]) -> None:
    """Check forward, loss, backward and one step of gradient descent against the oracle.

    The inputs are a batch of real images and the extreme-input table.

    Parameters
    ----------
    name : str
        Name of the backend, for the error message.
    backend : Backend
        The backend to check.
    X : ndarray of float32, shape (N, D)
        Features.
    y : ndarray of integers, shape (N,)
        Labels.

    Raises
    ------
    GateError
        If a result differs from the oracle's, or from the table's, by more than its tolerance.
    """
    with np.errstate(all="ignore"):
        for wrong in (*_on_images(backend, X, y), *_on_extremes(backend)):
            raise GateError(
                f"the functions of {name} differ from the float64 oracle: {wrong}. They are not timed: check each one."
            )


def _on_images(backend: Backend, X: FloatArray, y: npt.NDArray[np.int64]) -> Iterator[str]:
    rng = np.random.default_rng(SEED)
    # Nonzero biases, as after some training.
    start = Parameters(
        *(
            (array + 0.1 * rng.standard_normal(array.shape)).astype(np.float32)
            for array in initial_parameters(SEED, X.shape[1], classes=max(CLASSES, int(y.max()) + 1))
        )
    )
    params = copy(start)
    activations = backend.forward(params, X)
    where = f"with batch size {len(X)}"
    for found, expected, what in zip(activations, forward_float64(start, X), activations._fields, strict=True):
        if not is_close(found, expected, rtol=0, atol=TOLERANCE * _scale(expected)):
            yield f"{where}, {what} has {worst(found, expected)}"
    loss, expected_loss = backend.loss(activations.logits, y), loss_float64(start, X, y)
    if not is_close(loss, expected_loss, rtol=TOLERANCE):
        yield f"{where}, the loss is {worst([loss], [expected_loss])}"
    grads, expected_grads = backend.backward(params, X, y, activations), backward_float64(start, X, y)
    for name, found, expected in zip(grads._fields, grads, expected_grads, strict=True):
        if not is_close(found, expected, rtol=0, atol=TOLERANCE * _scale(expected)):
            yield f"{where}, d{name} has {worst(found, expected)}"
    backend.sgd_update_inplace(params, grads, initial_state(params), LEARNING_RATE)
    for name, found, before, gradient in zip(params._fields, params, start, expected_grads, strict=True):
        expected = before - LEARNING_RATE * gradient
        if not is_close(found, expected, rtol=0, atol=TOLERANCE * _scale(gradient)):
            yield f"{where}, {name} after one step has {worst(found, expected)}"


def _scale(expected: FloatArray) -> float:
    return max(1.0, float(np.max(np.abs(expected))))


def _on_extremes(backend: Backend) -> Iterator[str]:
    X = np.zeros((1, 3), np.float32)
    for case, row in ROWS.items():
        params = blank_parameters(3, 2, len(row.logits))._replace(b2=np.array(row.logits, np.float32))
        activations = backend.forward(params, X)
        if not is_close(activations.probs[0], row.probs):
            yield f"for logits {case!r}, a probability is {worst(activations.probs[0], row.probs)}"
        for true_class, loss in enumerate(row.losses):
            found = backend.loss(np.array([row.logits], np.float32), np.array([true_class]))
            if not is_close(found, loss, atol=1e-6):
                yield f"for logits {case!r}, the loss of class {true_class} is {worst([found], [loss])}"
            grads = backend.backward(params, X, np.array([true_class]), activations)
            expected = np.array(row.probs) - np.eye(len(row.logits))[true_class]
            if not is_close(grads.b2, expected, atol=1e-6):
                yield f"for logits {case!r}, db2 has {worst(grads.b2, expected)}"
    yield from _rows_far_apart(backend)
    yield from _nan_pixel(backend)
    yield from _inactive_units(backend)


def _rows_far_apart(backend: Backend) -> Iterator[str]:
    """Check two images whose logits are 2e4 apart: softmax must subtract the maximum of each row, not of the batch."""
    params = blank_parameters(2, 2, 3)
    params.W1[0, 0] = params.W1[1, 1] = 1
    params.W2[:] = [[1e4, 1e4, -1e4], [-1e4, -1e4, -3e4]]
    probs = backend.forward(params, np.array([[1, 0], [0, 1], [0, 0]], np.float32)).probs
    expected = [[0.5, 0.5, 0], [0.5, 0.5, 0], [1 / 3] * 3]
    if not is_close(probs, expected):
        yield f"for logits that differ by 2e4 between images, a probability is {worst(probs, expected)}"


def _nan_pixel(backend: Backend) -> Iterator[str]:
    """Check that a NaN pixel makes its own image's probabilities and all gradients NaN, but no other image's."""
    params = initial_parameters(SEED, 5, 4, 3)
    X = np.random.default_rng(SEED).random((3, 5), np.float32)
    expected = forward_float64(params, X)[3]
    X[1, 2] = expected[1] = np.nan
    activations = backend.forward(params, X)
    if not is_close(activations.probs, expected, rtol=1e-5):
        yield f"for an image with a NaN pixel, a probability is {worst(activations.probs, expected)}"
    for name, grad in backend.backward(params, X, np.array([0, 1, 2]), activations)._asdict().items():
        if not np.isnan(grad).all():
            yield f"for an image with a NaN pixel, d{name} has {np.nanmin(grad):.7g}, expected NaN"


def _inactive_units(backend: Backend) -> Iterator[str]:
    """Check that ReLU has a zero gradient at exactly 0, and that a NaN gradient passes through inactive units."""
    params, X = initial_parameters(SEED, 5, 4, 3), np.zeros((2, 5), np.float32)
    y = np.array([0, 1])
    grads = backend.backward(params, X, y, backend.forward(params, X))
    if np.any(grads.b1):
        yield f"for ReLU inputs of exactly 0, db1 has {worst(grads.b1, zeros_like(grads).b1)}"
    params.b2[0] = np.nan
    grads = backend.backward(params, X, y, backend.forward(params, X))
    if not all(np.isnan(grad).all() for grad in grads):
        yield "for NaN in b2, a gradient of inactive hidden units is a number, expected NaN"
