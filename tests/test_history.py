"""The history of a training run: its records, Keras' format, and the data frame."""

import math
import sys

import numpy as np
import pytest

from nnkernels.contenders import create
from nnkernels.data import LabelledImages
from nnkernels.errors import MissingDependencyError
from nnkernels.history import EpochRecord, History
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import train
from nnkernels.transforms import as_features

NAN = float("nan")
RECIPE = Recipe("test", epochs=5, batch_size=32)
# Evaluated every second epoch, and stopped after four of five epochs.
RECORDS = [
    EpochRecord(2, 0.5, 0.9, 0.25, 1.1, 0.375),
    EpochRecord(4, 0.25, 0.7, 0.125, 1.0, 0.25),
]


@pytest.fixture
def history():
    return History(RECIPE, seed=3, images=100, epochs=list(RECORDS))


def without_validation(records):
    return [EpochRecord(record.epoch, record.seconds, record.train_loss, record.train_error_rate) for record in records]


# Progress


def test_epochs_done_is_epoch_of_last_record(history):
    assert history.epochs_done == 4
    assert History(RECIPE, 0, 100).epochs_done == 0


def test_seconds_is_sum_over_records(history):
    assert history.seconds == 0.75
    assert History(RECIPE, 0, 100).seconds == 0


def test_histories_do_not_share_records():
    first, second = History(RECIPE, 0, 100), History(RECIPE, 0, 100)
    first.epochs.append(RECORDS[0])
    assert second.epochs == []


# Keras' format


def test_history_has_column_names_of_keras(history):
    assert history.epoch == [1, 3]
    assert history.params == {"epochs": 5, "steps": 4}
    assert history.history == {
        "loss": [0.9, 0.7],
        "accuracy": [0.75, 0.875],
        "val_loss": [1.1, 1.0],
        "val_accuracy": [0.625, 0.75],
    }


def test_history_without_validation_has_no_validation_columns():
    history = History(RECIPE, 3, 100, without_validation(RECORDS))
    assert set(history.history) == {"loss", "accuracy"}
    assert set(History(RECIPE, 3, 100).history) == {"loss", "accuracy"}


def test_history_of_diverged_training_keeps_validation_columns():
    # A network of NaN has a NaN loss, but its error rate is still a number.
    history = History(RECIPE, 3, 100, [EpochRecord(1, 0.5, NAN, 0.9, NAN, 0.9)])
    columns = history.history
    assert set(columns) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert math.isnan(columns["val_loss"][0])
    assert columns["val_accuracy"] == [pytest.approx(0.1)]


def test_missing_validation_of_early_epochs_becomes_nan():
    history = History(RECIPE, 3, 100, [*without_validation(RECORDS[:1]), RECORDS[1]])
    columns = history.history
    np.testing.assert_equal(columns["val_loss"], [NAN, 1.0])
    np.testing.assert_equal(columns["val_accuracy"], [NAN, 0.75])


@pytest.mark.parametrize("held_out", [True, False])
def test_history_equals_that_of_keras_fit(tf, small_digits, held_out):
    """With all images in one batch, their order has no effect: we and Keras take the same steps."""
    import keras

    X, y = small_digits.X_train[:300], small_digits.y_train[:300]
    start = initial_parameters(1)
    model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(20, "relu"), keras.layers.Dense(10, "softmax")])
    model.set_weights(list(start))
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", metrics=["accuracy"])
    theirs = model.fit(
        as_features(X),
        y,
        batch_size=300,
        epochs=4,
        verbose=0,
        validation_data=(as_features(small_digits.X_test), small_digits.y_test) if held_out else None,
    )
    recipe = Recipe("test", batch_size=300, epochs=4, learning_rate=0.5)
    ours = train(
        create("numpy"),
        LabelledImages(X, y),
        recipe,
        start=start,
        validation=small_digits.test if held_out else None,
    )

    assert ours.epoch == list(theirs.epoch)
    for name, value in ours.params.items():
        assert theirs.params[name] == value
    assert set(ours.history) == set(theirs.history)
    for column, values in ours.history.items():
        assert type(values) is type(theirs.history[column])
        assert [type(value) for value in values] == [type(value) for value in theirs.history[column]] == [float] * 4
    # An epoch is one step. Keras' training columns are computed before the step, ours after it.
    for column in ("loss", "accuracy"):
        np.testing.assert_allclose(ours.history[column][:-1], theirs.history[column][1:], rtol=1e-5)
    if held_out:
        for column in ("val_loss", "val_accuracy"):
            np.testing.assert_allclose(ours.history[column], theirs.history[column], rtol=1e-5)


def test_steps_per_epoch_include_short_last_batch(tf):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", run_eagerly=True)  # avoids a compilation for each number of images
    for images in (1, 31, 32, 33, 64):
        theirs = model.fit(np.zeros((images, 3)), np.zeros((images, 2)), batch_size=32, epochs=1, verbose=0)
        assert History(RECIPE, 0, images).params["steps"] == theirs.params["steps"]


# The data frame


def test_to_frame_has_one_row_per_evaluated_epoch(history):
    pytest.importorskip("pandas")
    table = history.to_frame()
    assert list(table.columns) == [
        "epoch",
        "seconds",
        "elapsed_seconds",
        "train_loss",
        "train_error_rate",
        "validation_loss",
        "validation_error_rate",
    ]
    for record, row in zip(RECORDS, table.to_dict("records"), strict=True):
        assert {name: row[name] for name in vars(record)} == vars(record)


def test_to_frame_accumulates_elapsed_seconds(history):
    pytest.importorskip("pandas")
    history.epochs.append(EpochRecord(5, 2.0, 0.6, 0.1))
    assert history.to_frame()["elapsed_seconds"].tolist() == [0.5, 0.75, 2.75]
    assert history.to_frame()["elapsed_seconds"].iloc[-1] == history.seconds


def test_to_frame_of_empty_history_has_same_columns(history):
    pytest.importorskip("pandas")
    empty = History(RECIPE, 3, 100).to_frame()
    assert len(empty) == 0
    assert list(empty.columns) == list(history.to_frame().columns)


def test_to_frame_without_pandas_names_pip_command(history, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match=r"needs pandas.*pip install 'nnkernels\[data\]'"):
        history.to_frame()


def test_to_frame_round_trip_through_csv(history, tmp_path):
    pandas = pytest.importorskip("pandas")
    history.epochs.append(EpochRecord(5, 1 / 3, NAN, 0.1))
    history.to_frame().to_csv(tmp_path / "history.csv", index=False)
    read = pandas.read_csv(tmp_path / "history.csv")
    pandas.testing.assert_frame_equal(read, history.to_frame(), check_exact=True)


def test_to_frame_of_training_matches_history(small_digits):
    pytest.importorskip("pandas")
    recipe = Recipe("test", epochs=3)
    trained = train(create("numpy"), small_digits.training, recipe, validation=small_digits.test)
    table = trained.to_frame()
    assert table["epoch"].tolist() == [1, 2, 3]
    assert (table["seconds"] > 0).all()
    assert (1 - table["validation_error_rate"]).tolist() == trained.history["val_accuracy"]
