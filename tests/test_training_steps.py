"""Training steps: 8 bits within half a level of the parameters, a file that is checked, and which steps are kept."""

import json
import signal
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, from_dtype
from safetensors import safe_open
from safetensors.numpy import load, load_file, save_file

from nnkernels import kernels
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.errors import DamagedResultsWarning, DataError
from nnkernels.interchange import save_parameters
from nnkernels.interchange.training_steps import (
    MAX_STEPS,
    load_training_steps,
    quantised,
    save_training_steps,
)
from nnkernels.learn import training_job
from nnkernels.learn.earlier_parameters import STEPS, PausingContender, kept_batches
from nnkernels.learn.training_job import TrainingRequest
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import RECIPE_NAMES, Recipe, named_recipe
from nnkernels.training import train

FLOAT32 = np.finfo(np.float32)


def three_by_two(W1):
    """Return parameters of a 3-2-2 network."""
    return Parameters(W1, np.zeros(2, W1.dtype), np.eye(2, dtype=W1.dtype), np.ones(2, W1.dtype))


def the_steps(count=3):
    return [quantised(n / 2, 7 * n, initial_parameters(n, 5, 4, 3)) for n in range(count)]


# Quantisation


@given(W1=arrays(np.float32, (3, 2), elements=from_dtype(np.dtype(np.float32), allow_nan=False, allow_infinity=False)))
def test_each_value_is_within_half_a_level(W1):
    step = quantised(0, 0, three_by_two(W1))
    found = step.parameters()
    for expected, actual, scale in zip(three_by_two(W1), found, step.scales, strict=True):
        assert actual.dtype == np.float32
        assert np.isfinite(actual).all()
        # The last term is the rounding to float32 of the result.
        largest = float(np.abs(expected).max())
        bound = scale / 2 + max(largest * float(FLOAT32.eps), float(FLOAT32.smallest_subnormal))
        assert np.abs(actual.astype(np.float64) - expected).max() <= bound
        assert (
            scale * 255
            <= (float(expected.max()) - float(expected.min())) * (1 + 2e-7) + 255 * FLOAT32.smallest_subnormal
        )


@pytest.mark.parametrize("value", [0, -0.25, 1e30, -1e30, FLOAT32.max, FLOAT32.smallest_subnormal])
def test_constant_arrays_are_exact(value):
    step = quantised(0, 0, three_by_two(np.full((3, 2), value, np.float32)))
    np.testing.assert_array_equal(step.parameters().W1, np.float32(value))
    assert step.scales[0] == 0


def test_largest_range_of_float32_stays_finite():
    W1 = np.array([[-FLOAT32.max, 0], [FLOAT32.max, 1e30], [-1e30, 1]], np.float32)
    found = quantised(0, 0, three_by_two(W1)).parameters().W1
    np.testing.assert_allclose(found, W1, atol=float(FLOAT32.max) / 254)
    assert found[0, 0] == -FLOAT32.max


