"""Training resumes from a checkpoint bit for bit as if it had never stopped; invalid files are rejected."""

import os
import signal
import struct
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from nnkernels import kernels
from nnkernels.augmentation import LIMITS, Augmentation
from nnkernels.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.errors import DataError
from nnkernels.history import EpochRecord, History
from nnkernels.kernels import OptimizerState, initial_state
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import OPTIMIZER_NAMES, SCHEDULE_NAMES, Optimizer, Recipe
from nnkernels.training import continue_training, train
from tests.processes import python

SCHEDULES = ("constant", "linear")
EPOCHS = 4
# Large enough for the parameters to change clearly, small enough for them to stay finite.
LEARNING_RATES = {"sgd": 0.2, "momentum": 0.05, "adam": 0.005}
IDENTITY = {"kernels": "numpy", "NumPy": "2.4"}


def assert_same_bits(actual, expected):
    """Compare parameters or optimizer states byte by byte: -0 differs from 0, and a NaN equals itself."""
    for one, other in zip(actual, expected, strict=True):
        if isinstance(other, tuple):
            assert_same_bits(one, other)
        else:
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert one.tobytes() == other.tobytes()


def without_seconds(history):
    """Return the fields of a history except the seconds, which differ from run to run."""
    values = asdict(history)
    for record in values["epochs"]:
        del record["seconds"]
    return values


def assert_same_history(actual, expected):
    np.testing.assert_equal(without_seconds(actual), without_seconds(expected))  # a NaN equals a NaN


def of(contender, history):
    """Return a checkpoint of the current state of a training run."""
    return Checkpoint(contender.parameters(), contender.optimizer_state(), history, IDENTITY)


def recipe_of(optimizer, schedule):
    return Recipe(
        "test",
        Optimizer(optimizer),
        epochs=EPOCHS,
        learning_rate=LEARNING_RATES[optimizer],
        schedule=schedule,
    )


@pytest.fixture(scope="module")
def data(small_digits):
    """Real digits for three full batches and a shorter one."""
    return LabelledImages(small_digits.X_train[:104], small_digits.y_train[:104])


@pytest.fixture(scope="module")
def held_out(small_digits):
    return LabelledImages(small_digits.X_test[:50], small_digits.y_test[:50])


@pytest.fixture
def checkpoint():
    """A small checkpoint with nonzero values everywhere."""
    rng = np.random.default_rng(2)

    def drawn():
        shapes = ((3, 2), (2,), (2, 4), (4,))
        return Parameters(*(rng.standard_normal(shape).astype(np.float32) for shape in shapes))

    history = History(Recipe("test", epochs=9), 3, 10, [EpochRecord(1, 0.5, 0.3, 0.2), EpochRecord(2, 0.4, 0.2, 0.1)])
    return Checkpoint(drawn(), OptimizerState(np.array([7]), drawn(), drawn()), history, IDENTITY)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoint.safetensors"


# Round trip


def test_checkpoint_round_trips_all_fields(path, checkpoint):
    save_checkpoint(path, checkpoint)
    loaded = load_checkpoint(path)
    assert_same_bits(loaded.parameters, checkpoint.parameters)
    assert_same_bits(loaded.state, checkpoint.state)
    np.testing.assert_equal(asdict(loaded.history), asdict(checkpoint.history))
    assert loaded.history.recipe == checkpoint.history.recipe
    assert loaded.identity == IDENTITY
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_checkpoint_preserves_any_bit_pattern(path, checkpoint, dtype):
    # Subnormals, infinities, -0 and NaNs of every kind.
    rng = np.random.default_rng(5)

    def bits(params):
        return Parameters(*(np.frombuffer(rng.bytes(array.size * dtype().itemsize), dtype) for array in params))

    params = bits(checkpoint.parameters)
    special = np.array([-0.0, np.inf, -np.inf, np.nan, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max], dtype)
    state = OptimizerState(np.array([2**40]), bits(checkpoint.parameters), params._replace(b1=special))
    save_checkpoint(path, replace(checkpoint, parameters=params, state=state))
    loaded = load_checkpoint(path)
    assert_same_bits(loaded.parameters, params)
    assert_same_bits(loaded.state, state)


def test_fortran_order_parameters_are_loaded_in_c_order(path, checkpoint):
    turned = Parameters(*(np.asfortranarray(array) for array in checkpoint.parameters))
    save_checkpoint(path, replace(checkpoint, parameters=turned))
    loaded = load_checkpoint(path).parameters
    assert_same_bits(loaded, checkpoint.parameters)
    assert loaded.W1.flags.c_contiguous


