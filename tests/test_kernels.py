"""Every backend compared with scalar loops in float64 and with numerical derivatives, and on extreme inputs."""

import inspect
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnkernels import kernels
from nnkernels.errors import ContractError, UnknownNameError
from nnkernels.kernels.contract import FUNCTIONS, Backend, checked, initial_state, step_sizes, update_rule
from nnkernels.measure.correctness.extremes import ROWS
from nnkernels.parameters import Parameters, copy, initial_parameters
from nnkernels.recipes import OPTIMIZER_NAMES, Optimizer
from tests import reference
from tests.backends import distinct_backend, update_inplace  # noqa: F401  (the fixture `backend`)

DTYPES = (np.float32, np.float64)
# Rounding of sums of a few dozen terms of size 1 to 100, relative to the largest of them.
TOLERANCES = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-13}


def as_lists(arrays):
    return tuple(np.asarray(array, np.float64).tolist() for array in arrays)


def assert_close(actual, expected, dtype, what=""):
    """Compare with a float64 result; the tolerance is relative to its largest entry."""
    expected = np.asarray(expected, np.float64).reshape(np.shape(actual))
    scale = max(1.0, np.max(np.abs(expected), initial=0.0))
    atol = TOLERANCES[np.dtype(dtype)] * scale
    np.testing.assert_allclose(np.asarray(actual, np.float64), expected, rtol=0, atol=atol, err_msg=what)


def eighths(shape, dtype):
    """Return a strategy of multiples of 1/8 from -2 to 2.

    Sums of their products are exact in float32 too, and often exactly zero. So the same ReLUs are active in float32
    kernels as in the float64 reference, and inputs of exactly zero occur.
    """
    return hnp.arrays(np.int64, shape, elements=st.integers(-16, 16)).map(lambda values: (values / 8).astype(dtype))


@st.composite
def problems(draw):
    """Draw parameters, features and labels of a small network."""
    dtype = draw(st.sampled_from(DTYPES))
    N = draw(st.integers(0, 9))
    D, H, C = draw(st.integers(1, 7)), draw(st.integers(1, 6)), draw(st.integers(1, 5))
    params = Parameters(*(draw(eighths(shape, dtype)) for shape in ((D, H), (H,), (H, C), (C,))))
    X = draw(eighths((N, D), dtype))
    y = draw(hnp.arrays(np.int64, N, elements=st.integers(0, C - 1)))
    return params, X, y


@st.composite
def updates(draw):
    """Draw parameters, and the gradients of three steps."""
    dtype = draw(st.sampled_from(DTYPES))
    D, H, C = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shapes = ((D, H), (H,), (H, C), (C,))
    params = Parameters(*(draw(eighths(shape, dtype)) for shape in shapes))
    grads = [Parameters(*(draw(eighths(shape, dtype)) for shape in shapes)) for _ in range(3)]
    return params, grads


def network(dtype, N=6, D=5, H=4, C=3, seed=0):
    """Return random parameters, with biases, and a random batch."""
    rng = np.random.default_rng(seed)
    params = Parameters(*(rng.normal(size=shape).astype(dtype) for shape in ((D, H), (H,), (H, C), (C,))))
    return params, rng.normal(size=(N, D)).astype(dtype), rng.integers(0, C, N)


def output_layer_alone(logits):
    """Return parameters and features whose logits are the given row exactly: all weights zero, b2 the row."""
    row = np.array(logits)
    params = Parameters(
        np.zeros((3, 2), row.dtype), np.zeros(2, row.dtype), np.zeros((2, len(row)), row.dtype), row.copy()
    )
    return params, np.zeros((1, 3), row.dtype)


def read_only_copy(arrays):
    """Return a copy with read-only arrays."""
    copies = [np.array(array) for array in arrays]
    for array in copies:
        array.flags.writeable = False
    return type(arrays)(*copies)


# Comparison with the reference


@given(problem=problems())
def test_forward_equals_scalar_loops(backend, problem):
    params, X, _y = problem
    activations = backend.forward(params, X)
    expected = reference.forward(as_lists(params), X.tolist())
    for name, actual, wanted in zip(activations._fields, activations, expected, strict=True):
        assert_close(actual, wanted, X.dtype, name)


