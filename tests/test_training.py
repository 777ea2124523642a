"""The training loop: what it hands to contenders, what it records, and that something is learnt."""

import math

import numpy as np
import pytest

from nnkernels import contenders
from nnkernels.data import Dataset
from nnkernels.parameters import copy, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import EVALUATION_BATCH, batch_order, evaluate, train
from nnkernels.transforms import as_features
from tests import reference

RECIPE = Recipe("test", epochs=3, learning_rate=0.2)


class Recorder:
    """A contender that learns nothing and notes what it is asked."""

    whole_epochs_only = False
    threads_can_change = True

    def prepare(self, parameters, data, recipe):
        self.start, self.data, self.recipe, self.stretches = parameters, data, recipe, []

    def advance(self, order, learning_rates):
        self.stretches.append((order.copy(), learning_rates.copy()))

    def parameters(self):
        return copy(self.start)


def probabilities(params, X):
    """Return the probabilities in the most direct float64 NumPy."""
    W1, b1, W2, b2 = (np.asarray(array, np.float64) for array in params)
    scores = np.exp(np.maximum(X / 255.0 @ W1 + b1, 0) @ W2 + b2)
    return scores / scores.sum(axis=1, keepdims=True)


# The order of the images


@pytest.mark.parametrize("images", [1, 7, 2304])
def test_order_is_a_permutation(images):
    order = batch_order(3, 0, images)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(images))


def test_order_depends_on_seed_and_epoch_alone():
    np.testing.assert_array_equal(batch_order(3, 1, 500), batch_order(3, 1, 500))
    assert not np.array_equal(batch_order(3, 1, 500), batch_order(3, 2, 500))
    assert not np.array_equal(batch_order(3, 1, 500), batch_order(4, 1, 500))


def test_contenders_get_the_same_start_data_order_and_learning_rates(small_digits):
    recipe = RECIPE.with_changes(schedule="linear", hidden=6)
    first, second = Recorder(), Recorder()
    for recorder in (first, second):
        train("recorder", recorder, small_digits, recipe, seed=5, evaluate_every_epoch=False)
    expected_start = initial_parameters(5, hidden=6)
    for epoch in range(recipe.epochs):
        for recorder in (first, second):
            order, learning_rates = recorder.stretches[epoch]
            np.testing.assert_array_equal(order, batch_order(5, epoch, len(small_digits.X_train)))
            np.testing.assert_array_equal(learning_rates, recipe.learning_rates(epoch, len(small_digits.X_train)))
    for recorder in (first, second):
        assert len(recorder.stretches) == recipe.epochs
        assert recorder.recipe is recipe
        np.testing.assert_array_equal(recorder.data.X, small_digits.X_train)
        np.testing.assert_array_equal(recorder.data.y, small_digits.y_train)
        for given, expected in zip(recorder.start, expected_start, strict=True):
            np.testing.assert_array_equal(given, expected)


# The history


def test_history_says_what_was_trained(small_digits):
    contender = contenders.create("numpy")
    history = train("a name", contender, small_digits, RECIPE, seed=2)
    assert (history.contender, history.recipe, history.seed) == ("a name", "test", 2)
    assert history.dataset == small_digits.name
    assert [record.epoch for record in history.epochs] == [1, 2, 3]


def test_history_equals_what_the_predictions_give(small_digits):
    contender = contenders.create("numpy")
    record = train("numpy", contender, small_digits, RECIPE).epochs[-1]
    for X, y, loss, error_rate in (
        (small_digits.X_train, small_digits.y_train, record.train_loss, record.train_error_rate),
        (small_digits.X_test, small_digits.y_test, record.test_loss, record.test_error_rate),
    ):
        probs = contender.predict(X)
        assert error_rate == np.mean(probs.argmax(axis=1) != y)
        true_class = probs[np.arange(len(y)), y].astype(np.float64)
        assert loss == pytest.approx(-np.log(true_class).mean(), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in contenders.names() if contenders.is_installed(name)])
def test_everybody_learns(name, small_digits):
    # Chance is an error rate of 0.9. Five epochs on 2,304 digits leave about 0.1.
    contender = contenders.create(name)
    history = train(name, contender, small_digits, RECIPE.with_changes(epochs=5))
    contender.close()
    first, last = history.epochs[0], history.epochs[-1]
    assert last.train_error_rate < 0.15
    assert last.test_error_rate < 0.25
    assert last.train_loss < first.train_loss


