"""The fused kernels: lists of nonzero pixels, training, threads, predictions, and fallbacks to other kernels."""

import threading
from functools import partial
from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnkernels import kernels
from nnkernels.contenders import create
from nnkernels.contenders.ours import prediction_entry
from nnkernels.data import LabelledImages
from nnkernels.errors import DataError
from nnkernels.kernels.contract import OptimizerState, initial_state, update_rule
from nnkernels.kernels.fused import entries, paths, prediction
from nnkernels.kernels.fused.layout import Layout
from nnkernels.kernels.fused.nonzero import PADDING, NonzeroImages, pack_nonzero, unpack_nonzero
from nnkernels.kernels.fused.partitions import MODEL_RANGES, UNITS, WEIGHT_ROWS, thread_partitions
from nnkernels.kernels.fused.tile_images import pack_tiles
from nnkernels.kernels.simd import VECTOR
from nnkernels.kernels.stepwise import train_stepwise_inplace
from nnkernels.measure.correctness.extremes import ROWS
from nnkernels.measure.correctness.oracle import predict_float64
from nnkernels.parameters import Parameters, copy, initial_parameters
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.transforms import PIXEL_SCALE, as_features, feature_scale

NAN, INF = np.nan, np.inf
TINY = np.finfo(np.float32).tiny
# As in test_training_entries: for a few float32 steps whose sums may be computed in another order.
TOLERANCE = 2e-6

RULES = {
    "sgd": (Optimizer("sgd"), 0.1),
    "momentum": (Optimizer("momentum", momentum=0.8), 0.02),
    "adam": (Optimizer("adam", beta_1=0.8, beta_2=0.99, epsilon=1e-3), 0.002),
}
# Each pair of numbers of lanes takes two seconds to compile, and so do each dtype of images and optimizers with and
# without moments. So there are few networks: a panel that is nearly full, one that is mostly padding, and several
# panels with a short last one; one vector of classes and two. Float images on the last network are a slow test.
NETWORKS = [(20, 10), (7, 3), (65, 10)]
FORMS = ("packed", "tiles", "rows")
FLOAT_FORMS = ("packed", "rows")  # tiles are for bytes
SLOW = pytest.mark.slow
# Tests whose results depend on the CPU's instructions: ``.ci/run`` runs them for several CPUs.
instruction_set = pytest.mark.instruction_set


def read_only(X):
    """Return images as contenders pass them to kernels: read-only, because writable ones would be compiled again."""
    images = X.view()
    images.flags.writeable = False
    return images


def in_form(form, X):
    pack = {"packed": pack_nonzero, "tiles": pack_tiles, "rows": lambda X: X}[form]
    return pack(read_only(X))


def sparse_images(rng, images, inputs, dtype=np.uint8, inked=0.3):
    """Return random images in which the fraction ``inked`` of all pixels is nonzero."""
    X = rng.integers(1, 256, (images, inputs), np.uint8) * (rng.random((images, inputs)) < inked).astype(np.uint8)
    return X if dtype == np.uint8 else as_features(X, dtype)


def with_biases(params, seed=1):
    """Return the parameters with random biases in place of zeros."""
    rng = np.random.default_rng(seed)
    return params._replace(
        b1=rng.uniform(-0.3, 0.3, len(params.b1)).astype(np.float32),
        b2=rng.uniform(-0.5, 0.5, len(params.b2)).astype(np.float32),
    )


@pytest.fixture
def threads(monkeypatch):
    """A function that sets the number of threads, which can exceed the number of CPUs or images."""
    monkeypatch.setattr(entries, "MIN_IMAGES_PER_THREAD", 1)

    def use(number):
        monkeypatch.setattr(numba, "get_num_threads", lambda: number)

    use(1)
    return use


# Lists of nonzero pixels

BYTES = st.sampled_from([0, 0, 0, 1, 7, 255])
REALS = st.sampled_from([0.0, 0.0, -0.0, 0.25, -1.0, NAN, INF, 1e-45])


@st.composite
def images(draw):
    """Draw byte or float images, also none, blank or full ones, whose widths need not be multiples of a vector."""
    shape = draw(st.tuples(st.integers(0, 9), st.integers(1, 40)))
    dtype, elements = draw(st.sampled_from([(np.uint8, BYTES), (np.float32, REALS)]))
    kind = draw(st.sampled_from(["mixed", "mixed", "blank", "full"]))
    if kind == "mixed":
        return read_only(draw(hnp.arrays(dtype, shape, elements=elements)))
    return read_only(np.full(shape, kind == "full", dtype))