def test_history_round_trips_infinities_and_nan(path, checkpoint):
    nan, inf = float("nan"), float("inf")
    records = [EpochRecord(1, 0.5, nan, 0.9, inf, 0.9), EpochRecord(2, 1 / 3, 1e-320, 0.1, nan, nan)]
    checkpoint.history.epochs[:] = records
    save_checkpoint(path, checkpoint)
    np.testing.assert_equal([vars(record) for record in load_checkpoint(path).history.epochs], list(map(vars, records)))


def test_checkpoint_before_first_epoch_round_trips(path, checkpoint):
    checkpoint.history.epochs.clear()
    start = Checkpoint(checkpoint.parameters, initial_state(checkpoint.parameters), checkpoint.history, {})
    save_checkpoint(path, start)
    loaded = load_checkpoint(path)
    assert loaded.history.epochs == []
    assert loaded.history.epochs_done == 0
    assert loaded.identity == {}
    assert_same_bits(loaded.state, start.state)


fractions = st.floats(0, 1, exclude_max=True)
positive = st.floats(0, exclude_min=True, allow_infinity=False)
counts = st.integers(1, 10**9)
# Any text that UTF-8 can encode; st.text would first scan Unicode for seconds.
texts = st.lists((st.integers(0, 0x7F) | st.integers(0x80, 0xD7FF) | st.integers(0xE000, 0x10FFFF)).map(chr)).map(
    "".join
)
recipes = st.builds(
    Recipe,
    name=texts,
    optimizer=st.builds(
        Optimizer,
        name=st.sampled_from(OPTIMIZER_NAMES),
        momentum=fractions,
        beta_1=fractions,
        beta_2=fractions,
        epsilon=positive,
        weight_decay=positive,
    ),
    batch_size=counts,
    epochs=counts,
    learning_rate=positive,
    schedule=st.sampled_from(SCHEDULE_NAMES),
    hidden=counts,
    warmup_steps=counts,
    deskew=st.just(True),
    normalize_size=st.booleans(),
    augmentation=st.none() | st.builds(Augmentation, **{name: st.floats(0.5, limit) for name, limit in LIMITS.items()}),
    label_smoothing=fractions,
    averaged_epochs=st.sampled_from([0, 1]),
) | st.builds(Recipe, name=texts, patience=counts, deskew=st.booleans())


@given(recipe=recipes, seed=st.integers(0, 2**128), images=counts, identity=st.dictionaries(texts, texts))
def test_any_recipe_seed_and_identity_round_trip(path, checkpoint, recipe, seed, images, identity):
    history = History(recipe, seed, images)
    save_checkpoint(path, replace(checkpoint, history=history, identity=identity))
    loaded = load_checkpoint(path)
    assert loaded.history == history
    assert loaded.identity == identity


def test_checkpoint_file_is_readable_as_plain_safetensors(path, checkpoint):
    # Other programs can read the weights of an unfinished training run without nnkernels.
    save_checkpoint(path, checkpoint)
    arrays = load_file(path)
    np.testing.assert_array_equal(arrays["parameters.W1"], checkpoint.parameters.W1)
    with safe_open(path, framework="numpy") as file:
        assert file.metadata()["format"] == "nnkernels-checkpoint"


# Resuming


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_resuming_from_any_epoch_equals_uninterrupted_training(backend, optimizer, schedule, data, held_out, tmp_path):
    recipe = recipe_of(optimizer, schedule)

    def save(history, contender):
        save_checkpoint(tmp_path / str(history.epochs_done), of(contender, history))

    whole = KernelContender(backend)
    whole_history = train(whole, data, recipe, seed=6, validation=held_out, callbacks=[save])
    assert np.isfinite(whole_history.epochs[-1].train_loss)
    for epoch in range(1, EPOCHS + 1):
        loaded = load_checkpoint(tmp_path / str(epoch))
        assert loaded.history.epochs_done == epoch, "later epochs do not change the file"
        continued = KernelContender(backend)
        continued.prepare(loaded.parameters, data, loaded.history.recipe)
        continued.restore(loaded.state)
        history = continue_training(continued, data, loaded.history, validation=held_out)
        assert_same_bits(continued.parameters(), whole.parameters())
        assert_same_bits(continued.optimizer_state(), whole.optimizer_state())
        assert_same_history(history, whole_history)


def test_resumed_history_keeps_earlier_seconds(data, path):
    contender = KernelContender("numpy")

    def stop(history, contender):
        return history.epochs_done == 2

    stopped = train(contender, data, recipe_of("sgd", "constant"), callbacks=[stop])
    save_checkpoint(path, of(contender, stopped))
    loaded = load_checkpoint(path)
    continued = KernelContender("numpy")
    continued.prepare(loaded.parameters, data, loaded.history.recipe)
    history = continue_training(continued, data, loaded.history)
    assert [record.seconds for record in history.epochs[:2]] == [record.seconds for record in stopped.epochs]
    assert history.seconds > stopped.seconds


