"""Training from a file: image order, learning rates, state carried from chunk to chunk, and memory use."""

from __future__ import annotations

import math
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels import chunked, contenders, kernels
from nnkernels.augmentation import Augmentation
from nnkernels.chunked import chunk_starts, epoch_chunks, train_from_file
from nnkernels.data import LabelledImages
from nnkernels.data.idx import write_idx
from nnkernels.data.image_file import ImageFile
from nnkernels.data.pixels import UnscaledPixelsWarning
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.training import batch_order, train
from tests.test_training import Recorder

RECIPE = Recipe("test", epochs=3, learning_rate=0.2, schedule="linear")
OPTIMIZERS = ("sgd", "momentum", "adam")


class Copier(Recorder):
    """Records copies of the data it was prepared with, because the buffer of the images is reused."""

    def prepare(self, parameters, data, recipe):
        self.start = parameters
        self.prepared = [*getattr(self, "prepared", []), LabelledImages(data.X.copy(), data.y.copy())]
        self.stretches = getattr(self, "stretches", [])


@pytest.fixture
def digit_files(tmp_path, small_digits):
    """Paths of two files: real digits, and their labels."""
    write_idx(tmp_path / "images", small_digits.X_train.reshape(-1, 28, 28))
    write_idx(tmp_path / "labels", small_digits.y_train)
    return tmp_path / "images", tmp_path / "labels"


# Order


def test_chunks_and_their_images_are_shuffled_as_documented():
    rng = np.random.default_rng((7, 2))
    # Chunks of 32, 32, 32 and 4 images.
    expected = [(number * 32, rng.permutation(4 if number == 3 else 32)) for number in rng.permutation(4)]
    found = list(epoch_chunks(7, 2, 100, 45, 16))
    assert [chunk.start for chunk in found] == [start for start, _order in expected]
    for chunk, (_start, order) in zip(found, expected, strict=True):
        assert chunk.stop - chunk.start == len(order)
        np.testing.assert_array_equal(chunk.order, order)


@pytest.mark.parametrize("chunk_images", [100, 101, 65_536])
def test_single_chunk_has_order_of_in_memory_training(chunk_images):
    (chunk,) = epoch_chunks(7, 2, 100, chunk_images, 32)
    assert (chunk.start, chunk.stop) == (0, 100)
    np.testing.assert_array_equal(chunk.order, batch_order(7, 2, 100))


@given(
    images=st.integers(1, 400),
    chunk_images=st.integers(1, 450),
    batch_size=st.integers(1, 64),
    seed=st.integers(0, 2**70),
    epoch=st.integers(0, 3),
)
def test_epoch_covers_every_image_once_in_as_many_batches_as_in_memory(images, chunk_images, batch_size, seed, epoch):
    if chunk_images < min(batch_size, images):
        with pytest.raises(ConfigurationError, match=f"set chunk_images to at least {batch_size}"):
            chunk_starts(images, chunk_images, batch_size)
        return
    recipe = Recipe("test", batch_size=batch_size)
    chunks = list(epoch_chunks(seed, epoch, images, chunk_images, batch_size))
    seen = np.concatenate([chunk.start + chunk.order for chunk in chunks])
    np.testing.assert_array_equal(np.sort(seen), np.arange(images))
    assert max(chunk.stop - chunk.start for chunk in chunks) <= chunk_images
    assert sum(recipe.batches(len(chunk.order)) for chunk in chunks) == recipe.batches(images)
    again = epoch_chunks(seed, epoch, images, chunk_images, batch_size)
    np.testing.assert_array_equal(seen, np.concatenate([chunk.start + chunk.order for chunk in again]))


def test_order_changes_with_seed_and_epoch():
    def order(seed, epoch):
        return np.concatenate([chunk.start + chunk.order for chunk in epoch_chunks(seed, epoch, 500, 128, 32)])

    assert not np.array_equal(order(1, 0), order(2, 0))
    assert not np.array_equal(order(1, 0), order(1, 1))


# What contenders receive


def test_contender_receives_each_chunk_with_its_labels_order_and_rates(digit_files, small_digits):
    recorder = Copier()
    images = len(small_digits.X_train)
    train_from_file(recorder, *digit_files, RECIPE, seed=5, chunk_images=1000)
    given = zip(recorder.prepared, recorder.stretches, strict=True)
    for epoch in range(RECIPE.epochs):
        rates = []
        for chunk in epoch_chunks(5, epoch, images, 1000, 32):
            data, (order, learning_rates) = next(given)
            np.testing.assert_array_equal(data.X, small_digits.X_train[chunk.start : chunk.stop])
            np.testing.assert_array_equal(data.y, small_digits.y_train[chunk.start : chunk.stop])
            np.testing.assert_array_equal(order, chunk.order)
            assert len(learning_rates) == math.ceil(len(order) / 32)
            rates.append(learning_rates)
        np.testing.assert_array_equal(np.concatenate(rates), RECIPE.learning_rates(epoch, images))
    assert next(given, None) is None