@instruction_set
@given(X=images())
@example(X=read_only(np.zeros((0, 784), np.uint8)))
@example(X=read_only(np.full((3, 13), 255, np.uint8)))
@example(X=read_only(np.full((2, 5), NAN, np.float32)))
def test_lists_contain_nonzero_pixels_in_order_padded_to_four_in_each_half(X):
    values, pixels, starts, halves, middle = pack_nonzero(X)
    assert (values.dtype, pixels.dtype, starts.dtype) == (X.dtype, np.uint16, np.int64)
    assert starts[0] == 0
    assert (len(starts), len(halves)) == (len(X) + 1, len(X))
    assert len(values) == len(pixels) == starts[-1] + PADDING
    cut = X.shape[1] // 16 * 8  # the first whole vector of the second half
    assert middle == cut
    for n, image in enumerate(X):
        bounds = (starts[n], starts[n] + halves[n], starts[n + 1])
        for (first, last), (start, end) in zip([(0, cut), (cut, len(image))], pairwise(bounds), strict=True):
            places = first + np.flatnonzero(image[first:last] != 0)
            extra = -len(places) % 4
            np.testing.assert_array_equal(values[start:end], [*image[places], *[0] * extra])
            assert pixels[start:end].tolist() == [*places, *places[-1:].repeat(extra)]


@instruction_set
@given(X=images())
def test_unpacking_restores_images(X):
    back = unpack_nonzero(pack_nonzero(X), X.shape[1])
    assert back.dtype == X.dtype
    np.testing.assert_array_equal(back, X)


@instruction_set
def test_pixel_indices_use_whole_range_of_uint16():
    X = np.zeros((2, 2**16), np.uint8)
    X[0, [0, 9, 2**16 - 1]] = 1, 2, 3
    X[1, 2**16 - 8 :] = 5
    packed = pack_nonzero(read_only(X))
    np.testing.assert_array_equal(unpack_nonzero(packed, 2**16), X)
    assert packed.pixels[4] == 2**16 - 1  # after the two pixels of the first half, padded to four


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_are_packed_if_fewer_than_half_of_pixels_are_nonzero(dtype, monkeypatch):
    monkeypatch.setenv(paths.SETTING, paths.LISTS)
    X = np.zeros((10, 20), dtype)
    X[:, :9] = 1
    assert isinstance(entries.pack_images(read_only(X)), NonzeroImages)
    X[:, 9] = 1
    assert entries.pack_images(X) is X


@pytest.mark.parametrize(
    "X",
    [np.zeros((3, 4)), np.zeros((0, 4), np.uint8), np.zeros((1, 2**16 + 1), np.uint8)],
    ids=["float64", "none", "wide"],
)
def test_images_that_cannot_be_packed_are_returned_unchanged(X):
    assert entries.pack_images(X) is X


# Training against the composed functions of the reference backend


