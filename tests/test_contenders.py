"""Every installed contender implements the protocol correctly."""

from contextlib import closing

import numpy as np
import pytest

from nnkernels import contenders, kernels
from nnkernels.contenders import create_anywhere as create
from nnkernels.data import LabelledImages
from nnkernels.errors import DataError, MissingDependencyError, UnknownNameError
from nnkernels.kernels import numba_kernels
from nnkernels.kernels.fused.first_layers import first_layer_of
from nnkernels.kernels.fused.training import training_kernel
from nnkernels.kernels.stepwise import image_packer
from nnkernels.parameters import copy, initial_parameters, max_abs_difference
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.transforms import as_features
from tests.forms import INSTALLED, TRACED, TRAINABLE, slow_if_traced

IMAGES, BATCH_SIZE = 112, 32  # three and a half batches
# For a few float32 steps on the same numbers, possibly with another order of summation.
TOLERANCE = 2e-6
RECIPE = Recipe("test", batch_size=BATCH_SIZE)
# Keras' fit has to know at `prepare` whether the learning rate will change.
CHANGING = RECIPE.with_changes(schedule="linear")
RATES = np.full(4, 0.1, np.float32)

# `test_each_training_call_matches_the_reference` and others also cover the subjects of these tests.
each_slow_if_traced = pytest.mark.parametrize("contender", slow_if_traced(TRAINABLE), indirect=True)


@pytest.fixture(scope="module")
def data(small_digits):
    return LabelledImages(small_digits.X_train[:IMAGES], small_digits.y_train[:IMAGES])


@pytest.fixture
def start():
    return initial_parameters(4, hidden=RECIPE.hidden)


@pytest.fixture
def order():
    return np.random.default_rng(9).permutation(IMAGES)


@pytest.fixture(params=TRAINABLE)
def contender(request):
    """Each installed contender that trains, new, and closed at the end of the test."""
    with closing(create(request.param)) as made:
        yield made


@pytest.fixture(params=INSTALLED)
def predictor(request):
    """Each installed contender in turn, whether it trains or not."""
    with closing(create(request.param)) as made:
        yield made


def trained(contender, start, data, order, rates=RATES, recipe=RECIPE):
    """Prepare, advance once, and return the parameters."""
    contender.prepare(start, data, recipe)
    contender.advance(order, rates)
    return contender.parameters()


def test_prepare_copies_the_start_parameters_unchanged(predictor, start, data):
    original = copy(start)
    predictor.prepare(start, data, RECIPE)
    found = predictor.parameters()
    for actual, expected in zip(found, original, strict=True):
        assert actual.dtype == np.float32
        np.testing.assert_array_equal(actual, expected)
    for array in (*start, *predictor.parameters()):
        array += 1
    assert max_abs_difference(predictor.parameters(), original) == 0


def test_training_leaves_its_inputs_unchanged_and_returns_copies(contender, start, data, order, small_digits):
    given = (*start, order, RATES.copy())
    originals = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    assert not data.X.flags.writeable
    contender.prepare(start, data, RECIPE)
    contender.predict(small_digits.X_test[:37])  # it may cache data of the start
    contender.advance(order, given[-1])
    first = contender.parameters()
    assert max_abs_difference(first, trained(create("numpy"), start, data, order)) <= TOLERANCE
    assert_predictions_match_reference(contender, small_digits.X_test[:37])
    for array, before in zip(given, originals, strict=True):
        np.testing.assert_array_equal(array, before)
    before = copy(first)
    for array in contender.parameters():
        array += 1
    assert max_abs_difference(contender.parameters(), before) == 0
    contender.advance(order, RATES)  # further training does not change what was returned
    assert max_abs_difference(first, before) == 0


