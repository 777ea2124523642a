"""JAX and ONNX Runtime contenders: behaviour beyond the protocol of all contenders; inference-only contenders."""

import os
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from nnkernels import contenders
from nnkernels.comparing.claim import run_claim
from nnkernels.comparing.pair import compare
from nnkernels.contenders.jax_sparse import CHUNK, nonzero_lists
from nnkernels.errors import ConfigurationError, DataError, InferenceOnlyError
from nnkernels.measure.correctness.gate_result import INFERENCE_ONLY, GateResult
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import Recipe
from nnkernels.report.gate import show_gate
from nnkernels.training import train
from tests.processes import python

JAX = [name for name in ("jax-scan", "jax-sparse") if contenders.is_installed(name)]
needs_jax = pytest.mark.skipif(not JAX, reason="jax is not installed")
needs_onnxruntime = pytest.mark.skipif(
    not contenders.is_installed("onnxruntime"), reason="onnx or onnxruntime is not installed"
)
RECIPE = Recipe("test", hidden=8)

# JAX


def run_in_new_process(program):
    """Run a program in a new interpreter, in which JAX has not started; return its stdout and stderr."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    answer = python("-W", "error", "-c", program, environment=environment)
    return answer.stdout + answer.stderr


SET_THREADS = """
import os
import numpy as np
from nnkernels import contenders
from nnkernels.contenders._xla_threads import compute_threads
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import SGD
{before}
data = LabelledImages(np.eye(64, 784, dtype=np.uint8), np.zeros(64, np.uint8))
for name in {names}:
    contender = contenders.create(name)
    contender.use_threads({threads})
    contender.use_threads({threads})
    contender.prepare(initial_parameters(0), data, SGD)
    contender.advance(np.arange(64), np.full(2, 0.1, np.float32))
    try:
        contender.use_threads({threads} + 1)
    except ConfigurationError as error:
        assert "before JAX's first computation" in str(error)
    else:
        raise AssertionError("use_threads accepted a number of threads that can no longer be set")
