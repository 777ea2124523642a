"""The training loop: inputs of the contenders, recorded history, callbacks, resuming and evaluation."""

import math
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest

from nnkernels import contenders, kernels, training
from nnkernels.augmentation import Augmentation
from nnkernels.data import Dataset, LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.evaluation import EVALUATION_BATCH, evaluate
from nnkernels.parameters import copy, initial_parameters, max_abs_difference
from nnkernels.recipes import Recipe
from nnkernels.training import batch_order, continue_training, recipe_images, train
from nnkernels.transforms import as_features, augment, deskew
from tests import reference
from tests.forms import TRACED, TRAINABLE, slow_if_traced

RECIPE = Recipe("test", epochs=3, learning_rate=0.2)


class Recorder:
    """A contender that learns nothing and records its calls."""

    whole_epochs_only = False
    threads_can_change = True

    def prepare(self, parameters, data, recipe):
        self.start, self.data, self.recipe, self.stretches = parameters, data, recipe, []

    def advance(self, order, learning_rates):
        self.stretches.append((order.copy(), learning_rates.copy()))

    def parameters(self):
        return copy(self.start)


def values_without_seconds(history):
    """Return the values of the records except the seconds, which are not reproducible."""
    return [
        (
            record.epoch,
            record.train_loss,
            record.train_error_rate,
            record.validation_loss,
            record.validation_error_rate,
        )
        for record in history.epochs
    ]


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
        train(recorder, small_digits.training, recipe, seed=5, evaluate_every=0)
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


def test_given_start_is_used(small_digits):
    # Its hidden width, other than the recipe's, is used as well.
    start, recorder = initial_parameters(9, hidden=7), Recorder()
    train(recorder, small_digits.training, RECIPE, seed=5, start=start)
    assert recorder.start is start
    np.testing.assert_array_equal(recorder.stretches[0][0], batch_order(5, 0, len(small_digits.X_train)))


def test_training_accepts_any_number_of_features():
    rng = np.random.default_rng(3)
    data = LabelledImages(rng.random((40, 12), np.float32), rng.integers(0, 10, 40))
    contender = contenders.create("numpy")
    train(contender, data, RECIPE)
    assert contender.parameters().W1.shape == (12, 20)


@pytest.mark.parametrize("name", TRAINABLE)
def test_training_without_images_is_rejected(name, small_digits):
    nothing = LabelledImages(small_digits.X_train[:0], small_digits.y_train[:0])
    with closing(contenders.create_anywhere(name)) as contender, pytest.raises(DataError, match="no training images"):
        train(contender, nothing, RECIPE)


# The history


def test_history_contains_recipe_seed_and_epochs(small_digits):
    contender = contenders.create("numpy")
    history = train(contender, small_digits.training, RECIPE, seed=2)
    assert history.recipe is RECIPE
    assert (history.seed, history.images) == (2, 2304)
    assert [record.epoch for record in history.epochs] == [1, 2, 3]
    assert history.epochs_done == 3


def test_history_agrees_with_predictions(small_digits):
    contender = contenders.create("numpy")
    record = train(contender, small_digits.training, RECIPE, validation=small_digits.test).epochs[-1]
    for X, y, loss, error_rate in (
        (small_digits.X_train, small_digits.y_train, record.train_loss, record.train_error_rate),
        (small_digits.X_test, small_digits.y_test, record.validation_loss, record.validation_error_rate),
    ):
        probs = contender.predict(X)
        assert error_rate == np.mean(probs.argmax(axis=1) != y)
        true_class = probs[np.arange(len(y)), y].astype(np.float64)
        assert loss == pytest.approx(-np.log(true_class).mean(), rel=1e-5)


def test_validation_values_are_nan_without_validation_images(small_digits):
    record = train(Recorder(), small_digits.training, RECIPE).epochs[-1]
    assert math.isnan(record.validation_loss)
    assert math.isnan(record.validation_error_rate)
    assert math.isfinite(record.train_loss)