@pytest.mark.parametrize("name", ["numba", "fused", "fused_dense"])
def test_read_only_arrays_cause_no_recompilation(name, start, data, order):
    compiled = numba_kernels.train_inplace
    if name != "numba":
        layer = first_layer_of(image_packer(kernels.load(name))(data.X))
        layout = layer.layout(start)
        compiled = training_kernel(layer, layout.panel, layout.class_lanes, True)
    writable = LabelledImages(data.X.copy(), data.y.copy())
    assert writable.X.flags.writeable
    expected = trained(create(name), start, writable, order)
    before = len(compiled.signatures)
    assert before
    given, rates = order.copy(), RATES.copy()
    given.flags.writeable = rates.flags.writeable = False
    assert max_abs_difference(trained(create(name), start, data, given, rates), expected) == 0
    assert len(compiled.signatures) == before


@each_slow_if_traced
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_prepare_resets_parameters_and_optimizer_state(contender, start, data, order, optimizer):
    # Remaining moments of the optimizer would change the result.
    recipe = RECIPE.with_changes(optimizer=Optimizer(optimizer))
    rates = np.full(4, 0.01, np.float32)
    first = trained(contender, start, data, order, rates, recipe)
    again = trained(contender, start, data, order, rates, recipe)
    assert max_abs_difference(first, again) <= TOLERANCE


@pytest.mark.parametrize(
    ("optimizer", "contender"),
    [("adam", name) for name in TRAINABLE]
    + [(other, name) for other in ("sgd", "momentum") for name in TRAINABLE if name not in TRACED]
    + [pytest.param(other, name, marks=pytest.mark.slow) for other in ("sgd", "momentum") for name in TRACED],
    indirect=["contender"],
)
def test_training_in_two_calls_equals_training_in_one(contender, start, data, order, optimizer):
    recipe = RECIPE.with_changes(optimizer=Optimizer(optimizer))
    rates = np.full(4, 0.01, np.float32)
    whole = trained(contender, start, data, order, rates, recipe)
    contender.prepare(start, data, recipe)
    cut = 2
    contender.advance(order[: cut * BATCH_SIZE], rates[:cut])
    contender.advance(order[cut * BATCH_SIZE :], rates[cut:])
    assert max_abs_difference(contender.parameters(), whole) <= TOLERANCE


def test_each_training_call_matches_the_reference(contender, start, data, order):
    # Covers in a single test what the tests below check one by one.
    reference = create("numpy")
    X = data.X.copy()
    X[100:104] = 0
    for each in (contender, reference):
        each.prepare(start, LabelledImages(X, data.y), CHANGING)
    # With a blank image each hidden unit is at exactly 0, where the kernels' derivative of ReLU is 0.
    assert not start.b1.any()
    contender.advance(np.arange(100, 104), np.full(1, 0.05, np.float32))
    reference.advance(np.arange(100, 104), np.full(1, 0.05, np.float32))
    np.testing.assert_array_equal(contender.parameters().b1, start.b1)
    assert contender.parameters().b2.any()
    calls = {
        "only the first batch has a learning rate": (order, [0.05, 0, 0, 0]),
        "only the short last batch has a learning rate": (order, [0, 0, 0, 0.05]),
        "each batch has a different learning rate": (order[::-1], [0.05, 0.02, 0.04, 0.01]),
        "some of the images": (order[20:84], [0.01, 0.03]),
        "an image twice": (order[[3, 3, 8, 90]], [0.04]),
        "a short batch alone": (order[96:], [0.05]),
        "all images in the order in which they are stored": (np.arange(IMAGES), [0.05] * 4),
        "more than an epoch": (np.concatenate([order, order[::-1]]), [0.05] * 7),
    }
    for what, (images, rates) in calls.items():
        before = reference.parameters()
        for each in (contender, reference):
            each.advance(images.copy(), np.array(rates, np.float32))
        assert max_abs_difference(reference.parameters(), before) > 100 * TOLERANCE, what
        assert max_abs_difference(contender.parameters(), reference.parameters()) <= TOLERANCE, what
    assert isinstance(contender, contenders.ReplacesImages)
    others = np.ascontiguousarray(X[::-1])
    reference.prepare(reference.parameters(), LabelledImages(others, data.y), CHANGING)
    contender.replace_images(others)
    for each in (contender, reference):
        each.advance(order, RATES)
    assert max_abs_difference(contender.parameters(), reference.parameters()) <= TOLERANCE, "other images"
    assert isinstance(contender, contenders.ReplacesParameters)
    contender.replace_parameters(start)
    assert max_abs_difference(contender.parameters(), start) == 0
    assert_predictions_match_reference(contender, X)
    reference.replace_parameters(start)
    for each in (contender, reference):
        each.advance(order, RATES)
    assert max_abs_difference(contender.parameters(), reference.parameters()) <= TOLERANCE, "other parameters"