def test_optimizer_state_is_copied_when_restored_and_when_returned(data):
    contender = KernelContender("numpy")
    train(contender, data, recipe_of("adam", "constant").with_changes(epochs=1))
    given = contender.optimizer_state()
    before = deepcopy(given)
    contender.restore(given)
    contender.advance(np.arange(64), np.full(2, 0.01, np.float32))
    assert_same_bits(given, before)
    handed_out = contender.optimizer_state()
    after = deepcopy(handed_out)
    assert after.step.tolist() == [before.step[0] + 2]
    for array in (handed_out.step, *handed_out.first, *handed_out.second):
        array += 1
    assert_same_bits(contender.optimizer_state(), after)


# Resuming in other processes

# Completes the training of every checkpoint in a folder. After each epoch it saves the checkpoint and prints a line.
CHILD = """
import sys
from pathlib import Path
import numpy as np
from nnkernels.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.training import continue_training

folder = Path(sys.argv[1])
with np.load(folder / "data.npz") as arrays:
    data = LabelledImages(arrays["X"], arrays["y"])
for path in sorted(folder.glob("*.checkpoint")):
    loaded = load_checkpoint(path)
    contender = KernelContender(loaded.identity["kernels"])
    contender.prepare(loaded.parameters, data, loaded.history.recipe)
    contender.restore(loaded.state)

    def save(history, contender):
        state = contender.optimizer_state()
        save_checkpoint(path, Checkpoint(contender.parameters(), state, history, loaded.identity))
        print(history.epochs_done, flush=True)

    continue_training(contender, data, loaded.history, callbacks=[save])
"""


@pytest.fixture
def folder(tmp_path, data):
    """A folder that contains the training data, for other processes."""
    np.savez(tmp_path / "data.npz", X=data.X, y=data.y)
    return tmp_path


def test_fresh_process_resumes_bit_for_bit(folder, data):
    expected = {}
    for backend in kernels.names():
        for optimizer in OPTIMIZER_NAMES:
            recipe, contender = recipe_of(optimizer, "linear"), KernelContender(backend)
            path = folder / f"{backend}-{optimizer}.checkpoint"

            def save(history, contender, path=path, backend=backend):
                if history.epochs_done == 2:
                    save_checkpoint(path, replace(of(contender, history), identity={"kernels": backend}))

            history = train(contender, data, recipe, seed=8, callbacks=[save])
            expected[path] = contender, history
    python("-c", CHILD, folder)
    for path, (contender, history) in expected.items():
        found = load_checkpoint(path)
        assert found.history.epochs_done == EPOCHS
        assert_same_bits(found.parameters, contender.parameters())
        assert_same_bits(found.state, contender.optimizer_state())
        assert_same_history(found.history, history)


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_repeatedly_killed_training_ends_like_uninterrupted_one(folder, data):
    recipe = recipe_of("adam", "linear").with_changes(epochs=40)
    whole = KernelContender("numpy")
    expected = train(whole, data, recipe, seed=9)

    path, started = folder / "killed.checkpoint", KernelContender("numpy")
    started.prepare(initial_parameters(9, hidden=recipe.hidden), data, recipe)
    save_checkpoint(path, of(started, History(recipe, 9, len(data.X))))
    reached = []
    for epochs_until_the_kill in (1, 3):
        with subprocess.Popen([sys.executable, "-c", CHILD, folder], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(epochs_until_the_kill):
                assert child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        reached.append(load_checkpoint(path).history.epochs_done)
    assert 0 < reached[0] < reached[1] < 40, "each process resumes the training and is killed before its end"
    python("-c", CHILD, folder)
    found = load_checkpoint(path)
    assert_same_bits(found.parameters, whole.parameters())
    assert_same_bits(found.state, whole.optimizer_state())
    assert_same_history(found.history, expected)


# Atomic saving


def test_failed_save_leaves_previous_checkpoint_intact(path, checkpoint):
    resource = pytest.importorskip("resource")
    save_checkpoint(path, checkpoint)
    later = replace(checkpoint, parameters=initial_parameters(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))  # like a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            save_checkpoint(path, later)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_same_bits(load_checkpoint(path).parameters, checkpoint.parameters)
    assert list(path.parent.iterdir()) == [path]
    save_checkpoint(path, later)
    assert_same_bits(load_checkpoint(path).parameters, later.parameters)


def test_loaded_checkpoint_is_independent_of_its_file(path, checkpoint):
    # The file is replaced after each epoch, while the arrays that were read from it are still in use.
    save_checkpoint(path, checkpoint)
    loaded = load_checkpoint(path)
    path.write_bytes(bytes(path.stat().st_size))
    assert_same_bits(loaded.parameters, checkpoint.parameters)
    path.unlink()
    assert_same_bits(loaded.state, checkpoint.state)
    loaded.parameters.W1[:] = 0  # and they are writable


# Invalid checkpoints


def test_load_rejects_missing_file(path):
    with pytest.raises(DataError, match="does not exist, so there is no training to resume"):
        load_checkpoint(path)


def test_load_rejects_folder(tmp_path):
    with pytest.raises(DataError, match=str(tmp_path)):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"loss,accuracy\n0.1,0.9\n", b"PK\x03\x04" + bytes(100), bytes(5000), b"\xff" * 5000, b"\x80\x04N."],
    ids=["empty", "newline", "CSV", "zip", "zeros", "ones", "pickle"],
)
def test_load_rejects_other_file_types(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"checkpoint\.safetensors is damaged \(.*\); start the training again"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"format": "pt"},
        {"format": "nnkernels-parameters", "version": "1"},
        {"format": "nnkernels-checkpoint"},
        {"format": "nnkernels-checkpoint", "version": "999"},
    ],
)
def test_load_distinguishes_other_safetensors_from_damaged_checkpoint(path, metadata):
    save_file({"W1": np.zeros((3, 2), np.float32)}, path, metadata)
    with pytest.raises(DataError, match="is not a checkpoint of version 1"):
        load_checkpoint(path)


