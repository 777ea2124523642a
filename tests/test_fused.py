"""The fused kernels' own parts and paths: lists of pixels, whole stretches, threads, predictions, and where they yield."""

import threading
from functools import partial

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
from nnkernels.kernels.fused import entries, prediction
from nnkernels.kernels.fused.nonzero import PADDING, NonzeroImages, pack_nonzero, unpack_nonzero
from nnkernels.kernels.stepwise import train_stepwise_inplace
from nnkernels.measure.oracle import predict_float64
from nnkernels.parameters import Parameters, copy, initial_parameters
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.transforms import PIXEL_SCALE, as_features, feature_scale

NAN, INF = np.nan, np.inf
TINY = np.finfo(np.float32).tiny
# As in test_training_entries: a few float32 steps, whose sums may be taken in another order.
TOLERANCE = 2e-6

RULES = {
    "sgd": (Optimizer("sgd"), 0.1),
    "momentum": (Optimizer("momentum", momentum=0.8), 0.02),
    "adam": (Optimizer("adam", beta_1=0.8, beta_2=0.99, epsilon=1e-3), 0.002),
}
# Each pair of numbers of lanes is compiled anew, so there are few: one panel that is nearly full, one that is mostly
# padding, several panels whose last one is short; one vector of classes and two.
NETWORKS = [(20, 10), (7, 3), (65, 10)]
FORMS = ("packed", "rows")


def in_form(form, X):
    return pack_nonzero(np.ascontiguousarray(X)) if form == "packed" else X


def sparse_images(rng, images, inputs, dtype=np.uint8, inked=0.3):
    """Return random images, of which so many pixels are nonzero."""
    X = rng.integers(1, 256, (images, inputs), np.uint8) * (rng.random((images, inputs)) < inked).astype(np.uint8)
    return X if dtype == np.uint8 else as_features(X, dtype)


def with_biases(params, seed=1):
    """Return parameters whose biases are other than zero."""
    rng = np.random.default_rng(seed)
    return params._replace(
        b1=rng.uniform(-0.3, 0.3, len(params.b1)).astype(np.float32),
        b2=rng.uniform(-0.5, 0.5, len(params.b2)).astype(np.float32),
    )


@pytest.fixture
def threads(monkeypatch):
    """A function that sets the number of threads, beyond the CPUs as well, which Numba itself would not allow."""

    def use(number):
        monkeypatch.setattr(numba, "get_num_threads", lambda: number)

    use(1)
    return use


# Lists of nonzero pixels

BYTES = st.sampled_from([0, 0, 0, 1, 7, 255])
REALS = st.sampled_from([0.0, 0.0, -0.0, 0.25, -1.0, NAN, INF, 1e-45])


@st.composite
def images(draw):
    """Draw images of bytes or floats: also none, blank ones and full ones, of widths that fill no vectors."""
    shape = draw(st.tuples(st.integers(0, 9), st.integers(1, 40)))
    dtype, elements = draw(st.sampled_from([(np.uint8, BYTES), (np.float32, REALS)]))
    kind = draw(st.sampled_from(["mixed", "mixed", "blank", "full"]))
    if kind == "mixed":
        return draw(hnp.arrays(dtype, shape, elements=elements))
    return np.full(shape, kind == "full", dtype)