@pytest.mark.filterwarnings("ignore::nnkernels.data.pixels.UnscaledPixelsWarning")  # images are numbers
@given(images=st.integers(1, 200), chunk_images=st.integers(8, 64))
def test_every_image_is_trained_on_once_with_its_own_label(tmp_path, images, chunk_images):
    # An image's pixels and label encode its number.
    X = np.column_stack([np.arange(images, dtype=np.float32), np.ones(images, np.float32)])
    np.save(tmp_path / "numbered.npy", X)
    recorder = Copier()
    y = np.arange(images) % 10
    train_from_file(recorder, tmp_path / "numbered.npy", y, Recipe("test", batch_size=8), chunk_images=chunk_images)
    seen = []
    for data, (order, _rates) in zip(recorder.prepared, recorder.stretches, strict=True):
        np.testing.assert_array_equal(data.X[:, 0] % 10, data.y)
        seen.extend(data.X[order, 0])
    assert sorted(seen) == list(range(images))


# Results of training


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [*[(name, "adam") for name in kernels.names()], *[("numpy", optimizer) for optimizer in ("sgd", "momentum")]],
)
def test_single_chunk_equals_in_memory_training_bit_for_bit(name, optimizer, digit_files, small_digits):
    recipe = RECIPE.with_changes(optimizer=Optimizer(optimizer), learning_rate=0.01)
    from_file, in_memory = contenders.create(name), contenders.create(name)
    found = train_from_file(from_file, *digit_files, recipe, seed=3, validation=small_digits.test)
    expected = train(in_memory, small_digits.training, recipe, seed=3, validation=small_digits.test)
    assert max_abs_difference(from_file.parameters(), in_memory.parameters()) == 0
    for part in ("first", "second"):
        states = (getattr(contender.optimizer_state(), part) for contender in (from_file, in_memory))
        assert max_abs_difference(*states) == 0
    for record, other in zip(found.epochs, expected.epochs, strict=True):
        assert record.epoch == other.epoch
        assert record.validation_loss == other.validation_loss
        assert record.validation_error_rate == other.validation_error_rate


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_chunks_equal_in_memory_training_in_the_same_order(optimizer, digit_files, small_digits):
    # Only the order differs: a contender with all images in memory trains on the same batches.
    recipe = RECIPE.with_changes(optimizer=Optimizer(optimizer), learning_rate=0.01, epochs=2)
    from_file, in_memory = contenders.create("numpy"), contenders.create("numpy")
    train_from_file(from_file, *digit_files, recipe, seed=3, chunk_images=700)
    in_memory.prepare(initial_parameters(3), small_digits.training, recipe)
    images = len(small_digits.X_train)
    for epoch in range(recipe.epochs):
        rates = list(recipe.learning_rates(epoch, images))
        for chunk in epoch_chunks(3, epoch, images, 700, 32):
            for batch in np.split(chunk.start + chunk.order, range(32, len(chunk.order), 32)):
                in_memory.advance(batch, np.array([rates.pop(0)], np.float32))
        assert not rates
    assert max_abs_difference(from_file.parameters(), in_memory.parameters()) == 0
    assert from_file.optimizer_state().step == in_memory.optimizer_state().step == 2 * recipe.batches(images)


def test_train_from_file_learns_and_records_history(digit_files, small_digits):
    seen = []
    contender = contenders.create("numpy")
    history = train_from_file(
        contender,
        *digit_files,
        RECIPE.with_changes(epochs=4),
        chunk_images=640,
        validation=small_digits.test,
        callbacks=[lambda history, given: seen.append((history.epochs_done, given)), lambda history, _: len(seen) == 3],
    )
    assert seen == [(1, contender), (2, contender), (3, contender)]
    assert [record.epoch for record in history.epochs] == [1, 2, 3]
    assert history.images == 2304
    assert history.params["steps"] == 72
    assert history.epochs[-1].validation_error_rate < 0.25
    assert all(math.isnan(record.train_loss) and math.isnan(record.train_error_rate) for record in history.epochs)
    assert all(record.seconds > 0 for record in history.epochs)


def test_given_start_parameters_are_used(digit_files):
    start, recorder = initial_parameters(9, hidden=7), Copier()
    train_from_file(recorder, *digit_files, RECIPE.with_changes(epochs=1), start=start)
    assert recorder.start is start


# Rejected arguments and files


class Forgetful(Copier):
    """A contender that cannot return or restore its optimizer state."""