def five_epochs(name, small_digits):
    with closing(contenders.create_anywhere(name)) as contender:
        return train(contender, small_digits.training, RECIPE.with_changes(epochs=5), validation=small_digits.test)


@pytest.fixture(scope="module")
def history_of_numpy(small_digits):
    return five_epochs("numpy", small_digits)


# Tracing takes seconds: tests/test_gate.py and test_contenders.py check every step of the traced contenders.
@pytest.mark.parametrize("name", [name for name in TRAINABLE if name not in TRACED])
def test_all_contenders_learn_and_agree_with_numpy(name, small_digits, history_of_numpy):
    # Guessing has an error rate of 0.9; five epochs on 2,304 digits reach about 0.1.
    history = five_epochs(name, small_digits)
    first, third, last = (history.epochs[epoch] for epoch in (0, 2, 4))
    assert last.train_error_rate < 0.15
    assert last.validation_error_rate < 0.25
    assert last.train_loss < first.train_loss
    expected = history_of_numpy.epochs[2]
    assert third.train_loss == pytest.approx(expected.train_loss, rel=1e-2)
    assert third.validation_error_rate == pytest.approx(expected.validation_error_rate, abs=0.01)


def test_same_seed_gives_same_training_and_other_seed_another(small_digits):
    first, again, other = (
        train(contenders.create("numpy"), small_digits.training, RECIPE.with_changes(epochs=1), seed=seed).epochs[0]
        for seed in (1, 1, 2)
    )
    assert first.train_loss == again.train_loss
    assert first.train_loss != other.train_loss


@pytest.mark.parametrize(("evaluate_every", "expected"), [(1, [3, 3, 3, 3, 3]), (2, [6, 6, 3]), (0, [15])])
def test_seconds_exclude_evaluation_and_callbacks(small_digits, monkeypatch, evaluate_every, expected):
    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    class Slow(Recorder):
        def advance(self, order, learning_rates):
            clock.now += 3  # the training
            super().advance(order, learning_rates)

        def parameters(self):
            clock.now += 100  # evaluation and everything else that is not training
            return super().parameters()

    clock = Clock()
    monkeypatch.setattr(training, "time", clock)

    def slow_callback(history, contender):
        clock.now += 1000

    history = train(
        Slow(),
        small_digits.training,
        RECIPE.with_changes(epochs=5),
        callbacks=[slow_callback],
        evaluate_every=evaluate_every,
    )
    assert [record.seconds for record in history.epochs] == expected
    assert history.seconds == 15


# When to evaluate


@pytest.mark.parametrize(
    ("evaluate_every", "expected"),
    [(1, [1, 2, 3, 4, 5, 6, 7]), (2, [2, 4, 6, 7]), (3, [3, 6, 7]), (7, [7]), (50, [7]), (0, [7])],
)
def test_evaluate_every_is_obeyed_and_last_epoch_is_always_evaluated(small_digits, evaluate_every, expected):
    called = []
    history = train(
        Recorder(),
        small_digits.training,
        RECIPE.with_changes(epochs=7),
        callbacks=[lambda history, contender: called.append(history.epochs_done)],
        evaluate_every=evaluate_every,
    )
    assert [record.epoch for record in history.epochs] == expected
    assert called == expected


def test_evaluation_does_not_affect_training(small_digits):
    often, once = (
        train(
            contenders.create("numpy"),
            small_digits.training,
            RECIPE,
            validation=small_digits.test,
            evaluate_every=evaluate_every,
        )
        for evaluate_every in (1, 0)
    )
    assert values_without_seconds(once) == values_without_seconds(often)[-1:]


# Callbacks


def test_callbacks_get_the_history_so_far_and_the_contender(small_digits):
    seen, recorder = [], Recorder()
    callbacks = (
        lambda history, contender: seen.append(("first", history, len(history.epochs), contender)),
        lambda history, contender: seen.append(("second", history, len(history.epochs), contender)),
    )
    history = train(recorder, small_digits.training, RECIPE, callbacks=callbacks)
    assert [(who, records) for who, _history, records, _contender in seen] == [
        (who, records) for records in (1, 2, 3) for who in ("first", "second")
    ]
    for _who, given, _records, contender in seen:
        assert given is history
        assert contender is recorder