@given(problem=problems())
def test_loss_equals_scalar_loops(backend, problem):
    params, X, y = problem
    logits = backend.forward(params, X).logits
    expected = reference.loss(as_lists([logits])[0], y.tolist())
    assert_close(backend.loss(logits, y), expected, X.dtype)


@given(problem=problems())
def test_backward_equals_scalar_loops(backend, problem):
    params, X, y = problem
    grads = backend.backward(params, X, y, backend.forward(params, X))
    expected = reference.backward(as_lists(params), X.tolist(), y.tolist())
    for name, actual, wanted in zip(grads._fields, grads, expected, strict=True):
        assert_close(actual, wanted, X.dtype, f"d{name}")


@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
@given(update=updates())
def test_updates_equal_scalar_steps(backend, optimizer, update):
    params, all_grads = update
    rule, state, start = Optimizer(optimizer), initial_state(params), copy(params)
    for grads in all_grads:
        update_inplace(backend, rule, params, grads, state, 0.1)
    for w, first, second, w0, *g in zip(params, state.first, state.second, start, *all_grads, strict=True):
        for i in np.ndindex(w.shape):
            value, memory = float(w0[i]), (0.0, 0.0)
            for t in (1, 2, 3):
                value, memory = reference.step(rule, value, float(g[t - 1][i]), memory, t, 0.1)
            for actual, wanted in zip((w, first, second), (value, *memory), strict=True):
                assert_close(actual[i], wanted, w.dtype)
    assert state.step[0] == 3


def test_step_sizes_are_learning_rates_except_for_adam():
    rates = np.full(3, 0.1, np.float32)
    assert step_sizes(update_rule(Optimizer("momentum")), rates, 5) is rates
    t = np.array([6, 7, 8])
    found = step_sizes(update_rule(Optimizer("adam")), rates, 5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t), rtol=1e-7)


def test_mnist_sized_batch_equals_scalar_loops(backend, small_digits):
    # Long sums, many zeros, and the sizes that compiled loops are tuned for.
    params = initial_parameters(3, dtype=np.float64)
    X, y = small_digits.X_train[:3] / 255.0, small_digits.y_train[:3].astype(np.int64)
    activations = backend.forward(params, X)
    Z1, A1, logits, probs = reference.forward(as_lists(params), X.tolist())
    for actual, wanted in zip(activations, (Z1, A1, logits, probs), strict=True):
        assert_close(actual, wanted, np.float64)
    for actual, wanted in zip(
        backend.backward(params, X, y, activations),
        reference.backward(as_lists(params), X.tolist(), y.tolist()),
        strict=True,
    ):
        assert_close(actual, wanted, np.float64)


# Comparison with numerical derivatives


@pytest.mark.parametrize("direction_seed", range(5))
def test_gradient_matches_central_differences_along_random_directions(backend, direction_seed):
    params, X, y = network(np.float64, N=7, seed=direction_seed)
    grads = backend.backward(params, X, y, backend.forward(params, X))
    rng = np.random.default_rng(100 + direction_seed)
    epsilon = 1e-6

    def loss_at(step, direction):
        moved = Parameters(*(w + step * v for w, v in zip(params, direction, strict=True)))
        return backend.loss(backend.forward(moved, X).logits, y)

    # Along one array at a time, so that a failure names it, then along all together.
    everything = [rng.normal(size=w.shape) for w in params]
    for name, *chosen in [*((field, i) for i, field in enumerate(params._fields)), ("all", 0, 1, 2, 3)]:
        direction = [v if i in chosen else np.zeros_like(v) for i, v in enumerate(everything)]
        numerical = (loss_at(epsilon, direction) - loss_at(-epsilon, direction)) / (2 * epsilon)
        analytic = sum(float(np.sum(g * v)) for g, v in zip(grads, direction, strict=True))
        assert analytic == pytest.approx(numerical, rel=1e-6, abs=1e-8), (
            f"along {name}: backward says {analytic}, loss changes by {numerical}"
        )


# The contract


def test_reference_backend_comes_first():
    assert kernels.names()[0] == "numpy"
    assert len(set(kernels.names())) == len(kernels.names())


