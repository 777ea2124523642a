"""Optimizers and recipes: validation, numbers of batches and learning rates."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.recipes import SCHEDULE_NAMES, SGD, Optimizer, Recipe, accuracy_recipe

# Optimizers


def test_optimizer_defaults_are_keras_defaults():
    rule = Optimizer("adam")
    assert (rule.beta_1, rule.beta_2, rule.epsilon) == (0.9, 0.999, 1e-7)


@pytest.mark.parametrize("field", ["momentum", "beta_1", "beta_2"])
@pytest.mark.parametrize("value", [-0.1, 1.0, 2.0, float("nan")])
def test_decay_rates_must_be_at_least_zero_and_below_one(field, value):
    with pytest.raises(ConfigurationError, match=f"{field} is "):
        Optimizer(**{field: value})
    assert getattr(Optimizer(**{field: 0.0}), field) == 0


@pytest.mark.parametrize("value", [0.0, -1e-7, float("nan")])
def test_epsilon_must_be_positive(value):
    with pytest.raises(ConfigurationError, match="epsilon is "):
        Optimizer("adam", epsilon=value)


def test_error_for_unknown_name_lists_known_names():
    with pytest.raises(UnknownNameError, match="unknown optimizer 'adamw'; expected one of: sgd, momentum, adam"):
        Optimizer("adamw")
    with pytest.raises(UnknownNameError, match="unknown schedule 'step'; expected one of: constant, linear, cosine"):
        Recipe("test", schedule="step")


# Recipes


@pytest.mark.parametrize("field", ["batch_size", "epochs", "hidden"])
@pytest.mark.parametrize("value", [0, -1])
def test_counts_must_be_at_least_one(field, value):
    with pytest.raises(ConfigurationError, match=f"{field} is {value}"):
        Recipe("test", **{field: value})


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf")])
def test_learning_rate_must_be_positive_and_finite(value):
    with pytest.raises(ConfigurationError, match="learning_rate is "):
        Recipe("test", learning_rate=value)


def test_recipes_are_immutable_and_changed_copies_are_validated():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SGD.batch_size = 64
    changed = SGD.with_changes(batch_size=64)
    assert (changed.batch_size, SGD.batch_size) == (64, 32)
    with pytest.raises(ConfigurationError):
        SGD.with_changes(batch_size=0)


@pytest.mark.parametrize(("images", "batches"), [(1, 1), (31, 1), (32, 1), (33, 2), (64, 2), (60_000, 1875)])
def test_short_last_batch_is_counted(images, batches):
    assert SGD.batches(images) == batches
    assert len(SGD.learning_rates(0, images)) == batches


def test_constant_learning_rate_is_same_in_all_steps():
    recipe = Recipe("test", learning_rate=0.25, epochs=3)
    for epoch in range(3):
        rates = recipe.learning_rates(epoch, 100)
        assert rates.dtype == np.float32
        np.testing.assert_array_equal(rates, [0.25] * 4)


def test_linear_learning_rate_falls_by_the_same_amount_over_all_epochs():
    recipe = Recipe("test", learning_rate=0.3, epochs=3, schedule="linear")
    rates = np.concatenate([recipe.learning_rates(epoch, 100) for epoch in range(3)])  # 12 steps
    assert rates.dtype == np.float32
    # The rate would be zero one step after the last.
    np.testing.assert_allclose(rates, [0.3 * (12 - step) / 12 for step in range(12)], rtol=1e-6)


@pytest.mark.parametrize("warmup_steps", [0, 5])
def test_cosine_and_linear_learning_rates_are_those_of_keras(warmup_steps):
    from keras.optimizers import schedules

    steps, peak = 12, 0.3  # three epochs of four batches
    warmup = {"warmup_target": peak, "warmup_steps": warmup_steps} if warmup_steps else {}
    cosine = schedules.CosineDecay(0.0 if warmup else peak, steps - warmup_steps, **warmup)
    linear = schedules.PolynomialDecay(peak, steps - warmup_steps, end_learning_rate=0.0)
    for name, keras_rate in (("cosine", cosine), ("linear", lambda step: linear(step - warmup_steps))):
        recipe = Recipe("test", learning_rate=peak, epochs=3, schedule=name, warmup_steps=warmup_steps)
        rates = np.concatenate([recipe.learning_rates(epoch, 100) for epoch in range(3)])
        assert rates.dtype == np.float32
        rising = [peak * step / warmup_steps for step in range(warmup_steps)]
        expected = rising + [float(keras_rate(step)) for step in range(warmup_steps, steps)]
        np.testing.assert_allclose(rates, expected, rtol=2e-6, atol=1e-9)
        if name == "cosine":
            np.testing.assert_allclose(rates, [float(keras_rate(step)) for step in range(steps)], rtol=2e-6, atol=1e-9)


@given(st.sampled_from(SCHEDULE_NAMES), st.integers(1, 5), st.integers(1, 300), st.integers(1, 64), st.integers(0, 40))
def test_learning_rates_rise_in_the_warmup_and_never_afterwards(schedule, epochs, images, batch_size, warmup_steps):
    recipe = Recipe(
        "test", learning_rate=0.5, epochs=epochs, schedule=schedule, batch_size=batch_size, warmup_steps=warmup_steps
    )
    rates = np.concatenate([recipe.learning_rates(epoch, images) for epoch in range(epochs)])
    assert len(rates) == epochs * recipe.batches(images)
    assert np.isfinite(rates).all()
    assert (rates >= 0).all()
    assert (rates <= np.float32(0.5)).all()
    assert (np.diff(rates[: warmup_steps + 1]) > 0).all()
    assert (np.diff(rates[warmup_steps:]) <= 0).all()
    assert not recipe.constant_rate or len({*rates.tolist()}) == 1


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_weight_decay_must_not_be_negative(value):
    with pytest.raises(ConfigurationError, match="weight_decay"):
        Optimizer(weight_decay=value)


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_label_smoothing_must_be_at_least_zero_and_below_one(value):
    with pytest.raises(ConfigurationError, match="label_smoothing"):
        SGD.with_changes(label_smoothing=value)


def test_warmup_must_not_be_negative():
    with pytest.raises(ConfigurationError, match="warmup_steps"):
        SGD.with_changes(warmup_steps=-1)


@pytest.mark.parametrize(("images", "epochs"), [(60_000, 1), (50_000, 1), (4_000, 15), (2_304, 26), (200_000, 1)])
def test_accuracy_recipe_trains_on_about_sixty_thousand_images(images, epochs):
    recipe = accuracy_recipe(images)
    assert recipe.epochs == epochs
    assert recipe.schedule == "linear"
    assert recipe.learning_rates(epochs - 1, images)[-1] > 0


def test_another_number_of_epochs_averages_over_the_same_share_of_them():
    recipe = Recipe("a", epochs=300, averaged_epochs=150)
    assert recipe.with_changes(epochs=20).averaged_epochs == 10
    assert recipe.with_changes(epochs=1).averaged_epochs == 0
    assert recipe.with_changes(epochs=20, averaged_epochs=3).averaged_epochs == 3
    assert recipe.with_changes(hidden=5).averaged_epochs == 150
    assert Recipe("b", epochs=300).with_changes(epochs=20).averaged_epochs == 0