def test_values_are_those_of_an_independent_rounding():
    params = initial_parameters(2)
    step = quantised(0, 0, params)
    for array, levels in zip(params, step.values, strict=True):
        low, high = float(array.min()), float(array.max())
        unit = (high - low) / 255 or 1
        expected = [min(range(256), key=lambda level: abs(low + level * unit - value)) for value in array.flat[:50]]
        np.testing.assert_allclose(levels.flat[:50], expected, atol=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_value_that_is_not_finite_in_float32_is_rejected(value):
    W1 = np.zeros((3, 2))
    W1[1, 0] = value
    with pytest.raises(DataError, match=r"after 0\.5 epochs: W1\[1, 0\] is"):
        quantised(0.5, 1, three_by_two(W1))


# The file


def test_file_contains_the_steps_bit_for_bit(tmp_path):
    steps = the_steps()
    for name in ("one", "other"):
        save_training_steps(tmp_path / name, steps)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    found = load_training_steps(tmp_path / "one")
    assert [(step.epochs, step.batches) for step in found] == [(0, 0), (0.5, 7), (1, 14)]
    for step, expected in zip(found, steps, strict=True):
        for one, other in zip(step.parameters(), expected.parameters(), strict=True):
            np.testing.assert_array_equal(one, other)
    # as another program would read it
    stored = load_file(tmp_path / "one")
    for n, name in enumerate(Parameters._fields):
        values = stored["1.offsets"][n] + stored["1.scales"][n] * stored[f"1.{name}"].astype(np.float32)
        np.testing.assert_allclose(values, getattr(initial_parameters(1, 5, 4, 3), name), atol=0.006)
    with safe_open(tmp_path / "one", framework="numpy") as file:
        record = json.loads(file.metadata()["nnkernels"])
    assert record["steps"][1] == {"epochs": 0.5, "batches": 7}


@given(cut=st.integers(0, 1300), place=st.integers(0, 1300), bit=st.integers(0, 7))
def test_damaged_file_is_read_with_finite_values_or_rejected(cut, place, bit, tmp_path):
    path = tmp_path / "steps"
    save_training_steps(path, the_steps(2))
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    for damaged in (bytes(content), path.read_bytes()[: cut % len(content)]):
        path.write_bytes(damaged)
        try:
            found = load_training_steps(path)
        except DataError:
            continue
        assert all(np.isfinite(array).all() for step in found for array in step.parameters())


def changed(path, change):
    """Write valid steps with a change: ``change(arrays, record)``."""
    save_training_steps(path, the_steps())
    stored = load(path.read_bytes())
    with safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["nnkernels"])
    change(stored, record)
    save_file(stored, path, {"nnkernels": json.dumps(record)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda stored, _: stored.pop("1.b1"), "'1.b1' is missing or unknown"),
        (lambda stored, _: stored.update(more=np.ones(1)), "'more' is missing or unknown"),
        (lambda stored, _: stored.update({"1.b1": np.zeros(3, np.uint8)}), "step 1: the shapes do not form a network"),
        (lambda stored, _: stored.update({"1.b1": np.zeros(4, np.int8)}), "step 1: b1 is int8"),
        (lambda stored, _: stored["2.scales"].fill(np.nan), "step 2: W1 has the offset .* and the scale nan"),
        (lambda stored, _: stored["2.scales"].fill(-1), "the scale -1"),
        (lambda stored, _: stored["0.offsets"].fill(np.inf), "the offset inf"),
        (lambda stored, _: stored.update({"0.scales": np.ones(4)}), "0.scales is float64"),
        (lambda stored, _: stored.update({"0.scales": np.ones(3, np.float32)}), r"of shape \(3,\)"),
        (lambda _, record: record["steps"][2].update(batches=7), r"at the batches \[0, 7, 7\]"),
        (lambda _, record: record["steps"][2].update(epochs=0.25), r"epochs \[0.0, 0.5, 0.25\]"),
        (lambda _, record: record["steps"][0].update(epochs=float("nan")), "its epochs are nan"),
        (lambda _, record: record["steps"][0].update(batches="0"), "its batches are '0'"),
        (lambda _, record: record["steps"][0].pop("batches"), "KeyError"),
        (lambda _, record: record.update(steps=7), "TypeError"),
        (lambda _, record: record.update(version=2), "of version 2; this version of nnkernels reads"),
        (lambda _, record: record.update(format="other"), "has the format 'other'"),
        (lambda stored, record: (stored.clear(), record["steps"].clear()), "has 0 training steps"),
    ],
)
def test_file_with_wrong_content_is_rejected(change, message, tmp_path):
    changed(tmp_path / "steps", change)
    with pytest.raises(DataError, match=message) as caught:
        load_training_steps(tmp_path / "steps")
    assert str(tmp_path / "steps") in str(caught.value)