def test_unknown_backend_is_rejected_with_list_of_known_ones():
    with pytest.raises(UnknownNameError, match=r"unknown backend 'numqy'.*numpy"):
        kernels.load("numqy")


def test_functions_belong_to_the_backend_that_defines_them():
    owners = {name: {kernels.owner(name, function) for function in FUNCTIONS} for name in kernels.names()}
    assert owners["numpy"] == {"numpy"}
    assert owners["numba"] == owners["fused"] == owners["fused_dense"] == {"numba"}
    assert kernels.owner("fused", *FUNCTIONS) == "numba"
    # Defined in neither module, and therefore owned by the first.
    assert kernels.owner("fused", "predictor") == kernels.owner("fused_dense", "predictor") == "fused"
    assert kernels.owner("fused_dense", "predictor", "forward") == "fused"
    assert kernels.owner("fused", "pack_images") == "fused"
    with pytest.raises(UnknownNameError, match="numqy"):
        kernels.owner("numqy", "forward")


def test_owner_of_functions_shared_between_backends(monkeypatch):
    known, load = kernels.names(), kernels.load
    numba = load("numba")

    def own_update(params, grads, state, learning_rate):
        return None

    modules = {
        "a": SimpleNamespace(forward=numba.forward, sgd_update_inplace=own_update),
        "b": SimpleNamespace(forward=numba.forward, sgd_update_inplace=own_update),
        "c": SimpleNamespace(forward=partial(numba.forward), sgd_update_inplace=numba.sgd_update_inplace),
    }
    points = {name: SimpleNamespace(module=f"package_{name}") for name in (*modules, "broken")}
    monkeypatch.setattr(kernels, "names", lambda: (*known, "broken", *modules))
    monkeypatch.setattr(kernels, "load", lambda name: modules[name] if name in points else load(name))
    monkeypatch.setattr(kernels, "installed_plugins", lambda group: points)
    assert kernels.owner("b", "forward") == kernels.owner("fused", "forward") == "numba"
    assert kernels.owner("b", "sgd_update_inplace") == kernels.owner("b", "forward", "sgd_update_inplace") == "a"
    assert kernels.owner("c", "forward") == kernels.owner("c", "forward", "sgd_update_inplace") == "c"
    with pytest.raises(KeyError, match="broken"):
        kernels.owner("broken", "forward")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_have_signatures_of_contract(backend, function):
    found = getattr(backend, function)
    parameters = inspect.signature(getattr(found, "py_func", found)).parameters
    assert ["self", *parameters] == list(inspect.signature(getattr(Backend, function)).parameters)