@st.composite
def trainings(draw, hidden, classes, dtype, rules=tuple(RULES)):
    """Draw the parts of a short training: parameters, state, images, labels, order, rates, batch size, rule."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs, count = draw(st.integers(1, 40)), draw(st.integers(1, 30))
    X = sparse_images(rng, count, inputs, dtype, draw(st.sampled_from([0.0, 0.2, 0.7, 1.0])))
    order = rng.integers(0, count, draw(st.integers(1, 40)))  # some repeated, some left out
    batch_size = draw(st.sampled_from([1, 2, 3, 7, 8, 9, 16, 64]))
    rule, first_rate = RULES[draw(st.sampled_from(rules))]
    rates = (first_rate * np.linspace(1, 0.3, -(-len(order) // batch_size))).astype(np.float32)
    start = with_biases(initial_parameters(int(rng.integers(1000)), inputs, hidden, classes))
    state = initial_state(start)
    if rule.name != "sgd":  # a training that has already taken three steps
        state.step[0] = 3
        for first, second in zip(state.first, state.second, strict=True):
            first[...] = rng.uniform(-0.01, 0.01, first.shape)
            second[...] = rng.uniform(0, 1e-4, second.shape) * (rule.name == "adam")
    return start, state, X, rng.integers(0, classes, count), order, rates, batch_size, rule


def copied(state):
    return OptimizerState(state.step.copy(), copy(state.first), copy(state.second))


def assert_close_training(found, expected, atol=TOLERANCE):
    """Compare two pairs of parameters and optimizer state."""
    (params, state), (wanted, wanted_state) = found, expected
    for one, other in ((params, wanted), (state.first, wanted_state.first), (state.second, wanted_state.second)):
        for name, actual, array in zip(Parameters._fields, one, other, strict=True):
            assert actual.dtype == array.dtype
            np.testing.assert_allclose(actual, array, rtol=0, atol=atol, err_msg=name)
    assert state.step.tolist() == wanted_state.step.tolist()


def assert_agrees_with_reference(training, form):
    start, state, X, y, order, rates, batch_size, rule = training
    expected, expected_state = copy(start), copied(state)
    arguments = y, order, rates, batch_size, feature_scale(X), update_rule(rule)
    numpy = kernels.load("numpy")
    train_stepwise_inplace(numpy, expected, expected_state, X, *arguments)
    params, after = copy(start), copied(state)
    entries.train_inplace(params, after, in_form(form, X), *arguments)
    assert_close_training((params, after), (expected, expected_state))


# Optimizer, number of lanes, and form and dtype of the images are independent of each other in the kernels. So not all
# combinations are tested; byte images on the first network are tested with every optimizer.
@pytest.mark.parametrize(
    ("hidden", "classes", "form", "dtype", "rules"),
    [
        *[pytest.param(*NETWORKS[0], form, np.uint8, tuple(RULES), marks=instruction_set) for form in FORMS],
        *[pytest.param(*NETWORKS[0], form, np.float32, ("sgd",), marks=instruction_set) for form in FLOAT_FORMS],
        (*NETWORKS[1], "packed", np.uint8, ("adam",)),
        pytest.param(*NETWORKS[2], "packed", np.uint8, ("sgd",), marks=instruction_set),
        pytest.param(*NETWORKS[2], "tiles", np.uint8, ("sgd",), marks=instruction_set),
        (*NETWORKS[2], "rows", np.uint8, tuple(RULES)),
        *[pytest.param(*NETWORKS[0], form, np.float32, ("momentum", "adam"), marks=SLOW) for form in FLOAT_FORMS],
        pytest.param(*NETWORKS[1], "rows", np.uint8, ("adam",), marks=SLOW),
        pytest.param(*NETWORKS[1], "tiles", np.uint8, ("adam",), marks=SLOW),
        pytest.param(*NETWORKS[0], "rows", np.float64, ("sgd",), marks=SLOW),
        pytest.param(*NETWORKS[2], "packed", np.float32, ("sgd",), marks=SLOW),
    ],
)
@given(data=st.data())
def test_train_inplace_equals_composed_reference_functions(hidden, classes, form, dtype, rules, data):
    assert_agrees_with_reference(data.draw(trainings(hidden, classes, dtype, rules)), form)


# The numbers of lanes are those of the networks above, so nothing new is compiled.
@pytest.mark.parametrize("form", ["packed", pytest.param("rows", marks=SLOW)])
@settings(max_examples=15)
@given(data=st.data())
def test_training_with_partly_filled_lanes_equals_reference(form, data):
    hidden, most = data.draw(st.sampled_from([(1, 8), (7, 8), (8, 8), (24, 16)]))
    classes = data.draw(st.integers(1, 8) if most == 8 else st.integers(9, 12))
    assert_agrees_with_reference(data.draw(trainings(hidden, classes, np.uint8, ("adam",))), form)


# One panel of 40 lanes (compiled for 65 units above already), one of 64, and three of 48.
@pytest.mark.parametrize("hidden", [33, *[pytest.param(hidden, marks=SLOW) for hidden in (64, 130)]])
@settings(max_examples=8)
@given(data=st.data())
def test_training_of_wide_hidden_layers_in_panels_equals_reference(hidden, data):
    assert_agrees_with_reference(data.draw(trainings(hidden, 10, np.uint8, ("sgd",))), "packed")


def strided_images():
    """Return images that are not C-contiguous."""
    wide = sparse_images(np.random.default_rng(2), 40, 26)[:, ::2]
    return {
        "strided": wide,
        "strided floats": as_features(np.repeat(wide, 2, axis=1))[:, ::2],
        "Fortran": np.asfortranarray(wide),
        "Fortran float64": np.asfortranarray(as_features(wide, np.float64)),
    }


def test_kernels_receive_contiguous_copies_of_strided_images_and_order(monkeypatch):
    # Compiled code assumes contiguous arrays, and would read wrong memory otherwise. It is not called here, because it
    # would be compiled again for the copies, which are writable; the next test calls it.
    handed_over = []
    monkeypatch.setattr(entries, "run_together", lambda *arguments: handed_over.append(arguments))
    start, y, order = initial_parameters(2, 13), np.arange(40) % 10, (np.arange(80) % 40)[::-2]
    for name, X in strided_images().items():
        assert not X.flags.c_contiguous
        rule, rates = update_rule(Optimizer()), np.full(5, 0.1, np.float32)
        entries.train_inplace(copy(start), initial_state(start), X, y, order, rates, 8, feature_scale(X), rule)
        images = [one for one in handed_over[-1] if isinstance(one, np.ndarray) and one.shape == X.shape]
        orders = [one for one in handed_over[-1] if isinstance(one, np.ndarray) and np.array_equal(one, order)]
        assert len(images) == len(orders) == 1
        assert images[0].dtype == (np.uint8 if X.dtype == np.uint8 else np.float32), name
        assert images[0].flags.c_contiguous
        assert orders[0].flags.c_contiguous
        np.testing.assert_allclose(images[0], X, rtol=1e-7, err_msg=name)


@pytest.mark.parametrize("form", ["packed", pytest.param("rows", marks=SLOW)])
def test_training_on_strided_images_and_order_equals_reference(form):
    start, y = initial_parameters(2, 13), np.random.default_rng(2).integers(0, 10, 40)
    order, rates = (np.arange(80) % 40)[::-2], np.full(5, 0.1, np.float32)
    given_images = strided_images()
    for name in ("strided", "Fortran") if form == "packed" else given_images:
        X = given_images[name]
        expected, params = copy(start), copy(start)
        arguments = y, order, rates, 8, feature_scale(X), update_rule(Optimizer())
        train_stepwise_inplace(kernels.load("numpy"), expected, initial_state(start), X, *arguments)
        entries.train_inplace(params, initial_state(start), in_form(form, X), *arguments)
        for one, other in zip(params, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE, err_msg=name)


# Threads: their number changes neither the sums nor their order


def long_training(inputs=50, hidden=20, classes=10, count=300, seed=3):
    rng = np.random.default_rng(seed)
    start = with_biases(initial_parameters(seed, inputs, hidden, classes))
    return start, sparse_images(rng, count, inputs), rng.integers(0, classes, count), rng.permutation(count)


def train(training, form, rule, batch_size=32):
    start, X, y, order = training
    optimizer, rate = RULES[rule]
    rates = np.full(-(-len(order) // batch_size), rate, np.float32)
    params, state = copy(start), initial_state(start)
    arguments = y, order, rates, batch_size, feature_scale(X), update_rule(optimizer)
    entries.train_inplace(params, state, in_form(form, X), *arguments)
    return params, state


def assert_identical(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.tobytes() == other.tobytes()


@instruction_set
@pytest.mark.parametrize("batch_size", [1, 32, 300])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("form", FORMS)
def test_training_gives_identical_bits_for_any_number_of_threads(threads, form, rule, batch_size):
    training = long_training()
    expected, state = train(training, form, rule, batch_size)
    for number in (1, 2, 3, 5):
        threads(number)
        params, after = train(training, form, rule, batch_size)
        assert_identical(params, expected)
        assert_identical((*after.first, *after.second), (*state.first, *state.second))


@pytest.mark.parametrize("form", FORMS)
def test_training_with_more_threads_than_work_gives_identical_bits(threads, form):
    training = long_training(inputs=3, count=5)
    expected, _state = train(training, form, "adam", 2)
    threads(6)
    assert_identical(train(training, form, "adam", 2)[0], expected)


def run_concurrently(*functions):
    """Run functions at the same time, one thread per function, and return their results."""
    results = [None] * len(functions)
    together = threading.Barrier(len(functions))

    def call(i, function):
        together.wait()
        results[i] = function()

    workers = [threading.Thread(target=call, args=pair, daemon=True) for pair in enumerate(functions)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert all(result is not None for result in results), "a function failed, or the threads are deadlocked"
    return results


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("form", FORMS)
def test_concurrent_trainings_equal_separate_trainings(threads, form, number):
    trainings_at_once = long_training(seed=3), long_training(seed=4)
    alone = [train(training, form, "adam")[0] for training in trainings_at_once]
    threads(number)
    both = run_concurrently(*(partial(train, training, form, "adam") for training in trainings_at_once))
    for (params, _state), expected in zip(both, alone, strict=True):
        assert_identical(params, expected)


# Fallbacks to numba_kernels, and values that are not finite


def train_by_fused_and_numpy(start, form, classes, rate=0.1):
    rng = np.random.default_rng(7)
    X, y, order = sparse_images(rng, 20, 13), rng.integers(0, classes, 20), rng.permutation(20)
    arguments = y, order, np.full(3, rate, np.float32), 8, feature_scale(X), update_rule(Optimizer())
    expected, params = copy(start), copy(start)
    with np.errstate(all="ignore"):
        train_stepwise_inplace(kernels.load("numpy"), expected, initial_state(start), X, *arguments)
    state = initial_state(start)
    entries.train_inplace(params, state, in_form(form, X), *arguments)
    assert state.step.tolist() == [3]
    return params, expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("name", Parameters._fields)
def test_nonfinite_parameters_propagate_as_in_numpy(form, value, name):
    # Even from the weights of a pixel that is always zero, which the lists would skip: 0 * inf is NaN.
    start = initial_parameters(2, 13)
    getattr(start, name).flat[-1] = value
    params, expected = train_by_fused_and_numpy(start, form, 10)
    for actual, wanted in zip(params, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("classes", "dtype"), [(65, np.float32), (3, np.float64)], ids=["65 classes", "float64"])
def test_unsupported_networks_fall_back_to_numba_kernels(form, classes, dtype, monkeypatch):
    given_to_numba = []
    monkeypatch.setattr(entries.numba_kernels, "train_inplace", lambda *arguments: given_to_numba.append(arguments))
    start, X, y = (
        initial_parameters(2, 13, 7, classes, dtype),
        sparse_images(np.random.default_rng(7), 20, 13),
        np.arange(20) % 3,
    )
    state, rates, rule = initial_state(start), np.full(3, 0.1, np.float32), update_rule(Optimizer())
    entries.train_inplace(start, state, in_form(form, X), y, np.arange(20), rates, 8, PIXEL_SCALE, rule)
    ((params, moments, images_given, *others),) = given_to_numba
    assert params is start
    assert moments is state
    np.testing.assert_array_equal(images_given, X)
    assert others[0] is y
    assert others[2:] == [rates, 8, PIXEL_SCALE, rule]


@pytest.mark.parametrize(
    ("form", "classes", "dtype"),
    [
        *[(form, 65, np.float32) for form in FORMS],
        pytest.param("packed", 3, np.float64, marks=SLOW),  # numba_kernels take six seconds to compile for float64
    ],
)
def test_training_of_unsupported_networks_equals_numpy(form, classes, dtype):
    params, expected = train_by_fused_and_numpy(initial_parameters(2, 13, 7, classes, dtype), form, classes)
    for actual, wanted in zip(params, expected, strict=True):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=TOLERANCE if dtype == np.float32 else 1e-14)


@instruction_set
@pytest.mark.parametrize("form", FORMS)
def test_diverging_training_gives_nan(form):
    start = with_biases(initial_parameters(2, 13))
    rng = np.random.default_rng(7)
    X, y = sparse_images(rng, 200, 13), rng.integers(0, 10, 200)
    params = copy(start)
    arguments = y, np.arange(200), np.full(25, 1e30, np.float32), 8, feature_scale(X), update_rule(Optimizer())
    entries.train_inplace(params, initial_state(start), in_form(form, X), *arguments)
    assert np.isnan(params.W2).all()
    assert np.isnan(params.b2).all()


@instruction_set
@pytest.mark.parametrize("form", FLOAT_FORMS)
def test_nan_pixel_reaches_parameters(form):
    start, X, y, order = long_training(inputs=13, count=20)
    features = as_features(X)
    features[4, 2] = NAN
    params, _state = train((start, features, y, order), form, "sgd", 8)
    assert np.isnan(params.b2).all()


@instruction_set
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_moments_never_become_subnormal(form, rule):
    # Some pixels are nonzero in the first images only. In the steps after these, their moments decay to zero.
    rng = np.random.default_rng(5)
    X = sparse_images(rng, 30, 13)
    X[10:, :6] = 0
    order = np.concatenate([np.arange(10), np.resize(np.arange(10, 30), 15_000)])
    start = with_biases(initial_parameters(5, 13))
    params, state = train((start, X, rng.integers(0, 10, 30), order), form, rule, 10)
    for moment in (*state.first, *state.second):
        assert not np.any((moment != 0) & (np.abs(moment) < TINY))
    assert not state.first.W1[:6].any()
    assert np.isfinite(params.W1).all()
    assert not np.array_equal(params.W1[:6], start.W1[:6])


# Predictions

PREDICTION_TOLERANCE = 1e-6


def prediction_forms(X):
    """Return the images in each form that has its own code path or its own compiled kernel."""
    fixed = X.copy()
    fixed.flags.writeable = False
    return {
        "read-only": fixed,
        "features": as_features(X),
        "writable": X,
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "Fortran": np.asfortranarray(X),
        "every second": X.repeat(2, axis=0)[::2],
        "float64": as_features(X, np.float64),
    }


@instruction_set
@pytest.mark.parametrize("N", [0, 1, 2, 3, 4, 5, 7, 300])
@pytest.mark.parametrize(
    ("hidden", "forms"),
    [
        (20, None),
        (65, ["writable"]),
        pytest.param(1, ["writable"], marks=SLOW),
        pytest.param(65, ["features", "strided"], marks=SLOW),
    ],
)
def test_probabilities_equal_oracle(hidden, forms, N):
    inputs = 29
    params = with_biases(initial_parameters(6, inputs, hidden))
    predict = prediction_entry(kernels.load("fused"), params)
    X = sparse_images(np.random.default_rng(N), N, inputs)
    expected = predict_float64(params, as_features(X, np.float64))
    for name, given_images in prediction_forms(X).items():
        if forms is None or name in forms:
            before = given_images.copy()
            probs = predict(given_images)
            assert probs.shape == (N, 10)
            assert probs.dtype == np.float32
            np.testing.assert_allclose(probs, expected, rtol=0, atol=PREDICTION_TOLERANCE)
            np.testing.assert_array_equal(given_images, before)


@instruction_set
@given(data=st.data())
def test_probabilities_equal_oracle_for_any_width_and_density(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    inputs, N, inked = data.draw(st.tuples(st.integers(1, 40), st.integers(0, 9), st.sampled_from([0, 0.1, 0.5, 1.0])))
    params = with_biases(initial_parameters(1, inputs, 20, data.draw(st.integers(9, 12))))
    X = sparse_images(rng, N, inputs, data.draw(st.sampled_from([np.uint8, np.float32])), inked)
    probs = prediction_entry(kernels.load("fused"), params)(X)
    expected = predict_float64(params, as_features(X, np.float64))
    np.testing.assert_allclose(probs, expected, rtol=0, atol=PREDICTION_TOLERANCE)


@instruction_set
def test_predictions_are_identical_for_any_number_of_threads(threads, monkeypatch):
    params = with_biases(initial_parameters(6, 29))
    X = sparse_images(np.random.default_rng(6), 2000, 29)
    predict = prediction_entry(kernels.load("fused"), params)
    expected, of_few = predict(X), predict(X[:7])  # few images may take another path
    for number in (2, 3, 5):
        threads(number)
        assert_identical([predict(X)], [expected])
    monkeypatch.setattr(prediction, "MIN_IMAGES_PER_THREAD", 1)
    assert_identical([predict(X[:7])], [of_few])


@pytest.mark.parametrize("number", [1, 2, 3])
def test_predictor_can_be_called_from_two_threads(threads, number):
    predict = prediction_entry(kernels.load("fused"), with_biases(initial_parameters(6, 29)))
    X = [sparse_images(np.random.default_rng(seed), 1500, 29) for seed in (1, 2)]
    alone = [predict(images_of_one) for images_of_one in X]
    threads(number)

    def often(images_of_one):
        return [predict(images_of_one) for _ in range(10)], [predict(images_of_one[:1]) for _ in range(100)]

    for (all_of_one, first), expected in zip(run_concurrently(*(partial(often, one) for one in X)), alone, strict=True):
        for probs in all_of_one:
            np.testing.assert_array_equal(probs, expected)
        for probs in first:  # a single image is summed in another order
            np.testing.assert_array_equal(probs, first[0])
            np.testing.assert_allclose(probs, expected[:1], rtol=0, atol=PREDICTION_TOLERANCE)


def probabilities_of_logits(row):
    """Return the probabilities of a blank image whose logits are ``row``."""
    params = initial_parameters(1, 13, 7, len(row))._replace(b2=np.array(row, np.float32))
    X = np.zeros((5, 13), np.uint8)
    probs = prediction_entry(kernels.load("fused"), params)(X)
    np.testing.assert_array_equal(probs, probs[:1].repeat(5, axis=0))
    return probs[0]


@pytest.mark.parametrize("case", ROWS)
def test_probabilities_of_extreme_logits(case):
    # For a row that is not finite, the prediction falls back to the composed forward pass.
    np.testing.assert_allclose(probabilities_of_logits(ROWS[case].logits), ROWS[case].probs, rtol=2e-6)


@instruction_set
def test_probabilities_of_logits_at_limits_of_float32():
    assert probabilities_of_logits([3.4e38, -3.4e38]).tolist() == [1, 0]


@instruction_set
def test_nan_pixel_gives_nan_probabilities_for_its_image_only():
    params = with_biases(initial_parameters(6, 29))
    X = sparse_images(np.random.default_rng(6), 9, 29, np.float32)
    predict = prediction_entry(kernels.load("fused"), params)
    clean = predict(X)
    X[4, 3] = NAN
    probs = predict(X)
    assert np.isnan(probs[4]).all()
    others = np.arange(9) != 4
    np.testing.assert_array_equal(probs[others], clean[others])


@pytest.mark.parametrize("name", ["fused", "fused_dense"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("N", [1, 5])
def test_predict_rejects_images_of_another_width(name, dtype, N):
    contender = create(name)
    data = LabelledImages(np.zeros((4, 29), np.uint8), np.zeros(4, np.uint8))
    contender.prepare(initial_parameters(6, 29), data, Recipe("test"))
    for inputs in (28, 30, 58):
        with pytest.raises(DataError, match=f"images have {inputs} pixels; the network has 29 inputs"):
            contender.predict(np.zeros((N, inputs), dtype))


@pytest.mark.parametrize("N", [1, 3])
def test_predictions_of_noncontiguous_images_are_identical(N):
    rng = np.random.default_rng(5)
    predict = entries.predictor(with_biases(initial_parameters(0, 29, 20, 10)), PIXEL_SCALE, as_features)
    X = sparse_images(rng, N, 29)
    expected = predict(X)
    for view in (np.repeat(X, 2, axis=1)[:, ::2], X[:, ::-1].copy()[:, ::-1], np.asfortranarray(X)) * 2:
        np.testing.assert_array_equal(predict(view), expected)
    np.testing.assert_array_equal(predict(X), expected)
    for wrong in (X[0], X[np.newaxis], np.repeat(X, 2, axis=1)[:, ::2][np.newaxis]):
        with pytest.raises(DataError, match="one image per row"):
            predict(wrong)


def test_predictor_keeps_parameters_from_its_creation():
    params = with_biases(initial_parameters(6, 29))
    X = sparse_images(np.random.default_rng(6), 3, 29)
    predict = entries.predictor(params, PIXEL_SCALE, as_features)
    before = predict(X)
    for array in params:
        array += 1
    np.testing.assert_array_equal(predict(X), before)
    before[:] = 7  # changing a result must not affect the next one
    assert not np.any(predict(X) == 7)


@given(
    inputs=st.integers(1, 100),
    hidden=st.integers(1, 200),
    classes=st.integers(1, 20),
    max_panel_lanes=st.sampled_from([24, 64]),
    threads=st.integers(1, 9),
)
def test_shares_assign_each_weight_to_exactly_one_thread(inputs, hidden, classes, max_panel_lanes, threads):
    layout = Layout(inputs, hidden, classes, max_panel_lanes)
    partitions = thread_partitions(layout, threads)
    taken = np.zeros(layout.ends[-1], int)
    for start, end in partitions[:, MODEL_RANGES:].reshape(-1, 2):
        taken[start:end] += 1
    assert (taken == 1).all()
    assert (partitions[:, MODEL_RANGES:] % VECTOR == 0).all()
    for which, total in ((WEIGHT_ROWS, inputs), (UNITS, layout.hidden_lanes)):
        starts, ends = partitions[:, which].T
        assert (starts[0], ends[-1]) == (0, total)
        np.testing.assert_array_equal(starts[1:], ends[:-1])