@each_slow_if_traced
def test_training_follows_the_given_order(contender, start, data, order):
    given = trained(contender, start, data, order)
    # Images stored in that order give the same parameters; the reversed order gives different ones.
    stored = LabelledImages(data.X[order], data.y[order])
    assert max_abs_difference(trained(contender, start, stored, np.arange(IMAGES)), given) <= TOLERANCE
    assert max_abs_difference(trained(contender, start, data, order[::-1].copy()), given) > 100 * TOLERANCE


@each_slow_if_traced
def test_only_images_in_the_order_are_trained_on(contender, start, data, order):
    chosen = order[: 2 * BATCH_SIZE]
    expected = trained(contender, start, LabelledImages(data.X[chosen], data.y[chosen]), np.arange(64), RATES[:2])
    assert max_abs_difference(trained(contender, start, data, chosen, RATES[:2]), expected) <= TOLERANCE


@each_slow_if_traced
def test_short_last_batch_is_trained_on(contender, start, data, order):
    without = trained(contender, start, data, order[:96], RATES[:3])
    contender.advance(order[96:], RATES[3:])
    short = contender.parameters()
    assert max_abs_difference(short, without) > 100 * TOLERANCE
    assert max_abs_difference(trained(contender, start, data, order), short) <= TOLERANCE


@each_slow_if_traced
def test_each_batch_uses_its_own_learning_rate(contender, start, data, order):
    first_batch_only = trained(contender, start, data, order[:BATCH_SIZE], RATES[:1], CHANGING)
    rates = np.array([0.1, 0, 0, 0], np.float32)
    assert max_abs_difference(trained(contender, start, data, order, rates, CHANGING), first_batch_only) <= TOLERANCE
    last_batch_only = trained(contender, start, data, order[96:], RATES[3:], CHANGING)
    rates = np.array([0, 0, 0, 0.1], np.float32)
    assert max_abs_difference(trained(contender, start, data, order, rates, CHANGING), last_batch_only) <= TOLERANCE


@each_slow_if_traced
def test_step_is_proportional_to_the_learning_rate(contender, start, data, order):
    batch = order[:BATCH_SIZE]
    single = trained(contender, start, data, batch, np.array([0.05], np.float32))
    double = trained(contender, start, data, batch, np.array([0.1], np.float32))
    for once, twice, origin in zip(single, double, start, strict=True):
        np.testing.assert_allclose(twice - origin, 2 * (once - origin), rtol=0, atol=TOLERANCE)


@each_slow_if_traced
def test_later_training_calls_use_their_own_learning_rates(contender, start, data, order):
    rates = CHANGING.with_changes(epochs=2).learning_rates(0, IMAGES)
    whole = trained(contender, start, data, order, rates, CHANGING)
    contender.prepare(start, data, CHANGING)
    contender.advance(order[:64], rates[:2])
    contender.advance(order[64:], rates[2:])
    assert max_abs_difference(contender.parameters(), whole) <= TOLERANCE