def test_a_callback_sees_the_parameters_of_its_epoch(small_digits):
    snapshots = []
    contender = contenders.create("numpy")
    train(
        contender,
        small_digits.training,
        RECIPE,
        callbacks=[lambda history, contender: snapshots.append(contender.parameters())],
    )
    assert max_abs_difference(snapshots[-1], contender.parameters()) == 0
    shorter = contenders.create("numpy")
    train(shorter, small_digits.training, RECIPE.with_changes(epochs=1))
    assert max_abs_difference(snapshots[0], shorter.parameters()) == 0


def test_callbacks_may_come_from_a_generator(small_digits):
    called = []
    train(
        Recorder(),
        small_digits.training,
        RECIPE,
        callbacks=(lambda history, contender, name=name: called.append(name) for name in "ab"),
    )
    assert called == list("ababab")


@pytest.mark.parametrize("true", [True, 1, "enough", SimpleNamespace()])
def test_truthy_result_of_callback_stops_training(small_digits, true):
    recorder = Recorder()
    history = train(
        recorder,
        small_digits.training,
        RECIPE,
        callbacks=[lambda history, contender: true if history.epochs_done == 2 else None],
    )
    assert history.epochs_done == 2
    assert len(recorder.stretches) == 2


@pytest.mark.parametrize("false", [None, False, 0, ""])
def test_falsy_result_of_callback_does_not_stop_training(small_digits, false):
    history = train(Recorder(), small_digits.training, RECIPE, callbacks=[lambda history, contender: false])
    assert history.epochs_done == RECIPE.epochs


def test_all_callbacks_are_called_even_if_one_stops_training(small_digits):
    called = []

    def end(history, contender):
        called.append("end")
        return True

    def note(history, contender):
        called.append("note")

    train(Recorder(), small_digits.training, RECIPE, callbacks=[note, end, note])
    assert called == ["note", "end", "note"]


def test_an_error_in_a_callback_is_not_swallowed(small_digits):
    def broken(history, contender):
        raise ZeroDivisionError("of the callback")

    with pytest.raises(ZeroDivisionError, match="of the callback"):
        train(Recorder(), small_digits.training, RECIPE, callbacks=[broken])


# Deskewed and distorted images


DISTORTED = RECIPE.with_changes(augmentation=Augmentation(rotation_radians=0.2, shift_pixels=2))


class ImageRecorder(Recorder):
    """A contender that also records the images of each epoch."""

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        self.images = []

    def replace_images(self, X):
        self.images.append(X.copy())


def test_each_epoch_is_distorted_anew_from_the_original_images(small_digits):
    recorder = ImageRecorder()
    original = small_digits.X_train.copy()
    train(recorder, small_digits.training, DISTORTED, seed=5, evaluate_every=0)
    assert len(recorder.images) == DISTORTED.epochs
    for epoch, images in enumerate(recorder.images):
        np.testing.assert_array_equal(images, augment(original, DISTORTED.augmentation, seed=5, epoch=epoch))
    np.testing.assert_array_equal(small_digits.X_train, original)


def test_training_on_distorted_images_equals_training_on_each_epochs_images_by_hand(small_digits):
    trained, by_hand = (contenders.create("numpy") for _ in range(2))
    history = train(trained, small_digits.training, DISTORTED, seed=5, validation=small_digits.test)
    params = initial_parameters(5, hidden=DISTORTED.hidden)
    for epoch in range(DISTORTED.epochs):
        images = augment(small_digits.X_train, DISTORTED.augmentation, seed=5, epoch=epoch)
        by_hand.prepare(params, LabelledImages(images, small_digits.y_train), DISTORTED)
        by_hand.advance(batch_order(5, epoch, len(images)), DISTORTED.learning_rates(epoch, len(images)))
        params = by_hand.parameters()
    assert max_abs_difference(trained.parameters(), params) == 0
    # The evaluation sees the images as they are.
    assert history.epochs[-1].train_error_rate == evaluate(params, small_digits.X_train, small_digits.y_train)[1]
    assert history.epochs[-1].validation_error_rate == evaluate(params, small_digits.X_test, small_digits.y_test)[1]