@given(X=images())
@example(X=np.zeros((0, 784), np.uint8))
@example(X=np.full((3, 13), 255, np.uint8))
@example(X=np.full((2, 5), NAN, np.float32))
def test_lists_hold_the_nonzero_pixels_in_order_and_zeros_up_to_a_multiple_of_four(X):
    values, pixels, starts = pack_nonzero(X)
    assert (values.dtype, pixels.dtype, starts.dtype) == (X.dtype, np.uint16, np.int64)
    assert starts[0] == 0
    assert len(starts) == len(X) + 1
    assert len(values) == len(pixels) == starts[-1] + PADDING
    for n, image in enumerate(X):
        places = np.flatnonzero(image != 0)
        listed = slice(starts[n], starts[n + 1])
        filled = -(-len(places) // 4) * 4
        assert starts[n + 1] - starts[n] == filled
        extra = filled - len(places)
        np.testing.assert_array_equal(values[listed], [*image[places], *[0] * extra])
        assert pixels[listed].tolist() == [*places, *places[-1:].repeat(extra)]


@given(X=images())
def test_unpacking_gives_the_images_back(X):
    back = unpack_nonzero(pack_nonzero(X), X.shape[1])
    assert back.dtype == X.dtype
    np.testing.assert_array_equal(back, X)


def test_pixels_are_numbered_up_to_the_last_that_a_uint16_can_name():
    X = np.zeros((2, 2**16), np.uint8)
    X[0, [0, 9, 2**16 - 1]] = 1, 2, 3
    X[1, 2**16 - 8 :] = 5
    np.testing.assert_array_equal(unpack_nonzero(pack_nonzero(X), 2**16), X)
    assert pack_nonzero(X).pixels[2] == 2**16 - 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_are_listed_where_fewer_than_half_of_their_pixels_are_nonzero(dtype):
    X = np.zeros((10, 20), dtype)
    X[:, :9] = 1
    assert isinstance(entries.pack_images(X), NonzeroImages)
    X[:, 9] = 1
    assert entries.pack_images(X) is X


@pytest.mark.parametrize(
    "X", [np.zeros((3, 4)), np.zeros((0, 4), np.uint8), np.zeros((1, 2**16 + 1), np.uint8)], ids=["float64", "none", "wide"]
)
def test_images_that_cannot_be_listed_stay_as_they_are(X):
    assert entries.pack_images(X) is X


# Training against the composed functions of the reference backend


@st.composite
def trainings(draw, hidden, classes):
    """Draw the parts of a short training: parameters, state, images, labels, order, rates, batch size, rule."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs, count = draw(st.integers(1, 40)), draw(st.integers(1, 30))
    dtype = draw(st.sampled_from([np.uint8, np.float32, np.float64]))
    X = sparse_images(rng, count, inputs, dtype, draw(st.sampled_from([0.0, 0.2, 0.7, 1.0])))
    order = rng.integers(0, count, draw(st.integers(1, 40)))  # some repeated, some left out
    batch_size = draw(st.sampled_from([1, 2, 3, 7, 8, 9, 16, 64]))
    rule, first_rate = RULES[draw(st.sampled_from(sorted(RULES)))]
    rates = (first_rate * np.linspace(1, 0.3, -(-len(order) // batch_size))).astype(np.float32)
    start = with_biases(initial_parameters(int(rng.integers(1000)), inputs, hidden, classes))
    state = initial_state(start)
    if rule.name != "sgd":  # a training that goes on
        state.step[0] = 3
        for first, second in zip(state.first, state.second, strict=True):
            first[...] = rng.uniform(-0.01, 0.01, first.shape)
            second[...] = rng.uniform(0, 1e-4, second.shape) * (rule.name == "adam")
    return start, state, X, rng.integers(0, classes, count), order, rates, batch_size, rule


def copied(state):
    return OptimizerState(state.step.copy(), copy(state.first), copy(state.second))


def assert_close_training(found, expected, atol=TOLERANCE):
    """Compare (parameters, state) with (parameters, state)."""
    (params, state), (wanted, wanted_state) = found, expected
    for one, other in ((params, wanted), (state.first, wanted_state.first), (state.second, wanted_state.second)):
        for name, actual, array in zip(Parameters._fields, one, other, strict=True):
            assert actual.dtype == array.dtype
            np.testing.assert_allclose(actual, array, rtol=0, atol=atol, err_msg=name)
    assert state.step.tolist() == wanted_state.step.tolist()




def agree(training, form):
    start, state, X, y, order, rates, batch_size, rule = training
    if form == "packed" and X.dtype == np.float64:
        X = X.astype(np.float32)
    expected, expected_state = copy(start), copied(state)
    arguments = y, order, rates, batch_size, feature_scale(X), update_rule(rule)
    numpy = kernels.load("numpy")
    train_stepwise_inplace(numpy, expected, expected_state, X, *arguments)
    params, after = copy(start), copied(state)
    entries.train_inplace(params, after, in_form(form, X), *arguments)
    assert_close_training((params, after), (expected, expected_state))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("hidden", "classes"), NETWORKS)
@given(data=st.data())
def test_a_stretch_equals_the_reference_functions_called_one_by_one(hidden, classes, form, data):
    agree(data.draw(trainings(hidden, classes)), form)


# Of the same lanes as the networks above, so nothing new is compiled; or nearly so.
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15)
@given(data=st.data())
def test_units_and_classes_fill_their_lanes_to_any_part(form, data):
    hidden, most = data.draw(st.sampled_from([(1, 8), (7, 8), (8, 8), (24, 16)]))
    classes = data.draw(st.integers(1, 8) if most == 8 else st.integers(9, 12))
    agree(data.draw(trainings(hidden, classes)), form)


@pytest.mark.parametrize("hidden", [33, 64, 130])
@settings(max_examples=8)
@given(data=st.data())
def test_wide_hidden_layers_are_cut_into_panels(hidden, data):
    agree(data.draw(trainings(hidden, 10)), "packed")