def test_predict_returns_probabilities_of_current_parameters(predictor, start, data, small_digits):
    rng = np.random.default_rng(6)
    biased = start._replace(b1=rng.random(RECIPE.hidden, np.float32) - 0.5, b2=rng.random(10, np.float32))
    predictor.prepare(biased, data, RECIPE)
    assert_predictions_match_reference(predictor, small_digits.X_test[:37])
    assert_predictions_match_reference(predictor, small_digits.X_train[:1100])
    X = small_digits.X_test[:37]
    from_bytes = np.asarray(predictor.predict(X))
    np.testing.assert_allclose(predictor.predict(as_features(X)), from_bytes, rtol=0, atol=TOLERANCE)
    # A single image, as in a single request.
    np.testing.assert_allclose(predictor.predict(X[:1]), from_bytes[:1], rtol=0, atol=TOLERANCE)


def assert_predictions_match_reference(contender, X):
    """Compare predictions with those of the reference kernels for the contender's current parameters."""
    probs = np.asarray(contender.predict(X))
    assert probs.shape == (len(X), 10)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=0, atol=1e-5)
    own = copy(contender.parameters())
    expected = kernels.load("numpy").forward(own, as_features(X)).probs
    np.testing.assert_allclose(probs, expected, rtol=0, atol=TOLERANCE)


def test_training_on_features_equals_training_on_bytes(contender, start, data, order):
    from_bytes = trained(create("numpy"), start, data, order)  # all contenders agree with it
    features = LabelledImages(as_features(data.X), data.y)
    assert max_abs_difference(trained(contender, start, features, order), from_bytes) <= TOLERANCE


def test_prepare_rejects_label_outside_the_classes(contender, start, data):
    y = data.y.astype(np.int64)
    for label in (10, 256, 2**32, 2**32 + 1):
        y[5] = label
        with pytest.raises(DataError, match=f"a label is {label}; the network has 10 classes"):
            contender.prepare(start, LabelledImages(data.X, y), RECIPE)


# Discovery


def test_each_backend_is_a_contender_of_the_same_name():
    assert contenders.names()[: len(kernels.names())] == kernels.names()


@pytest.mark.parametrize("name", contenders.names())
def test_each_contender_has_a_description_and_an_extra_for_its_packages(name):
    found = contenders.entry(name)
    assert found.description
    assert bool(found.packages) == bool(found.extra), "an entry with packages names the extra that installs them"


@pytest.mark.parametrize("name", INSTALLED)
def test_contender_flags_are_booleans(name):
    found = create(name)
    assert isinstance(found.whole_epochs_only, bool)
    assert isinstance(found.threads_can_change, bool)


@pytest.mark.parametrize("name", INSTALLED)
def test_close_is_safe_at_any_time(name, start, data):
    # Cleaning up after a failed `prepare` must not raise a second error.
    create(name).close()
    used = create(name)
    used.prepare(start, data, RECIPE)
    used.close()
    used.close()


@pytest.mark.parametrize("look_up", [contenders.create, contenders.entry, contenders.is_installed])
def test_unknown_contender_error_lists_the_known_ones(look_up):
    with pytest.raises(UnknownNameError, match=r"unknown contender 'pytorhc'; expected one of: numpy, "):
        look_up("pytorhc")


@pytest.mark.parametrize("name", [name for name in contenders.names() if contenders.entry(name).packages])
def test_missing_package_error_names_package_and_extra(name, monkeypatch):
    found = contenders.entry(name)
    monkeypatch.setattr(contenders, "find_spec", lambda package: None)
    assert not contenders.is_installed(name)
    with pytest.raises(MissingDependencyError) as caught:
        contenders.create(name)
    message = str(caught.value)
    assert name in message
    assert found.packages[0] in message
    assert f"pip install 'nnkernels[{found.extra}]'" in message


def test_own_backends_need_no_optional_package(monkeypatch):
    monkeypatch.setattr(contenders, "find_spec", lambda package: None)
    for name in kernels.names():
        assert contenders.is_installed(name)
        contenders.create(name).close()