def test_training_on_deskewed_images_deskews_all_images_once(small_digits):
    recipe = DISTORTED.with_changes(deskew=True, normalize_size=True)
    upright = [
        LabelledImages(deskew(part.X, normalize_size=True), part.y)
        for part in (small_digits.training, small_digits.test)
    ]
    trained, on_upright = (contenders.create("numpy") for _ in range(2))
    history = train(trained, small_digits.training, recipe, validation=small_digits.test)
    expected = train(on_upright, upright[0], DISTORTED, validation=upright[1])
    assert max_abs_difference(trained.parameters(), on_upright.parameters()) == 0
    assert values_without_seconds(history) == values_without_seconds(expected)
    with_more_classes = LabelledImages(small_digits.X_train, small_digits.y_train, 12)
    assert recipe_images(recipe, with_more_classes).classes == 12
    with pytest.raises(DataError, match="uint8"):
        train(trained, LabelledImages(as_features(small_digits.X_train), small_digits.y_train), recipe)


def test_resumed_training_on_deskewed_and_distorted_images_equals_uninterrupted_one(small_digits):
    recipe = DISTORTED.with_changes(deskew=True)
    whole, resumed = (contenders.create("numpy") for _ in range(2))
    expected = train(whole, small_digits.training, recipe)
    history = train(resumed, small_digits.training, recipe, callbacks=[lambda history, contender: True])
    again = contenders.create("numpy")
    again.prepare(resumed.parameters(), recipe_images(recipe, small_digits.training), recipe)
    continue_training(again, small_digits.training, history)
    assert max_abs_difference(again.parameters(), whole.parameters()) == 0
    assert values_without_seconds(history) == values_without_seconds(expected)


def test_augmentation_needs_a_contender_that_replaces_its_images(small_digits):
    with pytest.raises(ConfigurationError, match="Recorder cannot replace its images, which the augmentation"):
        train(Recorder(), small_digits.training, DISTORTED)


# Resuming


def test_resuming_runs_only_remaining_epochs(small_digits):
    recipe = RECIPE.with_changes(epochs=4, schedule="linear")
    recorder, images = Recorder(), len(small_digits.X_train)
    history = train(recorder, small_digits.training, recipe, seed=5, callbacks=[lambda history, contender: True])
    first = history.epochs[0]
    assert continue_training(recorder, small_digits.training, history) is history
    assert history.epochs[0] is first
    assert [record.epoch for record in history.epochs] == [1, 2, 3, 4]
    assert len(recorder.stretches) == 4
    for epoch, (order, learning_rates) in enumerate(recorder.stretches):
        np.testing.assert_array_equal(order, batch_order(5, epoch, images))
        np.testing.assert_array_equal(learning_rates, recipe.learning_rates(epoch, images))


@pytest.mark.parametrize("name", slow_if_traced(TRAINABLE))  # test_contenders.py trains all in two calls
def test_resumed_training_equals_uninterrupted_training(name, small_digits):
    recipe = RECIPE.with_changes(schedule="linear")
    histories = []
    for callbacks in ([], [lambda history, contender: history.epochs_done == 1]):
        with closing(contenders.create_anywhere(name)) as contender:
            history = train(contender, small_digits.training, recipe, validation=small_digits.test, callbacks=callbacks)
            continue_training(contender, small_digits.training, history, validation=small_digits.test)
        histories.append(values_without_seconds(history))
    whole, continued = histories
    assert len(whole) == recipe.epochs
    # Our backends are reproducible bit for bit; frameworks may sum in another order in each run.
    np.testing.assert_allclose(continued, whole, rtol=0 if name in kernels.names() else 1e-3)


