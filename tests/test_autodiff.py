"""Comparison with TensorFlow's automatic differentiation and Keras' optimizers, independent of our formulas."""

import numpy as np
import pytest

from nnkernels.interchange import from_keras, keras_optimizer, to_keras
from nnkernels.kernels.contract import initial_state
from nnkernels.parameters import Parameters, copy, initial_parameters
from nnkernels.recipes import Optimizer
from tests.backends import distinct_backend, update_inplace  # noqa: F401  (the fixture `backend`)

pytestmark = pytest.mark.usefixtures("tf")

DTYPES = (np.float32, np.float64)
TOLERANCES = {np.float32: 2e-6, np.float64: 1e-13}


def random_parameters(dtype, seed=0, D=12, H=7, C=5):
    """Return random parameters with nonzero biases."""
    rng = np.random.default_rng(seed)
    return Parameters(*(rng.normal(scale=0.5, size=shape).astype(dtype) for shape in ((D, H), (H,), (H, C), (C,))))


def random_batch(dtype, N, seed=1, D=12, C=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, D)).astype(dtype), rng.integers(0, C, N)


def tensorflow_gradients(tf, params, X, y):
    """Return logits, probabilities, mean loss and its gradients, computed with a GradientTape."""
    W1, b1, W2, b2 = (tf.Variable(array) for array in params)
    with tf.GradientTape() as tape:
        logits = tf.matmul(tf.nn.relu(tf.matmul(X, W1) + b1), W2) + b2
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    gradients = tape.gradient(loss, [W1, b1, W2, b2])
    return logits.numpy(), tf.nn.softmax(logits).numpy(), float(loss), [gradient.numpy() for gradient in gradients]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N", [1, 5, 32])
def test_backends_agree_with_tensorflow(tf, backend, dtype, N):
    params, (X, y) = random_parameters(dtype, seed=N), random_batch(dtype, N)
    logits, probs, loss, gradients = tensorflow_gradients(tf, params, X, y)
    activations = backend.forward(params, X)
    atol = TOLERANCES[dtype]
    np.testing.assert_allclose(activations.logits, logits, rtol=0, atol=4 * atol)
    np.testing.assert_allclose(activations.probs, probs, rtol=0, atol=atol)
    assert backend.loss(activations.logits, y) == pytest.approx(loss, abs=2 * atol)
    for name, actual, expected in zip(
        params._fields, backend.backward(params, X, y, activations), gradients, strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=2 * atol, err_msg=name)


def test_backends_agree_with_tensorflow_on_real_digits(tf, backend, small_digits):
    params = initial_parameters(2)
    X, y = small_digits.X_train[:32] / np.float32(255), small_digits.y_train[:32].astype(np.int64)
    _logits, probs, loss, gradients = tensorflow_gradients(tf, params, X, y)
    activations = backend.forward(params, X)
    np.testing.assert_allclose(activations.probs, probs, rtol=0, atol=2e-6)
    assert backend.loss(activations.logits, y) == pytest.approx(loss, abs=2e-6)
    for actual, expected in zip(backend.backward(params, X, y, activations), gradients, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-6)


OPTIMIZERS = {
    "sgd": Optimizer("sgd"),
    "momentum": Optimizer("momentum", momentum=0.8),
    "adam": Optimizer("adam"),
    "adam, other numbers": Optimizer("adam", beta_1=0.5, beta_2=0.95, epsilon=1e-2),
}


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_updates_agree_with_keras_optimizers(tf, backend, case):
    rule, learning_rate = OPTIMIZERS[case], 0.05
    params = random_parameters(np.float32)
    variables = [tf.Variable(array) for array in params]
    theirs = keras_optimizer(rule, learning_rate)
    theirs.build(variables)
    state = initial_state(params)
    rng = np.random.default_rng(3)
    for _step in range(8):
        # The scales range from 1e-5 to 1, so that Adam's epsilon matters for some gradients.
        grads = Parameters(
            *((rng.normal(size=w.shape) * 10.0 ** rng.uniform(-5, 0, w.shape)).astype(np.float32) for w in params)
        )
        theirs.apply([tf.constant(g) for g in grads], variables)
        update_inplace(backend, rule, params, grads, state, learning_rate)
    for name, actual, variable in zip(params._fields, params, variables, strict=True):
        np.testing.assert_allclose(actual, variable.numpy(), rtol=2e-5, atol=2e-6, err_msg=name)


def test_keras_model_computes_our_logits(tf, backend):
    params, (X, _y) = random_parameters(np.float32), random_batch(np.float32, 9)
    model = to_keras(params)
    np.testing.assert_allclose(model(X).numpy(), backend.forward(params, X).logits, rtol=0, atol=5e-6)


def test_parameters_round_trip_through_keras_without_sharing_memory():
    params = random_parameters(np.float32)
    before = copy(params)
    model = to_keras(params)
    returned = from_keras(model)
    assert isinstance(returned, Parameters)
    for actual, expected in zip(returned, params, strict=True):
        assert actual.dtype == np.float32
        np.testing.assert_array_equal(actual, expected)
    # Both conversions copy: changes on one side do not affect the other.
    for array in returned:
        array += 1
    model.set_weights([np.zeros_like(array) for array in params])
    for actual, expected in zip(params, before, strict=True):
        np.testing.assert_array_equal(actual, expected)
    for array in from_keras(model):
        assert np.all(array == 0)


def test_initial_parameters_match_distribution_of_keras_glorot_uniform():
    import keras
    from scipy import stats

    theirs = np.array(keras.initializers.GlorotUniform(seed=1)((784, 20))).ravel()
    ours = initial_parameters(1).W1.ravel()
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)
