"""The reference backend: forward pass, loss, backward pass and updates in plain NumPy, one line per formula.

All other backends implement the same functions, and their docstrings only describe differences.

Notation: ``N`` images per batch, ``D`` inputs (784), ``H`` hidden units (20) and ``C`` classes (10). All float arrays
have the same dtype, float32 or float64, and so has every result.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.contract import Activations, OptimizerState
from nnkernels.parameters import FloatArray, Parameters


def forward(params: Parameters, X: FloatArray) -> Activations:
    """Compute the forward pass.

    ::

        Z1 = X W1 + b1        A1 = max(Z1, 0)
        logits = A1 W2 + b2   probs = softmax(logits), row by row

    Parameters
    ----------
    params : Parameters
        Weights and biases.
    X : ndarray, shape (N, D)
        Features, one row per image. N may be 0.

    Returns
    -------
    activations : Activations
        Z1 and A1 (N, H), logits and probs (N, C), all of which the backward pass may use. Softmax is undefined for a
        row of logits that contains NaN or +inf, or only -inf. The probabilities of such a row are NaN.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning", 2016, section 6.2.2.3 (softmax) and 6.3.1 (ReLU).
    """
    Z1 = X @ params.W1 + params.b1
    A1 = np.maximum(Z1, 0)
    logits = A1 @ params.W2 + params.b2
    return Activations(Z1, A1, logits, _softmax(logits))


def loss(logits: FloatArray, y: npt.NDArray[np.integer]) -> float:
    """Compute the mean categorical cross-entropy of a batch.

    ``loss = mean_n(logsumexp(logits[n]) - logits[n, y[n]])``. It is computed from the logits, because a small
    probability may be rounded to zero, whose logarithm is -inf.

    Parameters
    ----------
    logits : ndarray, shape (N, C)
        Output layer before softmax.
    y : ndarray of integers, shape (N,)
        The true classes, 0 to C - 1.

    Returns
    -------
    loss : float
        Mean loss in nats. NaN if the batch is empty or softmax is undefined (see :func:`forward`); +inf if the logit
        of a true class is -inf.

    References
    ----------
    "Deep Learning", 2016, section 4.1 (overflow in softmax) and equation 6.30 (log softmax).
    """
    if len(logits) == 0:
        return float("nan")
    row_max = logits.max(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):  # -inf, and NaN from inf - inf, are intended
        shifted = logits - row_max[:, np.newaxis]
    log_sum_exp = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum_exp - shifted[np.arange(len(y)), y], dtype=np.float64))


def backward(params: Parameters, X: FloatArray, y: npt.NDArray[np.integer], activations: Activations) -> Parameters:
    """Compute the gradient of the mean cross-entropy with respect to every parameter, by the chain rule.

    ::

        dlogits = (probs - onehot(y)) / N     softmax and cross-entropy together
        dW2 = A1^T dlogits                    db2 = sum_n dlogits
        dZ1 = (dlogits W2^T) * [Z1 > 0]       ReLU passes the gradient of active units only
        dW1 = X^T dZ1                         db1 = sum_n dZ1

    Parameters
    ----------
    params : Parameters
        Weights and biases.
    X : ndarray, shape (N, D)
        Features.
    y : ndarray of integers, shape (N,)
        The true classes, 0 to C - 1.
    activations : Activations
        The result of ``forward(params, X)``. It is not changed.

    Returns
    -------
    grads : Parameters
        dW1 (D, H), db1 (H,), dW2 (H, C) and db2 (C,); all zero for an empty batch.

    References
    ----------
    D. Rumelhart, G. Hinton and R. Williams, "Learning representations by back-propagating errors", Nature 323,
    1986; "Deep Learning", 2016, section 6.5 and equation 6.67.
    """
    N = len(X)
    dlogits = activations.probs.copy()
    dlogits[np.arange(N), y] -= 1
    dlogits /= max(N, 1)
    dW2 = activations.A1.T @ dlogits
    db2 = dlogits.sum(axis=0)
    dZ1 = (dlogits @ params.W2.T) * (activations.Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return Parameters(dW1, db1, dW2, db2)


def sgd_update_inplace(params: Parameters, grads: Parameters, state: OptimizerState, learning_rate: float) -> None:
    """Take a step of gradient descent: ``w -= learning_rate g``.

    Parameters
    ----------
    params : Parameters
        Weights and biases, updated in place.
    grads : Parameters
        Their gradients, g.
    state : OptimizerState
        The number of steps is incremented in place; the moments are not used.
    learning_rate : float
        Learning rate.
    """
    state.step[0] += 1
    for w, g in zip(params, grads, strict=True):
        w -= w.dtype.type(learning_rate) * g


def momentum_update_inplace(
    params: Parameters, grads: Parameters, state: OptimizerState, learning_rate: float, momentum: float
) -> None:
    """Take a step of gradient descent with momentum: ``v = momentum v - learning_rate g; w += v``.

    Parameters
    ----------
    params : Parameters
        Weights and biases, updated in place.
    grads : Parameters
        Their gradients, g.
    state : OptimizerState
        The number of steps and the velocity v, ``state.first``, are updated in place.
    learning_rate : float
        Learning rate.
    momentum : float
        Decay factor of the velocity per step.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
    equations 1 and 2. ``keras.optimizers.SGD(momentum=...)`` does the same.
    """
    state.step[0] += 1
    for w, g, v in zip(params, grads, state.first, strict=True):
        v *= v.dtype.type(momentum)
        v -= v.dtype.type(learning_rate) * g
        w += v


def adam_update_inplace(
    params: Parameters,
    grads: Parameters,
    state: OptimizerState,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Take a step of Adam.

    ::

        t += 1
        m += (1 - beta_1) (g - m)     v += (1 - beta_2) (g^2 - v)
        w -= learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    Parameters
    ----------
    params : Parameters
        Weights and biases, updated in place.
    grads : Parameters
        Their gradients, g.
    state : OptimizerState
        The number of steps t and the moments m, ``state.first``, and v, ``state.second``, are updated in place.
    learning_rate : float
        Learning rate.
    beta_1, beta_2 : float
        Decay rates of the first and of the second moment.
    epsilon : float
        Added to the denominator, outside the bias correction.

    References
    ----------
    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, the form at the end of
    section 2. Keras uses the same form.
    """
    state.step[0] += 1
    t = int(state.step[0])
    alpha = learning_rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    for w, g, m, v in zip(params, grads, state.first, state.second, strict=True):
        real = w.dtype.type
        m += real(1 - beta_1) * (g - m)
        v += real(1 - beta_2) * (g * g - v)
        w -= real(alpha) * m / (np.sqrt(v) + real(epsilon))


def _softmax(logits: FloatArray) -> FloatArray:
    # Without subtracting the row's maximum, exp would overflow in float32 for a logit of 89 or more.
    if len(logits) == 0:
        return logits.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # -inf, and NaN from inf - inf, are intended
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probs
