"""Averaging is the mean of the epochs' parameters; early stopping is that of Keras; both survive an interruption."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels import contenders
from nnkernels.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.evaluation import evaluate
from nnkernels.history import EpochRecord, History
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.training import continue_training, train

AVERAGED = Recipe("test", Optimizer("adam"), epochs=5, learning_rate=0.01, averaged_epochs=3)
# So few images and so high a learning rate that the validation loss soon rises.
PATIENT = Recipe("test", Optimizer("adam"), epochs=60, learning_rate=0.03, patience=2)


@pytest.fixture(scope="module")
def data(small_digits):
    return LabelledImages(small_digits.X_train[:96], small_digits.y_train[:96])


@pytest.fixture(scope="module")
def held_out(small_digits):
    return LabelledImages(small_digits.X_test[:100], small_digits.y_test[:100])


def trained(recipe, data, held_out, **options):
    """Return the contender, the history, and the parameters that the callbacks saw."""
    contender, seen = contenders.create("numpy"), []

    def record(history, contender):
        seen.append(contender.parameters())

    history = train(contender, data, recipe, validation=held_out, callbacks=[record], **options)
    return contender, history, seen


def losses(history):
    return [(record.epoch, record.train_loss, record.validation_loss) for record in history.epochs]


# Averaging


@pytest.mark.parametrize("evaluate_every", [1, 0])
def test_training_ends_with_the_mean_of_the_last_epochs(data, held_out, evaluate_every):
    plain, _, seen = trained(AVERAGED.with_changes(averaged_epochs=0), data, held_out)
    contender, history, _ = trained(AVERAGED, data, held_out, evaluate_every=evaluate_every)
    for mean, *epochs in zip(contender.parameters(), *seen[2:], strict=True):
        assert mean.dtype == np.float32
        np.testing.assert_allclose(mean, np.mean(epochs, axis=0, dtype=np.float64), rtol=0, atol=1e-7)
    assert max_abs_difference(plain.parameters(), contender.parameters()) > 1e-4
    loss, _ = evaluate(contender.parameters(), held_out.X, held_out.y)
    assert history.epochs[-1].validation_loss == pytest.approx(loss, rel=1e-6)
    assert history.finished


def test_training_continues_from_the_parameters_themselves_and_evaluates_the_mean_so_far(data, held_out):
    _, expected, seen = trained(AVERAGED.with_changes(averaged_epochs=0), data, held_out)
    _, history, seen_by_averaging = trained(AVERAGED, data, held_out)
    for one, other in zip(seen, seen_by_averaging, strict=True):
        assert max_abs_difference(one, other) == 0
    assert losses(history)[:3] == losses(expected)[:3]  # the first average is that of one epoch
    half = type(seen[0])(*(np.float32((a.astype(float) + b) / 2) for a, b in zip(seen[2], seen[3], strict=True)))
    assert history.epochs[3].validation_loss == pytest.approx(evaluate(half, held_out.X, held_out.y)[0], rel=1e-6)


@pytest.mark.parametrize("recipe", [AVERAGED, PATIENT])
@pytest.mark.parametrize("stop", [1, 4, 7])
def test_resumed_training_equals_an_uninterrupted_one(tmp_path, data, held_out, recipe, stop):
    whole, expected, _ = trained(recipe, data, held_out)
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(history, contender):
        save_checkpoint(path, Checkpoint(contender.parameters(), contender.optimizer_state(), history, {}))
        return history.epochs_done == stop

    train(contenders.create("numpy"), data, recipe, validation=held_out, callbacks=[interrupt])
    checkpoint = load_checkpoint(path)
    resumed = contenders.create("numpy")
    resumed.prepare(checkpoint.parameters, data, recipe)
    resumed.restore(checkpoint.state)
    history = continue_training(resumed, data, checkpoint.history, validation=held_out)
    assert losses(history) == losses(expected)
    assert max_abs_difference(resumed.parameters(), whole.parameters()) == 0
    epochs = len(history.epochs)
    assert len(continue_training(resumed, data, history, validation=held_out).epochs) == epochs  # there is none left


# Early stopping


def keras_early_stopping(patience, validation_losses):
    """Return after which epoch Keras stops, and whose weights it restores, counted from 1."""
    keras = pytest.importorskip("keras")
    callback = keras.callbacks.EarlyStopping(
        patience=patience, restore_best_weights=True, monitor="val_loss", mode="min"
    )
    weights = SimpleNamespace(epoch=0, restored=None)
    model = SimpleNamespace(
        stop_training=False,
        get_weights=lambda: weights.epoch,
        set_weights=lambda epoch: setattr(weights, "restored", epoch),
    )
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, loss in enumerate(validation_losses):
        weights.epoch = epoch + 1
        callback.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    callback.on_train_end()
    return weights.epoch, weights.restored


@given(
    patience=st.integers(1, 4),
    validation_losses=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, math.inf, math.nan]), min_size=1, max_size=12),
)
def test_history_stops_where_keras_stops(patience, validation_losses):
    recipe = Recipe("test", epochs=len(validation_losses), patience=patience)
    history = History(recipe, 0, 1)
    for epoch, loss in enumerate(validation_losses, start=1):
        history.epochs.append(EpochRecord(epoch, 0.0, 0.0, 0.0, loss, 0.0))
        if history.finished:
            break
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (history.epochs_done, history.final.epoch) == keras_early_stopping(patience, validation_losses)


def test_training_stops_early_with_the_best_parameters(data, held_out):
    contender, history, seen = trained(PATIENT, data, held_out)
    best = int(np.argmin([record.validation_loss for record in history.epochs]))
    assert best > 0
    assert history.epochs_done == best + 1 + 2 < PATIENT.epochs
    assert max_abs_difference(contender.parameters(), seen[best]) == 0
    assert history.final is history.epochs[best]
    # The best parameters also end a training that runs to its last epoch.
    recipe = PATIENT.with_changes(epochs=history.epochs_done - 1)
    contender, history, seen = trained(recipe, data, held_out)
    assert history.finished
    assert max_abs_difference(contender.parameters(), seen[best]) == 0


def test_early_stopping_needs_validation_after_every_epoch(data, held_out):
    for options in ({}, {"validation": held_out, "evaluate_every": 2}):
        with pytest.raises(
            ConfigurationError, match="stops early, which needs validation images, evaluated after every"
        ):
            train(contenders.create("numpy"), data, PATIENT, **options)


@pytest.mark.parametrize("recipe", [AVERAGED, PATIENT])
def test_averaging_and_early_stopping_need_a_contender_whose_parameters_can_be_replaced(recipe, data, held_out):
    fixed = SimpleNamespace(prepare=lambda *_: None, parameters=lambda: initial_parameters(0), advance=lambda *_: None)
    with pytest.raises(ConfigurationError, match="SimpleNamespace cannot replace its parameters, which the averaging"):
        train(fixed, data, recipe, validation=held_out)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"averaged_epochs": -1}, "averaged_epochs is -1; expected 0 to 4"),
        ({"averaged_epochs": 5}, "averaged_epochs is 5; expected 0 to 4"),
        ({"patience": 0}, "patience is 0; expected at least 1"),
        ({"averaged_epochs": 2, "patience": 3}, "exclude each other"),
    ],
)
def test_invalid_recipes_are_rejected(values, match):
    with pytest.raises(ConfigurationError, match=match):
        Recipe("test", epochs=4, **values)
