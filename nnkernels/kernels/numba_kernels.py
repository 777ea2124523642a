"""The functions of ``numpy_kernels``, compiled by Numba. Matrix products call BLAS; everything else is a loop.

Each loop replaces a chain of NumPy operations and their temporary arrays. :func:`train_inplace` runs many batches in
one call, without returning to Python in between.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import kernel, ordered_kernel
from nnkernels.kernels.contract import MOMENTUM, SGD, Activations, OptimizerState, UpdateRule
from nnkernels.parameters import FloatArray, Parameters


@kernel
def forward(params: Parameters, X: FloatArray) -> Activations:
    """Compute the forward pass. See ``numpy_kernels.forward``."""
    Z1 = X @ params.W1
    A1 = np.empty_like(Z1)
    _add_bias_relu(Z1, params.b1, A1)
    logits = A1 @ params.W2
    probs = np.empty_like(logits)
    _add_bias_softmax(logits, params.b2, probs)
    return Activations(Z1, A1, logits, probs)


@ordered_kernel
def loss(logits: FloatArray, y: npt.NDArray[np.integer]) -> float:
    """Compute the mean categorical cross-entropy of a batch. See ``numpy_kernels.loss``."""
    # Compiled without reassociation: terms of similar size cancel, and another order of operations would lose digits.
    N, C = logits.shape
    total = 0.0
    for n in range(N):
        row_max = _row_max(logits, n)
        exponentials = logits.dtype.type(0)
        for c in range(C):
            exponentials += np.exp(logits[n, c] - row_max)
        total += np.log(exponentials) - (logits[n, y[n]] - row_max)
    return float(total / N)  # NaN for an empty batch, from 0 / 0


@kernel
def backward(params: Parameters, X: FloatArray, y: npt.NDArray[np.integer], activations: Activations) -> Parameters:
    """Compute the gradient of the mean cross-entropy. See ``numpy_kernels.backward``."""
    dlogits = activations.probs.copy()
    _softmax_cross_entropy_gradient(dlogits, y)
    dW2 = activations.A1.T @ dlogits
    db2 = _column_sums(dlogits)
    dZ1 = dlogits @ params.W2.T
    _relu_gradient_inplace(dZ1, activations.Z1)
    dW1 = X.T @ dZ1
    db1 = _column_sums(dZ1)
    return Parameters(dW1, db1, dW2, db2)


@kernel
def sgd_update_inplace(params: Parameters, grads: Parameters, state: OptimizerState, learning_rate: float) -> None:
    """Take a step of gradient descent. See ``numpy_kernels.sgd_update_inplace``."""
    state.step[0] += 1
    _sgd(params.W1.ravel(), grads.W1.ravel(), learning_rate)
    _sgd(params.b1, grads.b1, learning_rate)
    _sgd(params.W2.ravel(), grads.W2.ravel(), learning_rate)
    _sgd(params.b2, grads.b2, learning_rate)


@kernel
def momentum_update_inplace(
    params: Parameters, grads: Parameters, state: OptimizerState, learning_rate: float, momentum: float
) -> None:
    """Take a step of gradient descent with momentum. See ``numpy_kernels.momentum_update_inplace``."""
    state.step[0] += 1
    first = state.first
    _momentum(params.W1.ravel(), grads.W1.ravel(), first.W1.ravel(), learning_rate, momentum)
    _momentum(params.b1, grads.b1, first.b1, learning_rate, momentum)
    _momentum(params.W2.ravel(), grads.W2.ravel(), first.W2.ravel(), learning_rate, momentum)
    _momentum(params.b2, grads.b2, first.b2, learning_rate, momentum)


@kernel
def adam_update_inplace(
    params: Parameters,
    grads: Parameters,
    state: OptimizerState,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Take a step of Adam. See ``numpy_kernels.adam_update_inplace``."""
    state.step[0] += 1
    t = state.step[0]
    alpha = learning_rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    m, v = state.first, state.second
    _adam(params.W1.ravel(), grads.W1.ravel(), m.W1.ravel(), v.W1.ravel(), alpha, beta_1, beta_2, epsilon)
    _adam(params.b1, grads.b1, m.b1, v.b1, alpha, beta_1, beta_2, epsilon)
    _adam(params.W2.ravel(), grads.W2.ravel(), m.W2.ravel(), v.W2.ravel(), alpha, beta_1, beta_2, epsilon)
    _adam(params.b2, grads.b2, m.b2, v.b2, alpha, beta_1, beta_2, epsilon)