def test_resuming_finished_training_does_nothing(small_digits):
    recorder, called = Recorder(), []
    history = train(recorder, small_digits.training, RECIPE)
    before = list(history.epochs)
    continue_training(recorder, small_digits.training, history, callbacks=[lambda *given: called.append(given)])
    assert history.epochs == before
    assert len(recorder.stretches) == RECIPE.epochs
    assert called == []


def test_resuming_evaluates_at_same_epochs_as_uninterrupted_training(small_digits):
    recorder = Recorder()
    recipe = RECIPE.with_changes(epochs=7)
    history = train(
        recorder, small_digits.training, recipe, callbacks=[lambda history, contender: True], evaluate_every=2
    )
    assert history.epochs_done == 2
    continue_training(recorder, small_digits.training, history, evaluate_every=3)
    assert [record.epoch for record in history.epochs] == [2, 3, 6, 7]


def test_resuming_without_images_is_rejected(small_digits):
    recorder = Recorder()
    history = train(recorder, small_digits.training, RECIPE, callbacks=[lambda history, contender: True])
    with pytest.raises(DataError, match="no training images"):
        continue_training(recorder, LabelledImages(small_digits.X_train[:0], small_digits.y_train[:0]), history)


def test_resuming_with_other_data_is_rejected(small_digits):
    recorder = Recorder()
    history = train(recorder, small_digits.training, RECIPE, callbacks=[lambda history, contender: True])
    with pytest.raises(DataError, match="used 2304 images, but data has 256"):
        continue_training(recorder, small_digits.test, history)
    assert len(recorder.stretches) == 1


# Evaluation


def test_evaluate_equals_scikit_learn(digits):
    metrics = pytest.importorskip("sklearn.metrics")
    params = initial_parameters(3)
    # Three batches of the evaluation, the last one short.
    images = min(2 * EVALUATION_BATCH + 100, len(digits.X_train))
    X, y = digits.X_train[:images], digits.y_train[:images]
    loss, error_rate = evaluate(params, X, y)
    probs = reference.probabilities(params, X / 255)
    assert loss == pytest.approx(metrics.log_loss(y, probs, labels=range(10)), rel=1e-6)
    assert error_rate == pytest.approx(1 - metrics.accuracy_score(y, probs.argmax(axis=1)), abs=1e-12)


@pytest.mark.parametrize("images", [1, EVALUATION_BATCH - 1, EVALUATION_BATCH, EVALUATION_BATCH + 1])
def test_evaluate_weights_images_equally(images):
    # A short last batch is weighted by its number of images.
    rng = np.random.default_rng(1)
    params = initial_parameters(0, 5, 4, 3, np.float64)
    X, y = rng.random((images, 5)), rng.integers(0, 3, images)
    loss, error_rate = evaluate(params, X, y)
    lists = tuple(array.tolist() for array in params)
    _Z1, _A1, logits, probs = reference.forward(lists, X.tolist())
    assert loss == pytest.approx(reference.loss(logits, y.tolist()), rel=1e-12)
    wrong = sum(row.index(max(row)) != label for row, label in zip(probs, y.tolist(), strict=True))
    assert error_rate == wrong / images


def test_evaluate_of_diverged_parameters_returns_nan_loss(small_digits):
    params = initial_parameters(0)
    params.W2[:] = np.nan
    loss, _error_rate = evaluate(params, small_digits.X_test, small_digits.y_test)
    assert math.isnan(loss)


def test_evaluation_without_images_is_rejected(small_digits):
    nothing = LabelledImages(small_digits.X_test[:0], small_digits.y_test[:0])
    with pytest.raises(DataError, match="no images to evaluate"):
        evaluate(initial_parameters(0), nothing.X, nothing.y)
    with pytest.raises(DataError, match="no images to evaluate"):
        train(Recorder(), small_digits.training, RECIPE, validation=nothing)