def test_foreign_and_missing_files_are_rejected(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(DataError, match="cannot be read"):
        load_training_steps(path)
    with pytest.raises(DataError, match="cannot be read"):
        load_training_steps(tmp_path)
    save_parameters(initial_parameters(0), path)
    with pytest.raises(DataError, match="has the format 'None'"):
        load_training_steps(path)
    for content in (b"", b"PNG", struct.pack("<Q", 2**60), struct.pack("<Q", 2) + b"[]"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a readable file of training steps"):
            load_training_steps(path)


def test_steps_that_do_not_belong_together_are_not_written(tmp_path):
    steps = the_steps()
    other = quantised(9, 90, initial_parameters(0, 5, 2, 3))
    many = [replace(steps[0], epochs=n / 2, batches=n) for n in range(9)]
    for wrong, message in (
        ([], "0 training steps"),
        (many, "9 training steps"),
        (steps[::-1], "increasing"),
        ([*steps, other], "different networks"),
    ):
        with pytest.raises(DataError, match=message):
            save_training_steps(tmp_path / "steps", wrong)
    assert not list(tmp_path.iterdir())


# Which steps are kept


@given(
    epochs=st.integers(1, 400),
    batch_size=st.integers(1, 70_000),
    images=st.integers(1, 70_000),
)
def test_kept_batches_begin_with_0_and_end_before_the_end(epochs, batch_size, images):
    recipe = Recipe("any", epochs=epochs, batch_size=batch_size)
    per_epoch = recipe.batches(images)
    kept = kept_batches(recipe, images)
    assert kept[0] == 0
    assert list(kept) == sorted(set(kept))
    assert len(kept) <= MAX_STEPS
    assert kept[-1] < per_epoch * epochs or kept == (0,)
    assert all(type(batches) is int and (batches < per_epoch or batches % per_epoch == 0) for batches in kept)


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_kept_batches_of_the_recipes_are_eight_at_growing_distances(name):
    kept = kept_batches(named_recipe(name, 50_000), 50_000)
    assert len(kept) == MAX_STEPS
    assert (np.diff(kept, n=2) >= 0).all()


@pytest.mark.parametrize("name", kernels.names())
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_pauses_do_not_change_the_training(name, optimizer, small_digits):
    recipe = named_recipe(optimizer, 331).with_changes(epochs=2)
    data = LabelledImages(small_digits.X_train[:331], small_digits.y_train[:331])  # 11 batches, the last of 11 images
    plain, pausing = KernelContender(kernels.load(name)), PausingContender(kernels.load(name))
    pausing.pauses = (0, 1, 4, 10)
    for contender in (plain, pausing):
        train(contender, data, recipe, evaluate_every=0)
    for one, other in zip(plain.parameters(), pausing.parameters(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert [batches for batches, _ in pausing.seen] == [0, 1, 4, 10]
    # The second of the copies is what one batch of an own training gives.
    single = KernelContender(kernels.load(name))
    single.prepare(initial_parameters(0), data, recipe)
    order = np.random.default_rng((0, 0)).permutation(331)
    single.advance(order[:32], recipe.learning_rates(0, 331)[:1])
    for one, other in zip(single.parameters(), pausing.seen[1][1], strict=True):
        assert one.tobytes() == other.tobytes()


# In the folder of a training

REQUEST = TrainingRequest(recipe="adam", backend="numba", epochs=6, hidden=6)


def run(folder, dataset, request=REQUEST, resume=False, show=lambda _history: None):
    return training_job.run(request, dataset, folder, resume, show)


class Killed(Exception):  # noqa: N818
    pass


@pytest.fixture(scope="module")
def whole(small_digits, tmp_path_factory):
    """The folder of a training that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, small_digits)
    return folder


def test_training_keeps_initial_and_later_parameters(whole, small_digits):
    steps = load_training_steps(whole / STEPS)
    images = len(small_digits.validation_split().X_train)
    assert [step.batches for step in steps] == list(kept_batches(REQUEST.recipe_for(images), images))
    assert steps[0].epochs == 0
    assert any(0 < step.epochs < 1 for step in steps)
    assert any(step.epochs >= 1 for step in steps)
    for array, expected, scale in zip(
        steps[0].parameters(), initial_parameters(0, 784, 6, 10), steps[0].scales, strict=True
    ):
        np.testing.assert_allclose(array, expected, atol=scale / 2 + 1e-7)
    errors = [np.mean(_predicted(step.parameters(), small_digits.X_test) != small_digits.y_test) for step in steps]
    assert errors[-1] < errors[0] - 0.2


def _predicted(params, X):
    W1, b1, W2, b2 = (array.astype(np.float64) for array in params)
    return (np.maximum(X / 255 @ W1 + b1, 0) @ W2 + b2).argmax(axis=1)


@pytest.mark.parametrize("killed_after", [1, 3, 5])
@pytest.mark.parametrize("before_checkpoint", [False, True])
def test_resumed_training_has_the_same_file(
    killed_after, before_checkpoint, whole, small_digits, tmp_path, monkeypatch
):
    def die(history):
        if history.epochs_done == killed_after:
            raise Killed

    if before_checkpoint:  # the step of the epoch is written, its checkpoint is not
        save, saved = training_job.save_checkpoint, []

        def save_or_die(*arguments):
            if len(saved) == killed_after:
                raise Killed
            saved.append(save(*arguments))

        monkeypatch.setattr(training_job, "save_checkpoint", save_or_die)
    with pytest.raises(Killed):
        run(tmp_path, small_digits, show=(lambda _history: None) if before_checkpoint else die)
    monkeypatch.undo()
    run(tmp_path, small_digits, TrainingRequest(), resume=True)
    assert (tmp_path / STEPS).read_bytes() == (whole / STEPS).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interrupted_and_resumed_training_has_the_same_file(whole, small_digits, tmp_path):
    def interrupt(history):
        if history.epochs_done == 2:
            signal.raise_signal(signal.SIGINT)

    assert not run(tmp_path, small_digits, show=interrupt).finished
    run(tmp_path, small_digits, TrainingRequest(), resume=True)
    assert (tmp_path / STEPS).read_bytes() == (whole / STEPS).read_bytes()
    run(tmp_path, small_digits, TrainingRequest(), resume=True)  # of the finished training
    assert (tmp_path / STEPS).read_bytes() == (whole / STEPS).read_bytes()


@pytest.mark.parametrize("fault", ["damaged", "of another training", "incomplete"])
def test_file_that_cannot_be_continued_is_deleted_with_a_warning(fault, small_digits, tmp_path):
    def die(history):
        if history.epochs_done == 2:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, small_digits, show=die)
    path = tmp_path / STEPS
    steps = load_training_steps(path)
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:-1])
    elif fault == "incomplete":
        save_training_steps(path, steps[:-1])
    else:
        other = quantised(0, 0, initial_parameters(1, 784, 6, 10))
        save_training_steps(path, [other, *steps[1:]])
    with pytest.warns(DamagedResultsWarning, match="It was deleted"):
        run(tmp_path, small_digits, TrainingRequest(), resume=True)
    assert not path.exists()


def test_training_whose_file_is_missing_is_resumed_without_it(small_digits, tmp_path):
    run(tmp_path, small_digits, TrainingRequest(recipe="sgd", backend="numpy", epochs=1, hidden=2))
    (tmp_path / STEPS).unlink()
    run(tmp_path, small_digits, TrainingRequest(), resume=True)
    assert not (tmp_path / STEPS).exists()


def test_new_training_replaces_file_of_an_earlier_one(whole, small_digits, tmp_path):
    save_training_steps(tmp_path / STEPS, the_steps())  # of a training that was killed in its first epoch
    run(tmp_path, small_digits)
    assert (tmp_path / STEPS).read_bytes() == (whole / STEPS).read_bytes()