def test_contenders_learn_the_same(small_digits):
    errors = {}
    for name in contenders.names():
        if contenders.is_installed(name):
            contender = contenders.create(name)
            errors[name] = train(name, contender, small_digits, RECIPE).epochs[-1]
            contender.close()
    expected = errors.pop("numpy")
    for name, record in errors.items():
        assert record.train_loss == pytest.approx(expected.train_loss, rel=1e-2), name
        assert record.test_error_rate == pytest.approx(expected.test_error_rate, abs=0.01), name


def test_same_seed_same_training_other_seed_another(small_digits):
    first, again, other = (
        train("numpy", contenders.create("numpy"), small_digits, RECIPE.with_changes(epochs=1), seed=seed).epochs[0]
        for seed in (1, 1, 2)
    )
    assert first.train_loss == again.train_loss
    assert first.train_loss != other.train_loss


def test_callbacks_get_each_record_in_order(small_digits):
    seen, counted = [], []
    callbacks = (seen.append, lambda record: counted.append(record.epoch))
    history = train("recorder", Recorder(), small_digits, RECIPE, callbacks=callbacks)
    assert len(seen) == 3
    for record, given in zip(history.epochs, seen, strict=True):
        assert given is record
    assert counted == [1, 2, 3]


def test_evaluation_can_wait_for_the_end(small_digits):
    seen = []
    whole = train("numpy", contenders.create("numpy"), small_digits, RECIPE)
    last = train(
        "numpy", contenders.create("numpy"), small_digits, RECIPE, callbacks=[seen.append], evaluate_every_epoch=False
    )
    assert [record.epoch for record in last.epochs] == [3]
    assert seen == last.epochs
    assert last.epochs[0].test_loss == whole.epochs[-1].test_loss
    assert last.epochs[0].train_error_rate == whole.epochs[-1].train_error_rate


def test_history_becomes_a_table(small_digits):
    pytest.importorskip("pandas")
    history = train("recorder", Recorder(), small_digits, RECIPE)
    table = history.to_frame()
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table["test_error_rate"].tolist() == [record.test_error_rate for record in history.epochs]


# Evaluation


def test_evaluate_equals_scikit_learn(digits):
    metrics = pytest.importorskip("sklearn.metrics")
    params = initial_parameters(3)
    # Three parts of the evaluation, the last of them short.
    images = min(2 * EVALUATION_BATCH + 100, len(digits.X_train))
    X, y = digits.X_train[:images], digits.y_train[:images]
    loss, error_rate = evaluate(params, X, y)
    probs = probabilities(params, X)
    assert loss == pytest.approx(metrics.log_loss(y, probs, labels=range(10)), rel=1e-6)
    assert error_rate == pytest.approx(1 - metrics.accuracy_score(y, probs.argmax(axis=1)), abs=1e-12)


@pytest.mark.parametrize("images", [1, EVALUATION_BATCH - 1, EVALUATION_BATCH, EVALUATION_BATCH + 1])
def test_evaluate_weighs_each_image_alike(images):
    # A short last part counts by its images, not as a part.
    rng = np.random.default_rng(1)
    params = initial_parameters(0, 5, 4, 3, np.float64)
    X, y = rng.random((images, 5)), rng.integers(0, 3, images)
    loss, error_rate = evaluate(params, X, y)
    lists = tuple(array.tolist() for array in params)
    _Z1, _A1, logits, probs = reference.forward(lists, X.tolist())
    assert loss == pytest.approx(reference.loss(logits, y.tolist()), rel=1e-12)
    wrong = sum(row.index(max(row)) != label for row, label in zip(probs, y.tolist(), strict=True))
    assert error_rate == wrong / images


def test_evaluate_of_diverged_parameters_is_nan_and_not_a_good_score(small_digits):
    params = initial_parameters(0)
    params.W2[:] = np.nan
    loss, _error_rate = evaluate(params, small_digits.X_test, small_digits.y_test)
    assert math.isnan(loss)


def test_evaluate_of_bytes_and_of_features_agrees(small_digits):
    params = initial_parameters(0)
    of_bytes = evaluate(params, small_digits.X_test, small_digits.y_test)
    of_features = evaluate(params, as_features(small_digits.X_test), small_digits.y_test)
    assert of_bytes == pytest.approx(of_features, rel=1e-6)


def test_validation_images_are_taken_from_the_training_images(small_digits):
    split = small_digits.validation_split()
    assert isinstance(split, Dataset)
    assert len(split.X_test) == 2304 // 6
    np.testing.assert_array_equal(np.concatenate([split.X_train, split.X_test]), small_digits.X_train)
    np.testing.assert_array_equal(np.concatenate([split.y_train, split.y_test]), small_digits.y_train)