def test_evaluate_of_bytes_and_of_features_agrees(small_digits):
    params = initial_parameters(0)
    from_bytes = evaluate(params, small_digits.X_test, small_digits.y_test)
    from_features = evaluate(params, as_features(small_digits.X_test), small_digits.y_test)
    assert from_bytes == pytest.approx(from_features, rel=1e-6)


def test_evaluate_by_any_backend_agrees_with_reference(backend, small_digits):
    # Other backends differ only by rounding. The default is the same backend for all contenders.
    params = initial_parameters(0)
    by_reference = evaluate(params, small_digits.X_test, small_digits.y_test)
    assert evaluate(params, small_digits.X_test, small_digits.y_test, backend) == pytest.approx(by_reference, rel=1e-6)


class Judge:
    """A fake judge that predicts class 3 for every image and returns a fixed loss, in float32 as NumPy does."""

    @staticmethod
    def forward(params, X):
        return SimpleNamespace(logits=np.eye(10, dtype=np.float32)[np.full(len(X), 3)])

    @staticmethod
    def loss(logits, y):
        return np.float32(0.25)


def test_given_judge_evaluates_training_and_validation_images(small_digits):
    history = train(Recorder(), small_digits.training, RECIPE, validation=small_digits.test, judge=Judge)
    for record in history.epochs:
        assert (record.train_loss, record.validation_loss) == (0.25, 0.25)
        assert record.train_error_rate == np.mean(small_digits.y_train != 3)
        assert record.validation_error_rate == np.mean(small_digits.y_test != 3)


def test_records_contain_plain_floats_whatever_judge_returns(small_digits):
    # Otherwise the history could not be written as JSON.
    record = train(Recorder(), small_digits.training, RECIPE, validation=small_digits.test, judge=Judge).epochs[0]
    assert {type(value) for value in vars(record).values()} == {int, float}


# The data


def test_parts_of_dataset_are_read_only_views(small_digits):
    for part, X, y in (
        (small_digits.training, small_digits.X_train, small_digits.y_train),
        (small_digits.test, small_digits.X_test, small_digits.y_test),
    ):
        assert isinstance(part, LabelledImages)
        for given, whole in ((part.X, X), (part.y, y)):
            assert given.shape == whole.shape
            assert np.shares_memory(given, whole)
            assert not given.flags.writeable


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((5, 3)), np.zeros(4, int), "5 images but 4 labels"),
        (np.zeros((5, 3)), np.zeros(6, int), "5 images but 6 labels"),
        (np.zeros(5), np.zeros(5, int), r"shape \(5,\); expected \(N, D\)"),
        (np.zeros((5, 2, 2)), np.zeros(5, int), r"shape \(5, 2, 2\); expected \(N, D\)"),
        (np.zeros((5, 3)), np.zeros((5, 1), int), r"shape \(5, 1\); expected integers of shape \(N,\)"),
        (np.zeros((5, 3)), np.zeros(5), "labels have dtype float64"),
        (np.zeros((5, 3)), np.array([0, 1, -2, 0, -1]), "label 2 is -2"),
        (np.zeros((5, 3)), np.array([0, 1, 2, 2**63, 0], np.uint64), "label 3 is 9223372036854775808"),
        (np.full((5, 3), 256), np.zeros(5, int), "from 256 to 256, but integers are pixels"),
        (np.zeros((5, 3), object), np.zeros(5, int), "images have dtype object"),
    ],
)
def test_invalid_images_and_labels_are_rejected(X, y, message):
    # Compiled code does not check them again, and would read out of bounds.
    with pytest.raises(DataError, match=message):
        LabelledImages(X, y)


def test_validation_images_are_taken_from_the_training_images(small_digits):
    split = small_digits.validation_split()
    assert isinstance(split, Dataset)
    assert len(split.X_test) == 2304 // 6
    np.testing.assert_array_equal(np.concatenate([split.X_train, split.X_test]), small_digits.X_train)
    np.testing.assert_array_equal(np.concatenate([split.y_train, split.y_test]), small_digits.y_train)