def test_load_rejects_file_of_wrong_length(path, checkpoint):
    save_checkpoint(path, checkpoint)
    whole = path.read_bytes()
    for length in (*range(0, len(whole), 13), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="is damaged"):
            load_checkpoint(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(DataError, match="is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_load_rejects_file_with_any_byte_changed(path, checkpoint, step):
    save_checkpoint(path, checkpoint)
    whole = path.read_bytes()
    for place in range(0, len(whole), step):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="start the training again"):
            load_checkpoint(path)


def rewritten(path, checkpoint, change):
    """Save a checkpoint, then change its arrays and metadata and save them again."""
    save_checkpoint(path, checkpoint)
    arrays = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    change(arrays, metadata)
    save_file(arrays, path, metadata)


@pytest.mark.parametrize("missing", ["step", "parameters.W1", "first.b2", "second.W2"])
def test_load_names_missing_array(path, checkpoint, missing):
    rewritten(path, checkpoint, lambda arrays, metadata: arrays.pop(missing))
    with pytest.raises(DataError, match=rf"is damaged \(KeyError: '{missing}'\)"):
        load_checkpoint(path)


@pytest.mark.parametrize("missing", ["history", "identity", "sha256"])
def test_load_names_missing_metadata(path, checkpoint, missing):
    rewritten(path, checkpoint, lambda arrays, metadata: metadata.pop(missing))
    with pytest.raises(DataError, match=rf"is damaged \(KeyError: '{missing}'\)"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{", ""),
        ('"seed"', '"sead"'),
        ('"sgd"', '"sdg"'),
        ('"constant"', '"constent"'),
        ('"batch_size": 32', '"batch_size": 0'),
        ('"batch_size": 32', '"batch_size": null'),
        ('"batch_size": 32', '"batch_size": "32"'),
        ('"learning_rate": 0.1', '"learning_rate": NaN'),
        ('"hidden"', '"width"'),
        ('"train_loss"', '"trainloss"'),
        ('"optimizer": {', '"optimizer": 3, "was": {'),
        ('"epochs": [', '"epochs": 3, "were": ['),
        ('"recipe": {', '"recipe": [], "was": {'),
    ],
)
def test_load_rejects_invalid_history(path, checkpoint, before, after):
    def change(arrays, metadata):
        assert before in metadata["history"]
        metadata["history"] = metadata["history"].replace(before, after, 1)

    rewritten(path, checkpoint, change)
    with pytest.raises(DataError, match="is damaged"):
        load_checkpoint(path)


def test_load_rejects_swapped_arrays(path, checkpoint):
    def swap(arrays, metadata):
        arrays["first.W1"], arrays["second.W1"] = arrays["second.W1"], arrays["first.W1"]

    rewritten(path, checkpoint, swap)
    with pytest.raises(DataError, match="checksum"):
        load_checkpoint(path)


def test_load_rejects_array_of_wrong_shape(path, checkpoint):
    rewritten(path, checkpoint, lambda arrays, metadata: arrays.update({"first.W1": arrays["first.W1"].reshape(2, 3)}))
    with pytest.raises(DataError, match="checksum"):
        load_checkpoint(path)


@pytest.mark.parametrize("history", ["", "3", "[]", "null", '"text"', "{}", "{" * 100_000])
def test_load_rejects_history_without_valid_json_object(path, checkpoint, history):
    rewritten(path, checkpoint, lambda arrays, metadata: metadata.update(history=history))
    with pytest.raises(DataError, match="is damaged"):
        load_checkpoint(path)


def test_load_rejects_false_header_length_quickly(path):
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")
    started = time.monotonic()
    with pytest.raises(DataError, match="is damaged"):
        load_checkpoint(path)
    assert time.monotonic() - started < 5
