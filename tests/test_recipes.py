"""Optimizers and recipes: validation, numbers of batches and learning rates."""

import dataclasses

import numpy as np
import pytest

from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.recipes import SGD, Optimizer, Recipe, accuracy_recipe

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
    with pytest.raises(UnknownNameError, match="unknown schedule 'cosine'; expected one of: constant, linear"):
        Recipe("test", schedule="cosine")


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


@pytest.mark.parametrize(("images", "epochs"), [(60_000, 1), (50_000, 1), (4_000, 15), (2_304, 26), (200_000, 1)])
def test_accuracy_recipe_trains_on_about_sixty_thousand_images(images, epochs):
    recipe = accuracy_recipe(images)
    assert recipe.epochs == epochs
    assert recipe.schedule == "linear"
    assert recipe.learning_rates(epochs - 1, images)[-1] > 0