def test_contender_without_optimizer_state_supports_only_sgd(digit_files):
    train_from_file(Forgetful(), *digit_files, RECIPE, chunk_images=1000)
    for optimizer in ("momentum", "adam"):
        recorder = Forgetful()
        with pytest.raises(ConfigurationError, match=f"Forgetful cannot carry the optimizer state of {optimizer}"):
            train_from_file(recorder, *digit_files, RECIPE.with_changes(optimizer=Optimizer(optimizer)))
        assert not hasattr(recorder, "prepared")


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (np.zeros(2303, int), "2304 images, but there are 2303 labels"),
        (np.zeros((2304, 10), int), r"labels have dtype int64 and shape \(2304, 10\)"),
        (np.zeros(2304), "labels have dtype float64"),
        (np.append(np.zeros(2303, int), 10), "labels range from 0 to 10; the network has the classes 0 to 9"),
        (np.append(np.zeros(2303, int), -1), "labels range from -1 to 0"),
    ],
)
def test_invalid_labels_are_rejected_before_training(digit_files, labels, match):
    recorder = Copier()
    with pytest.raises(DataError, match=match):
        train_from_file(recorder, digit_files[0], labels, RECIPE)
    assert not hasattr(recorder, "prepared")


def test_start_parameters_for_other_image_size_are_rejected(digit_files):
    with pytest.raises(DataError, match="images have 784 pixels; the network has 100 inputs"):
        train_from_file(Copier(), *digit_files, RECIPE, start=initial_parameters(0, 100))


@pytest.mark.parametrize("change", [{"deskew": True}, {"augmentation": Augmentation(shear=0.1)}])
def test_recipe_that_changes_images_is_rejected(digit_files, change):
    with pytest.raises(ConfigurationError, match="takes images as they are, but the recipe 'test' deskews or augments"):
        train_from_file(Copier(), *digit_files, Recipe("test").with_changes(**change))


def test_batch_larger_than_chunk_is_rejected(digit_files):
    with pytest.raises(ConfigurationError, match="chunk_images is 1000, but a batch has 2000 images"):
        train_from_file(Copier(), *digit_files, RECIPE.with_changes(batch_size=2000), chunk_images=1000)


def test_file_truncated_during_training_is_reported(digit_files):
    images, labels = digit_files

    class Cutter(Copier):
        def advance(self, order, learning_rates):
            with images.open("r+b") as stream:
                stream.truncate(1000)

    with pytest.raises(DataError, match="it was truncated after it had been opened"):
        train_from_file(Cutter(), images, labels, RECIPE.with_changes(epochs=4), chunk_images=320)


@pytest.mark.parametrize("dtype", [np.int64, ">u2", np.int16])
def test_integer_pixels_of_any_dtype_train_like_uint8(tmp_path, small_digits, dtype):
    def trained(name, X):
        np.save(tmp_path / name, X)
        contender = contenders.create("numpy")
        recipe = RECIPE.with_changes(epochs=1)
        train_from_file(contender, tmp_path / name, small_digits.y_train, recipe, chunk_images=320)
        return contender.parameters()

    expected = trained("bytes.npy", small_digits.X_train)
    assert max_abs_difference(trained("wide.npy", small_digits.X_train.astype(dtype)), expected) == 0
    # Unscaled floats cause a warning. Scaled as it advises, they train like the pixels.
    with pytest.warns(UnscaledPixelsWarning, match="look like pixels"):
        trained("floats.npy", small_digits.X_train.astype(np.float32))
    scaled = small_digits.X_train.astype(np.float32) / np.float32(255)
    assert max_abs_difference(trained("features.npy", scaled), expected) < 1e-5


# Memory


def test_peak_memory_is_two_chunks_for_any_file_size(tmp_path):
    def peak(images):
        path = tmp_path / f"{images}.npy"
        np.save(path, np.ones((images, 1000), np.uint8))
        y = np.zeros(images, np.uint8)
        start = initial_parameters(0, 1000)
        contender = SimpleNamespace(
            prepare=lambda parameters, data, recipe: None,
            advance=lambda order, learning_rates: None,
            parameters=lambda: start,
        )
        tracemalloc.start()
        try:
            train_from_file(contender, path, y, Recipe("test", epochs=2), chunk_images=2048)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(4096), peak(20_480)
    assert 2 * 2048 * 1000 < small < 3 * 2048 * 1000
    assert large < small + 100_000  # labels and learning rates, a few bytes per image


def test_at_most_one_chunk_is_read_ahead(digit_files, monkeypatch):
    read = []
    monkeypatch.setattr(ImageFile, "read", spy(ImageFile.read, read))

    class Watcher(Copier):
        def advance(self, order, learning_rates):
            super().advance(order, learning_rates)
            assert len(read) <= len(self.stretches) + 1

    train_from_file(Watcher(), *digit_files, RECIPE.with_changes(epochs=1), chunk_images=320)
    assert len(read) == 8
    assert len({memory for _start, _stop, memory in read}) == 2


def spy(function, read):
    def spied(self, start, stop, out=None):
        read.append((start, stop, out.ctypes.data))
        return function(self, start, stop, out)

    return spied


def test_default_chunk_size_is_multiple_of_usual_batch_sizes():
    assert chunked.CHUNK_IMAGES % 1024 == 0
