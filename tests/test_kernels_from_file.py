"""Kernels from a user's file: they train like any backend, and errors in the file are reported."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nnkernels import contenders, kernels
from nnkernels.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.errors import ContractError, DataError
from nnkernels.evaluation import evaluate
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import OPTIMIZER_NAMES, Optimizer, Recipe
from nnkernels.training import batch_order, train

SOURCE = Path(numpy_kernels.__file__).read_text(encoding="utf-8")
RELU = "A1 = np.maximum(Z1, 0)"
RELU_GRADIENT = "(activations.Z1 > 0)"
TANH = ((f"    {RELU}\n", "    A1 = np.tanh(Z1)\n"), (f" {RELU_GRADIENT}\n", " (1 - activations.A1**2)\n"))

RECIPE = Recipe("test", epochs=2, learning_rate=0.1, hidden=6)


def edited(*changes):
    """Return the source of the reference kernels with pieces of it replaced, each exactly once."""
    source = SOURCE
    for before, after in changes:
        assert source.count(before) == 1, f"{before!r} does not occur exactly once"
        source = source.replace(before, after)
    return source


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a source file and returns its path."""

    def write_source(source, name="mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return path

    return write_source


@pytest.fixture(autouse=True)
def modules():
    """Unload the files that a test has loaded, so that no other test sees them."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("kernels_from_file_"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def data(small_digits):
    return LabelledImages(small_digits.X_train[:80], small_digits.y_train[:80])


def tanh_network(params, X):
    """Return hidden layer and probabilities of a tanh network, in float64."""
    W1, b1, W2, b2 = params
    A1 = np.tanh(X @ W1 + b1)
    scores = np.exp(A1 @ W2 + b2)
    return A1, scores / scores.sum(axis=1, keepdims=True)


def trained_by_hand(start, data, recipe, seed):
    """Train a tanh network by gradient descent, in float64 and as simply as possible."""
    W1, b1, W2, b2 = (array.astype(np.float64) for array in start)
    X, targets = data.X / 255.0, np.eye(10)[data.y]
    for epoch in range(recipe.epochs):
        order = batch_order(seed, epoch, len(X))
        for first in range(0, len(X), recipe.batch_size):
            rows = order[first : first + recipe.batch_size]
            A1, probs = tanh_network((W1, b1, W2, b2), X[rows])
            error = (probs - targets[rows]) / len(rows)
            hidden_error = error @ W2.T / np.cosh(np.arctanh(A1)) ** 2  # the derivative of tanh is 1 / cosh^2
            W1 = W1 - recipe.learning_rate * X[rows].T @ hidden_error
            b1 = b1 - recipe.learning_rate * hidden_error.sum(axis=0)
            W2 = W2 - recipe.learning_rate * A1.T @ error
            b2 = b2 - recipe.learning_rate * error.sum(axis=0)
    return W1, b1, W2, b2


# Training


@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_unchanged_copy_trains_like_reference(write, data, optimizer):
    recipe = RECIPE.with_changes(optimizer=Optimizer(optimizer), learning_rate=0.01)
    copied, reference = KernelContender(kernels.load_file(write(SOURCE))), KernelContender("numpy")
    histories = [train(contender, data, recipe) for contender in (copied, reference)]
    assert max_abs_difference(copied.parameters(), reference.parameters()) == 0
    assert histories[0].history == histories[1].history


def test_file_with_tanh_in_place_of_relu_trains_tanh_network(write, data):
    backend = kernels.load_file(write(edited(*TANH)))
    contender = KernelContender(backend)
    history = train(contender, data, RECIPE, seed=4, judge=backend)
    expected = trained_by_hand(initial_parameters(4, hidden=RECIPE.hidden), data, RECIPE, seed=4)
    assert max_abs_difference(contender.parameters(), expected) < 1e-6
    with_relu = KernelContender("numpy")
    train(with_relu, data, RECIPE, seed=4)
    assert max_abs_difference(with_relu.parameters(), expected) > 1e-3, "tanh and ReLU must give different parameters"

    _A1, probs = tanh_network(expected, data.X / 255.0)
    record = history.epochs[-1]
    assert record.train_loss == pytest.approx(-np.log(probs[np.arange(len(data.y)), data.y]).mean(), rel=1e-5)
    assert record.train_error_rate == np.mean(probs.argmax(axis=1) != data.y)
    np.testing.assert_allclose(contender.predict(data.X), probs, rtol=0, atol=1e-5)


def test_evaluation_of_another_network_needs_its_own_kernels(write, data):
    # The reason for the argument `judge`.
    backend = kernels.load_file(write(edited(*TANH)))
    contender = KernelContender(backend)
    train(contender, data, RECIPE, judge=backend)
    params = contender.parameters()
    assert evaluate(params, data.X, data.y, backend) != evaluate(params, data.X, data.y)


def test_tanh_network_learns_digits(write, small_digits):
    backend = kernels.load_file(write(edited(*TANH)))
    recipe = Recipe("test", epochs=5, learning_rate=0.2)
    history = train(
        KernelContender(backend), small_digits.training, recipe, validation=small_digits.test, judge=backend
    )
    assert history.epochs[-1].train_error_rate < 0.15  # chance: 0.9
    assert history.epochs[-1].validation_error_rate < 0.25


def test_loss_of_numpy_float_can_be_saved_in_checkpoint(write, data, tmp_path):
    # Without `float(...)`, the loss is a NumPy float32 scalar, which JSON does not support.
    before = "return float(np.mean(log_sum_exp - shifted[np.arange(len(y)), y], dtype=np.float64))"
    backend = kernels.load_file(write(edited((before, "return np.mean(log_sum_exp - shifted[np.arange(len(y)), y])"))))
    assert type(backend.loss(np.zeros((2, 10), np.float32), np.array([1, 2]))) is np.float32
    contender = KernelContender(backend)
    history = train(contender, data, RECIPE, judge=backend)
    path = tmp_path / "checkpoint"
    save_checkpoint(path, Checkpoint(contender.parameters(), contender.optimizer_state(), history, {}))
    assert load_checkpoint(path).history.epochs[-1].train_loss == history.epochs[-1].train_loss


def test_train_inplace_of_file_is_used(write, data):
    arguments = "params, state, X, y, order, learning_rates, batch_size, scale, rule"
    own = f"\n\ndef train_inplace({arguments}):\n    params.b2[:] = 7\n"
    contender = KernelContender(kernels.load_file(write(SOURCE + own)))
    train(contender, data, RECIPE)
    assert (contender.parameters().b2 == 7).all()


def test_file_can_define_compiled_functions_and_dataclasses(write, data):
    # Both look up their module by its name.
    source = edited(
        ("import numpy as np\n", "import dataclasses\n\nimport numba\nimport numpy as np\n"),
        (f"    {RELU}\n", "    A1 = SETTINGS.slope * rectified(Z1)\n"),
    )
    source += """

@dataclasses.dataclass(frozen=True)
class Settings:
    slope: int = 1


SETTINGS = Settings()


@numba.njit(cache=True)
def rectified(Z1):
    return np.maximum(Z1, np.float32(0))
"""
    compiled, reference = KernelContender(kernels.load_file(write(source))), KernelContender("numpy")
    for contender in (compiled, reference):
        train(contender, data, RECIPE)
    assert max_abs_difference(compiled.parameters(), reference.parameters()) == 0


# Names


@contextmanager
def unchanged_modules(*names):
    """Assert that these modules are not replaced within the block."""
    before = {name: sys.modules[name] for name in names}
    yield
    for name, module in before.items():
        assert sys.modules[name] is module


@pytest.mark.parametrize("name", ["numpy.py", "json.py", "numpy_kernels.py", "nnkernels.py"])
def test_file_can_have_name_of_a_module(write, data, name):
    import json  # noqa: F401

    with unchanged_modules("numpy", "json", "nnkernels", "nnkernels.kernels.numpy_kernels"):
        backend = kernels.load_file(write(edited(*TANH), name))
    assert kernels.load("numpy") is numpy_kernels
    contender = KernelContender(backend)
    train(contender, data, RECIPE, seed=4)
    expected = trained_by_hand(initial_parameters(4, hidden=RECIPE.hidden), data, RECIPE, seed=4)
    assert max_abs_difference(contender.parameters(), expected) < 1e-6


@pytest.mark.parametrize(
    "name", ["with space.py", "two.dots.py", "9-ways.py", "größer.py", "class.py", "mine.txt", "mine"]
)
def test_file_can_have_any_name(write, name):
    backend = kernels.load_file(write(SOURCE, name))
    assert backend.loss(np.zeros((1, 10), np.float32), np.array([3])) == pytest.approx(np.log(10))


def test_files_of_same_name_are_separate_backends(write):
    relu, tanh = (kernels.load_file(write(source, f"{i}/mine.py")) for i, source in enumerate((SOURCE, edited(*TANH))))
    params, X = initial_parameters(0), np.ones((1, 784), np.float32)
    A1_relu, A1_tanh = relu.forward(params, X).A1, tanh.forward(params, X).A1
    assert A1_relu.min() == 0
    assert A1_tanh.min() < 0
    assert relu.forward(params, X).A1.min() == 0, "the first backend must be unchanged"


def test_load_file_writes_nothing_beside_file(write, monkeypatch):
    # The folder may be the user's, or it may not be writable.
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)  # beside the sources
    path = write(SOURCE)
    kernels.load_file(path)
    assert list(path.parent.iterdir()) == [path]


def test_loaded_file_is_not_registered_as_backend_or_contender(write):
    before = kernels.names(), contenders.names()
    kernels.load_file(write(SOURCE))
    assert (kernels.names(), contenders.names()) == before


@pytest.mark.parametrize("change", ["later", "at once"])
def test_edit_takes_effect_at_next_load(write, monkeypatch, change):
    # "At once": within a second and of the same size, so that a bytecode cache by time and size would miss the edit.
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)  # beside the sources
    path = write(SOURCE.replace(RELU, "A1 = np.tanh(Z1)   "))
    params, X = initial_parameters(0), np.ones((1, 784), np.float32)
    first = kernels.load_file(path).forward(params, X).A1
    times = path.stat()
    path.write_text(SOURCE.replace(RELU, "A1 = np.arctan(Z1) "), encoding="utf-8")
    assert path.stat().st_size == times.st_size
    later = 0 if change == "at once" else 10 * 10**9
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + later))
    second = kernels.load_file(path).forward(params, X).A1
    np.testing.assert_allclose(np.tan(second), np.arctanh(first), rtol=1e-4, atol=1e-6)


# Errors


@pytest.mark.parametrize("name", ["missing.py", "no/such/folder.py", "missing"])
def test_missing_file_is_reported_with_advice(tmp_path, name):
    with pytest.raises(DataError, match=r"is not a file; .* an edited copy of nnkernels/kernels/numpy_kernels\.py"):
        kernels.load_file(tmp_path / name)


def test_folder_is_rejected(tmp_path):
    (tmp_path / "folder.py").mkdir()
    for folder in (tmp_path, tmp_path / "folder.py"):
        with pytest.raises(DataError, match="is not a file; expected a Python file"):
            kernels.load_file(folder)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(9), b'{"cells": [}', b"\xff\xfe\xfd"])
def test_file_of_another_kind_is_rejected(tmp_path, content):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"mine\.py.* cannot be imported: "):
        kernels.load_file(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RELU, "A1 = np.maximum(Z1, 0"),
        (RELU, "A1 == = Z1"),
        (f"    {RELU}", f"   {RELU}"),
        (f"    {RELU}", f"      {RELU}"),
    ],
    ids=["bracket", "operator", "too little indented", "too far indented"],
)
def test_syntax_error_is_reported_with_line(write, before, after):
    path = write(edited((before + "\n", after + "\n")))
    line = next(number for number, text in enumerate(SOURCE.splitlines(), 1) if RELU in text)
    with pytest.raises(ContractError) as caught:
        kernels.load_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line} cannot be imported: ")
    assert "Error" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_package_of_anybody\n", "ModuleNotFoundError: No module named 'no_such_package_of_anybody'"),
        ("x = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("x = undefined\n", "NameError: name 'undefined' is not defined"),
        ("import sys\nsys.exit(2)\n", "SystemExit: 2"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines"),
        ("a = 1\n\0\n", "null bytes"),
        ("# coding: nonsense\n", "unknown encoding: nonsense"),
    ],
)
def test_error_on_import_is_reported(write, source, message):
    path = write(source)
    with pytest.raises(ContractError) as caught:
        kernels.load_file(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", kernels.contract.FUNCTIONS)
def test_missing_function_is_named(write, function):
    path = write(edited((f"def {function}(", f"def not_{function}(")))
    with pytest.raises(ContractError, match=rf"mine.* has no function {function}, which the contract requires"):
        kernels.load_file(path)


def test_error_on_import_is_reported_with_line_of_file(write):
    # Not with the line in the library that raised it.
    path = write("import json\n\n\ndef settings():\n    return json.loads('{')\n\n\nsettings()\n")
    with pytest.raises(ContractError, match=r"mine\.py, line 5 cannot be imported: JSONDecodeError"):
        kernels.load_file(path)


def test_name_that_is_no_function_counts_as_missing(write):
    with pytest.raises(ContractError, match="has no function loss"):
        kernels.load_file(write(SOURCE + "\n\nloss = 0.5\n"))


def test_empty_file_is_rejected(write):
    with pytest.raises(ContractError, match="has no function forward"):
        kernels.load_file(write(""))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("def loss(logits:", "def loss(probs:", r"loss takes \(probs, y\); expected \(logits, y\)"),
        (
            "def forward(params: Parameters, X: FloatArray)",
            "def forward(X, params)",
            r"forward takes \(X, params\); expected \(params, X\)",
        ),
        (
            "def forward(params: Parameters, X: FloatArray)",
            "def forward(params, X, slope=0.1)",
            r"forward takes \(params, X, slope\); expected \(params, X\)",
        ),
    ],
    ids=["another name", "another order", "one more"],
)
def test_wrong_arguments_are_reported_with_expected_ones(write, before, after, message):
    with pytest.raises(ContractError, match=rf"mine.*{message}"):
        kernels.load_file(write(edited((before, after))))


def test_file_can_be_loaded_after_failure_and_correction(write, data):
    with pytest.raises(ContractError, match="cannot be imported"):
        kernels.load_file(write("x = = 1\n"))
    contender = KernelContender(kernels.load_file(write(SOURCE)))
    assert train(contender, data, RECIPE).epochs_done == RECIPE.epochs