def test_incomplete_backend_is_rejected():
    complete = kernels.load("numpy")
    lacking = ModuleType("lacking")
    lacking.forward = complete.forward
    with pytest.raises(ContractError, match="lacking has no function loss"):
        checked(lacking)
    renamed = ModuleType("renamed")
    for name in FUNCTIONS:
        setattr(renamed, name, getattr(complete, name))
    renamed.loss = lambda y, logits: 0.0
    with pytest.raises(ContractError, match=r"renamed\.loss takes \(y, logits\)"):
        checked(renamed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("N", [0, 1, 6])
def test_results_keep_dtype_and_shape(backend, dtype, N):
    params, X, y = network(dtype, N=N, D=5, H=4, C=3)
    activations = backend.forward(params, X)
    assert [array.shape for array in activations] == [(N, 4), (N, 4), (N, 3), (N, 3)]
    assert {array.dtype for array in activations} == {np.dtype(dtype)}
    assert isinstance(backend.loss(activations.logits, y), float)
    grads = backend.backward(params, X, y, activations)
    assert [array.shape for array in grads] == [array.shape for array in params]
    assert {array.dtype for array in grads} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_updates_are_in_place_and_do_not_change_gradients(backend, dtype, optimizer):
    params, X, y = network(dtype)
    grads = backend.backward(params, X, y, backend.forward(params, X))
    params_before, grads_before = copy(params), copy(grads)
    state = initial_state(params)
    update_inplace(backend, Optimizer(optimizer), params, grads, state, 0.25)
    for w, before in zip(params, params_before, strict=True):
        assert w.dtype == dtype
        assert not np.array_equal(w, before)
    for g, before in zip(grads, grads_before, strict=True):
        np.testing.assert_array_equal(g, before)
    assert {array.dtype for array in (*state.first, *state.second)} == {np.dtype(dtype)}
    # Each optimizer uses only the moments that it needs.
    assert any(np.any(array) for array in state.first) == (optimizer != "sgd")
    assert any(np.any(array) for array in state.second) == (optimizer == "adam")
    assert state.step.tolist() == [1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_loss_and_backward_do_not_change_inputs(backend, dtype):
    params, X, y = network(dtype)
    activations = backend.forward(params, X)
    everything = (*params, X, y, *activations)
    before = [np.array(array) for array in everything]
    backend.forward(params, X)
    backend.loss(activations.logits, y)
    grads = backend.backward(params, X, y, activations)
    for array, old in zip(everything, before, strict=True):
        np.testing.assert_array_equal(array, old)
    # Results must not share memory with the inputs, which a later update changes.
    for result in (*activations, *grads):
        for given_array in (*params, X):
            assert not np.shares_memory(result, given_array)


def test_updates_accept_read_only_gradients(backend):
    # For one optimizer only, as each is compiled again for read-only arrays. The test above covers all of them.
    params, X, y = network(np.float32)
    grads = backend.backward(params, X, y, backend.forward(params, X))
    results = []
    for given_grads in (grads, read_only_copy(grads)):
        trained = copy(params)
        update_inplace(backend, Optimizer("adam"), trained, given_grads, initial_state(params), 0.25)
        results.append(trained)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_can_be_uint8(backend):
    # A Dataset's labels are uint8.
    params, X, y = network(np.float32)
    activations = backend.forward(params, X)
    as_bytes = y.astype(np.uint8)
    assert backend.loss(activations.logits, as_bytes) == backend.loss(activations.logits, y)
    for actual, expected in zip(
        backend.backward(params, X, as_bytes, activations), backend.backward(params, X, y, activations), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)


# Extreme inputs. They must not cause warnings either: pytest turns each warning into a failure.

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ROWS)
def test_softmax_of_extreme_logits(backend, case, dtype):
    logits, expected, _losses = ROWS[case]
    activations = backend.forward(*output_layer_alone(np.array(logits, dtype)))
    np.testing.assert_array_equal(activations.logits[0], np.array(logits, dtype))
    np.testing.assert_allclose(activations.probs[0], expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ROWS)
def test_loss_of_extreme_logits(backend, case, dtype):
    logits, _probs, losses = ROWS[case]
    for true_class, expected in enumerate(losses):
        actual = backend.loss(np.array([logits], dtype), np.array([true_class]))
        assert actual == pytest.approx(expected, rel=1e-6, abs=1e-12, nan_ok=True), f"true class {true_class}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ROWS)
def test_gradient_of_extreme_logits(backend, case, dtype):
    logits, probs, _losses = ROWS[case]
    params, X = output_layer_alone(np.array(logits, dtype))
    for true_class in range(len(logits)):
        grads = backend.backward(params, X, np.array([true_class]), backend.forward(params, X))
        expected = np.array(probs) - np.eye(len(logits))[true_class]
        np.testing.assert_allclose(grads.b2, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_at_limits_of_dtype(backend, dtype):
    # Their difference overflows to -inf, like the exact -inf of the table.
    limit = np.finfo(dtype).max
    params, X = output_layer_alone(np.array([limit, -limit], dtype))
    activations = backend.forward(params, X)
    assert activations.probs.tolist() == [[1.0, 0.0]]
    assert backend.loss(activations.logits, np.array([0])) == 0.0
    assert backend.loss(activations.logits, np.array([1])) == INF


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_row_affects_loss_and_gradients_but_no_other_row(backend, dtype):
    params, X, y = network(dtype, N=3)
    clean = backend.forward(params, X)
    X[1, 2] = NAN  # a damaged pixel
    activations = backend.forward(params, X)
    for actual, expected in zip(activations, clean, strict=True):
        assert np.all(np.isnan(actual[1]))
        np.testing.assert_allclose(actual[[0, 2]], expected[[0, 2]], rtol=1e-6)
    assert np.isnan(backend.loss(activations.logits, y))
    # Gradients are means over all rows, so every one must be NaN.
    for grad in backend.backward(params, X, y, activations):
        assert np.all(np.isnan(grad))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_gradient_passes_inactive_relu(backend, dtype):
    params, X, y = network(dtype, N=1)
    params.b1[:] = -1e3  # no hidden unit is active
    params.b2[0] = NAN
    grads = backend.backward(params, X, y, backend.forward(params, X))
    for grad in grads:
        assert np.all(np.isnan(grad))


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_batch_has_nan_loss_and_zero_gradients(backend, dtype):
    params, X, y = network(dtype, N=0)
    activations = backend.forward(params, X)
    assert np.isnan(backend.loss(activations.logits, y))
    for grad in backend.backward(params, X, y, activations):
        assert np.all(grad == 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_gradient_is_mean_over_images(backend, dtype):
    # N = 1 is a batch like any other, and a short last batch is divided by its own length.
    params, X, y = network(dtype, N=5)
    grads = backend.backward(params, X, y, backend.forward(params, X))
    alone = []
    for n in range(5):
        image, label = X[n : n + 1], y[n : n + 1]
        alone.append(backend.backward(params, image, label, backend.forward(params, image)))
    for actual, *singles in zip(grads, *alone, strict=True):
        assert_close(actual, np.mean(singles, axis=0, dtype=np.float64), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_is_inactive_at_zero(backend, dtype):
    params, X, y = network(dtype, N=2)
    X[:] = 0
    params.b1[:] = 0
    activations = backend.forward(params, X)
    assert np.all(activations.A1 == 0)
    grads = backend.backward(params, X, y, activations)
    assert np.all(grads.b1 == 0)
    assert np.any(grads.b2 != 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormals_are_not_flushed_to_zero(backend, dtype):
    # They are not flushed to zero, and dividing by them does not give infinity.
    tiny = np.finfo(dtype).smallest_subnormal * dtype(1000)
    params = Parameters(np.ones((1, 1), dtype), np.zeros(1, dtype), np.ones((1, 2), dtype), np.zeros(2, dtype))
    activations = backend.forward(params, np.full((1, 1), tiny, dtype))
    assert activations.A1[0, 0] == tiny
    assert activations.logits.tolist() == [[tiny, tiny]]
    assert activations.probs.tolist() == [[0.5, 0.5]]
    assert backend.loss(activations.logits, np.array([0])) == pytest.approx(np.log(2), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_subnormal_gradients_leave_weights_finite(backend, dtype, optimizer):
    tiny = np.finfo(dtype).smallest_subnormal
    params, _X, _y = network(dtype)
    before = copy(params)
    grads = Parameters(*(np.full_like(array, tiny) for array in params))
    state = initial_state(params)
    for _ in range(3):
        update_inplace(backend, Optimizer(optimizer), params, grads, state, 0.25)
    for w, old in zip(params, before, strict=True):
        np.testing.assert_allclose(w, old, rtol=0, atol=np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_nan_gradient_reaches_updated_weight(backend, dtype, optimizer):
    params, _X, _y = network(dtype)
    before = copy(params)
    grads = Parameters(*(np.zeros_like(array) for array in params))
    grads.W1[0, 0] = NAN
    update_inplace(backend, Optimizer(optimizer), params, grads, initial_state(params), 0.25)
    assert np.isnan(params.W1[0, 0])
    params.W1[0, 0] = before.W1[0, 0]
    for w, old in zip(params, before, strict=True):  # a zero gradient changes nothing
        np.testing.assert_array_equal(w, old)


def test_backends_agree_with_each_other(small_digits):
    X, y = small_digits.X_train[:64] / np.float32(255), small_digits.y_train[:64].astype(np.int64)
    params = initial_parameters(1)
    first = kernels.load("numpy")
    expected = first.forward(params, X)
    expected_grads = first.backward(params, X, y, expected)
    for name in kernels.names()[1:]:
        other = kernels.load(name)
        activations = other.forward(params, X)
        for actual, wanted in zip(activations, expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=2e-6, err_msg=name)
        for actual, wanted in zip(other.backward(params, X, y, activations), expected_grads, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=2e-6, err_msg=name)