@kernel
def train_inplace(
    params: Parameters,
    state: OptimizerState,
    X: npt.NDArray[Any],
    y: npt.NDArray[np.integer],
    order: npt.NDArray[np.int64],
    learning_rates: npt.NDArray[np.float32],
    batch_size: int,
    scale: float,
    rule: UpdateRule,
) -> None:
    """Train on consecutive batches in one call, by composing the functions above.

    Bounds are not checked: an invalid index or label reads or writes other memory.

    Parameters
    ----------
    params : Parameters
        Weights and biases, updated in place.
    state : OptimizerState
        State of the optimizer, updated in place.
    X : ndarray of uint8 or float, shape (n_images, D)
        Images, whose features are ``X * scale``. Gathering bytes takes a quarter of the time of gathering float32.
    y : ndarray of integers, shape (n_images,)
        Labels.
    order : ndarray of int64, shape (M,)
        Indices of the images, split into batches of ``batch_size``. The last batch may be shorter.
    learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
        Learning rate of each batch.
    batch_size : int
        Number of images per batch.
    scale : float
        Factor from stored values to features, such as 1 / 255 for pixels.
    rule : UpdateRule
        The optimizer.
    """
    D = X.shape[1]
    features = np.empty((batch_size, D), params.W1.dtype)
    labels = np.empty(batch_size, y.dtype)
    factor = params.W1.dtype.type(scale)
    for batch in range(len(learning_rates)):
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        N = len(rows)
        for n in range(N):  # np.multiply(X[rows], scale, out=features)
            row = rows[n]
            labels[n] = y[row]
            for d in range(D):
                features[n, d] = X[row, d] * factor
        activations = forward(params, features[:N])
        if rule.label_smoothing != 0:
            _smooth_labels(activations.probs, labels[:N], rule.label_smoothing)
        grads = backward(params, features[:N], labels[:N], activations)
        learning_rate = learning_rates[batch]
        if rule.weight_decay != 0:
            decay = 1 - learning_rate * rule.weight_decay
            _scale(params.W1.ravel(), decay)
            _scale(params.b1, decay)
            _scale(params.W2.ravel(), decay)
            _scale(params.b2, decay)
        if rule.code == SGD:
            sgd_update_inplace(params, grads, state, learning_rate)
        elif rule.code == MOMENTUM:
            momentum_update_inplace(params, grads, state, learning_rate, rule.momentum)
        else:
            adam_update_inplace(params, grads, state, learning_rate, rule.beta_1, rule.beta_2, rule.epsilon)


@kernel
def _add_bias_relu(Z1: FloatArray, b1: FloatArray, A1: FloatArray) -> None:
    # Z1 += b1; A1 = np.maximum(Z1, 0), in one pass. NaN is preserved, because it is not less than 0.
    for n in range(Z1.shape[0]):
        for h in range(Z1.shape[1]):
            z = Z1[n, h] + b1[h]
            Z1[n, h] = z
            A1[n, h] = 0 if z < 0 else z


@kernel
def _row_max(values: FloatArray, n: int) -> float:
    # values[n].max(). As in NumPy, the result is NaN if any value is.
    row_max = values[n, 0]
    for c in range(1, values.shape[1]):
        value = values[n, c]
        if value > row_max or np.isnan(value):
            row_max = value
    return row_max  # type: ignore[no-any-return]


@ordered_kernel
def _add_bias_softmax(logits: FloatArray, b2: FloatArray, probs: FloatArray) -> None:
    # logits += b2; probs = softmax(logits). Without reassociation, as in ``loss``: large logits may cancel.
    for n in range(logits.shape[0]):
        for c in range(logits.shape[1]):
            logits[n, c] += b2[c]
        row_max = _row_max(logits, n)
        total = logits.dtype.type(0)
        for c in range(logits.shape[1]):
            exponential = np.exp(logits[n, c] - row_max)
            probs[n, c] = exponential
            total += exponential
        for c in range(logits.shape[1]):
            probs[n, c] /= total


@kernel
def _softmax_cross_entropy_gradient(dlogits: FloatArray, y: npt.NDArray[np.integer]) -> None:
    # dlogits[np.arange(N), y] -= 1; dlogits /= N. At the start, dlogits contains the probabilities.
    N = dlogits.shape[0]
    scale = dlogits.dtype.type(1 / max(N, 1))
    for n in range(N):
        dlogits[n, y[n]] -= 1
        for c in range(dlogits.shape[1]):
            dlogits[n, c] *= scale


@kernel
def _smooth_labels(probs: FloatArray, y: npt.NDArray[np.integer], label_smoothing: float) -> None:
    # See ``stepwise.smoothed``; here in place.
    smoothing = probs.dtype.type(label_smoothing)
    uniform = probs.dtype.type(label_smoothing / probs.shape[1])
    for n in range(probs.shape[0]):
        for c in range(probs.shape[1]):
            probs[n, c] -= uniform
        probs[n, y[n]] += smoothing


@kernel
def _relu_gradient_inplace(dZ1: FloatArray, Z1: FloatArray) -> None:
    # dZ1 *= Z1 > 0. A product, unlike a branch, preserves a NaN gradient of an inactive unit.
    for n in range(dZ1.shape[0]):
        for h in range(dZ1.shape[1]):
            dZ1[n, h] *= Z1[n, h] > 0


@kernel
def _column_sums(values: FloatArray) -> FloatArray:
    # values.sum(axis=0)
    sums = np.zeros(values.shape[1], values.dtype)
    for n in range(values.shape[0]):
        for c in range(values.shape[1]):
            sums[c] += values[n, c]
    return sums


# The update rules on flat arrays. Hyperparameters are rounded to the dtype of the arrays first, because a float64
# scalar would promote every float32 operation to float64.


@kernel
def _scale(w: FloatArray, factor: float) -> None:
    f = w.dtype.type(factor)
    for i in range(len(w)):
        w[i] *= f


@kernel
def _sgd(w: FloatArray, g: FloatArray, learning_rate: float) -> None:
    lr = w.dtype.type(learning_rate)
    for i in range(len(w)):
        w[i] -= lr * g[i]


@kernel
def _momentum(w: FloatArray, g: FloatArray, v: FloatArray, learning_rate: float, momentum: float) -> None:
    lr, rho = w.dtype.type(learning_rate), w.dtype.type(momentum)
    for i in range(len(w)):
        v[i] = rho * v[i] - lr * g[i]
        w[i] += v[i]


@kernel
def _adam(
    w: FloatArray,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    real = w.dtype.type
    a, eps, one_minus_beta_1, one_minus_beta_2 = real(alpha), real(epsilon), real(1 - beta_1), real(1 - beta_2)
    for i in range(len(w)):
        m[i] += one_minus_beta_1 * (g[i] - m[i])
        v[i] += one_minus_beta_2 * (g[i] * g[i] - v[i])
        w[i] -= a * m[i] / (np.sqrt(v[i]) + eps)
