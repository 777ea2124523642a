"""The reference: forward, backward and update in plain NumPy, a line of code a line of mathematics.

Shapes: ``N`` images a batch, ``D`` inputs (784), ``H`` hidden units (20), ``C`` classes (10). All float
arrays share one dtype, float32 or float64, which every result keeps.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.contract import Activations, OptimizerState
from nnkernels.parameters import FloatArray, Parameters


def forward(params: Parameters, X: FloatArray) -> Activations:
    """Compute the network's output, and all that the backward pass needs of the way there.

    ::

        Z1 = X W1 + b1        A1 = max(Z1, 0)
        logits = A1 W2 + b2   probs = softmax(logits), row by row

    Parameters
    ----------
    params : Parameters
    X : ndarray, shape (N, D)
        Features, a row an image; N may be 0.

    Returns
    -------
    Activations
        Z1 and A1 (N, H), logits and probs (N, C). A row of logits with a NaN or +inf, or of -inf alone,
        has no softmax: its probabilities are NaN.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning", 2016, section 6.2.2.3 (softmax) and 6.3.1 (ReLU).
    """
    Z1 = X @ params.W1 + params.b1
    A1 = np.maximum(Z1, 0)
    logits = A1 @ params.W2 + params.b2
    return Activations(Z1, A1, logits, _softmax(logits))


def loss(logits: FloatArray, y: npt.NDArray[np.integer]) -> float:
    """Return the mean categorical cross-entropy over the batch, in nats.

    ``loss = mean_n(logsumexp(logits[n]) - logits[n, y[n]])``: computed from the logits, because the
    logarithm of a probability that has been rounded to zero is lost.

    Parameters
    ----------
    logits : ndarray, shape (N, C)
    y : ndarray of integers, shape (N,)
        The true classes, 0 to C - 1.

    Returns
    -------
    float
        NaN for an empty batch, and where softmax is not defined (see :func:`forward`); +inf where the true
        class has the logit -inf.

    References
    ----------
    "Deep Learning", 2016, section 4.1 (overflow in softmax) and equation 6.30 (log softmax).
    """
    if len(logits) == 0:
        return float("nan")
    row_max = logits.max(axis=1)
    with np.errstate(over="ignore", invalid="ignore"):  # -inf and NaN (of inf - inf) are meant
        shifted = logits - row_max[:, np.newaxis]
    log_sum_exp = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum_exp - shifted[np.arange(len(y)), y], dtype=np.float64))


def backward(params: Parameters, X: FloatArray, y: npt.NDArray[np.integer], activations: Activations) -> Parameters:
    """Return the gradient of the mean cross-entropy in every parameter, by the chain rule from the back.

    ::

        dlogits = (probs - onehot(y)) / N     softmax and cross-entropy together
        dW2 = A1^T dlogits                    db2 = sum_n dlogits
        dZ1 = (dlogits W2^T) * [Z1 > 0]       ReLU passes the gradient where it was open
        dW1 = X^T dZ1                         db1 = sum_n dZ1

    Parameters
    ----------
    params : Parameters
    X : ndarray, shape (N, D)
    y : ndarray of integers, shape (N,)
    activations : Activations
        Of ``forward(params, X)``.

    Returns
    -------
    gradients : Parameters
        dW1 (D, H), db1 (H,), dW2 (H, C), db2 (C,); all zero for an empty batch.

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

    Mutates ``params`` and ``state.step``.
    """
    state.step[0] += 1
    for w, g in zip(params, grads, strict=True):
        w -= w.dtype.type(learning_rate) * g


def momentum_update_inplace(
    params: Parameters, grads: Parameters, state: OptimizerState, learning_rate: float, momentum: float
) -> None:
    """Take a step with momentum: ``v = momentum v - learning_rate g; w += v``.

    Mutates ``params``, ``state.step`` and the velocity ``state.first``.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
    equations 1 and 2; ``keras.optimizers.SGD(momentum=...)`` is the same.
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

    Mutates ``params``, ``state.step``, m (``state.first``) and v (``state.second``).

    References
    ----------
    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, the form at the end of
    section 2, which Keras uses too.
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
    # Without the row's maximum, exp overflows in float32 from a logit of 89 on.
    if len(logits) == 0:
        return logits.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # -inf and NaN (of inf - inf) are meant
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probs