assert compute_threads() in (0, {threads}), compute_threads()
assert os.environ.get("NPROC") == {left!r}
"""


@needs_jax
@pytest.mark.parametrize("threads", [*(pytest.param(threads, marks=pytest.mark.slow) for threads in (1, 2)), 3])
def test_jax_uses_given_number_of_threads_and_prints_nothing(threads):
    assert (
        run_in_new_process(SET_THREADS.format(before="", names=JAX, threads=threads, left=os.environ.get("NPROC")))
        == ""
    )


@needs_jax
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads can be counted only on Linux")
def test_threads_of_already_started_jax_are_detected():
    started = "import jax; os.environ['NPROC'] = '2'; jax.devices(); os.environ['NPROC'] = '5'"
    assert run_in_new_process(SET_THREADS.format(before=started, names=JAX[:1], threads=2, left="5")) == ""


@pytest.mark.parametrize("name", JAX)
def test_jax_does_not_recompile_for_other_numbers_of_images(name, small_digits):
    with closing(contenders.create(name)) as contender:
        contender.prepare(initial_parameters(0, hidden=8), small_digits.training, RECIPE)
        compiled = contender._train._cache_size()
        for images in (2304, 320, 352, 32, 31, 1, 0):
            contender.advance(np.arange(images), np.full(RECIPE.batches(images), 0.1, np.float32))
        contender.prepare(initial_parameters(1, hidden=8), small_digits.training, RECIPE)
        assert contender._train._cache_size() == compiled


@pytest.mark.parametrize("name", JAX)
def test_jax_contenders_reject_rows_and_labels_out_of_range(name, small_digits):
    with closing(contenders.create(name)) as contender:
        contender.prepare(initial_parameters(0, hidden=8), small_digits.training, RECIPE)
        for row in (-1, 2304):
            with pytest.raises(DataError, match="there are 2304 images"):
                contender.advance(np.array([0, row]), np.ones(1, np.float32))
        with pytest.raises(DataError, match="the network has 5 classes"):
            contender.prepare(initial_parameters(0, hidden=8, classes=5), small_digits.training, RECIPE)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_nonzero_lists_contain_every_nonzero_pixel(dtype, small_digits):
    X = small_digits.X_train[:50].astype(dtype)
    X[7] = 0
    lists = nonzero_lists(X)
    assert lists.values.dtype == dtype
    assert lists.positions.shape[1] % CHUNK == 0
    np.testing.assert_array_equal(lists.lengths, np.count_nonzero(X, axis=1))
    dense = np.zeros_like(X)
    np.add.at(dense, (np.arange(50)[:, np.newaxis], lists.positions), lists.values)
    np.testing.assert_array_equal(dense, X)


@pytest.mark.parametrize("X", [np.zeros((0, 784), np.uint8), np.zeros((3, 784), np.uint8)], ids=["none", "blank"])
def test_nonzero_lists_without_nonzero_pixels_have_minimum_length(X):
    assert nonzero_lists(X).positions.shape == (len(X), CHUNK)


# ONNX Runtime


@needs_onnxruntime
def test_training_with_onnxruntime_raises_inference_only_error(small_digits):
    with closing(contenders.create("onnxruntime")) as contender:
        with pytest.raises(InferenceOnlyError, match="train with another contender, then pass its parameters"):
            train(contender, small_digits.training, RECIPE)
        with pytest.raises(ConfigurationError):
            contender.advance(np.arange(1), np.ones(1, np.float32))


@needs_onnxruntime
def test_threads_of_onnxruntime_can_be_changed(small_digits):
    with closing(contenders.create("onnxruntime")) as contender:
        contender.prepare(initial_parameters(0), small_digits.training, RECIPE)
        answers = []
        for threads in (1, 2, 1):
            contender.use_threads(threads)
            answers.append(contender.predict(small_digits.X_test))
            used = contender._session(pixels=True).get_session_options()
            assert (used.intra_op_num_threads, used.inter_op_num_threads) == (threads, 1)
        assert len(contender.sessions) == 2  # reused, so that none is created while timing
        np.testing.assert_allclose(answers[1], answers[0], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(answers[2], answers[0])


@needs_onnxruntime
def test_second_prepare_of_onnxruntime_replaces_network(small_digits):
    with closing(contenders.create("onnxruntime")) as contender:
        answers = []
        for seed in (0, 1):
            start = initial_parameters(seed)
            contender.prepare(start, small_digits.training, RECIPE)
            answers.append(contender.predict(small_digits.X_test))
            assert max_abs_difference(contender.parameters(), start) == 0
        assert np.abs(answers[0] - answers[1]).max() > 0.01


# Inference-only contenders


@pytest.fixture
def listener(monkeypatch):
    """The name of a registered contender that cannot train; creating it fails the test."""
    known = {
        **contenders._entries(),
        "listener": contenders.Entry(lambda: pytest.fail("made"), "predicts", trains=False),
    }
    monkeypatch.setattr(contenders, "_entries", lambda: known)
    return "listener"


def test_comparisons_of_training_reject_inference_only_contender(listener, small_digits, tmp_path):
    with pytest.raises(InferenceOnlyError, match=listener):
        compare(["numpy", listener], small_digits, RECIPE)
    with pytest.raises(InferenceOnlyError, match=listener):
        run_claim("numpy", listener, small_digits, tmp_path, 2, pytest.fail)


def test_training_benchmarks_skip_inference_only_contender(listener):
    from asv_runner.benchmarks.mark import SkipNotImplemented

    from bench._common import trainable_or_skip

    assert trainable_or_skip("numpy") == "numpy"
    with pytest.raises(SkipNotImplemented, match="listener cannot train"):
        trainable_or_skip(listener)


def test_gate_table_shows_no_training_of_inference_only_contender():
    judged = [
        GateResult("numpy", "sgd", 32, 2e-7, 1e-5, 3e-7),
        GateResult("listener", INFERENCE_ONLY, 32, 0.0, 0.0, 4e-7),
    ]
    lines = gate_table_lines(judged)
    assert next(line.split() for line in lines if "listener" in line) == [
        "listener", "passed", "-", "4.0e-07", "(3e-06)",
    ]  # fmt: skip
    assert any("only predicts" in line for line in lines)
    assert not any("only predicts" in line for line in gate_table_lines(judged[:1]))


def gate_table_lines(judged):
    """Return the lines of the gate's table as printed to a pipe."""
    out = StringIO()
    show_gate(Console(file=out), judged, {}, "mnist")
    return out.getvalue().splitlines()
