"""Forms of Keras and other peers: all train the same network, in a separate process where they need one."""

import os
from contextlib import closing

import numpy as np
import pytest

from nnkernels import contenders
from nnkernels.contenders._subprocess import SubprocessContender, _picklable
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError, InferenceOnlyError
from nnkernels.measure.correctness import gate
from nnkernels.measure.timing.interleaved_measuring import contenders_in_process
from nnkernels.parameters import initial_parameters, max_abs_difference
from nnkernels.recipes import Optimizer, Recipe
from tests.forms import FURTHER_FORMS
from tests.processes import python

FORMS = (
    "keras-fit",
    "keras-fit-steps",
    "keras-fit-xla",
    "keras-graph",
    "keras-graph-xla",
    "keras-jax-fit",
    "keras-jax-fit-steps",
    "scikit-learn",
    "torch-eager",
    "torch-compile",
)
needs_keras_on_jax = pytest.mark.skipif(
    not contenders.is_installed("keras-jax-fit"), reason="keras or jax is not installed"
)
needs_scikit_learn = pytest.mark.skipif(
    not contenders.is_installed("scikit-learn"), reason="scikit-learn is not installed"
)
RECIPE = Recipe("test", Optimizer("momentum"), learning_rate=0.05, epochs=2, schedule="linear", hidden=8)


def test_every_form_is_registered_as_contender():
    assert set(FORMS) <= set(contenders.names())


# Keras on JAX passes the gate in tests/test_bench.py as well.
@pytest.mark.slow
@pytest.mark.parametrize("name", FURTHER_FORMS)
def test_further_forms_pass_gate_and_follow_schedule(name, small_digits):
    images = LabelledImages(small_digits.X_train[:112], small_digits.y_train[:112])
    order, start = np.random.default_rng(1).permutation(112), initial_parameters(1, hidden=RECIPE.hidden)
    found = []
    with closing(contenders.create_anywhere(name)) as contender:
        assert gate.require(name, contender, small_digits).passed
        for trained in (contender, contenders.create("numpy")):
            trained.prepare(start, images, RECIPE)
            for epoch in range(RECIPE.epochs):  # three full batches and half a batch
                trained.advance(order, RECIPE.learning_rates(epoch, 112))
            found.append(trained.parameters())
    assert max_abs_difference(*found) <= 2e-6
    assert max_abs_difference(found[0], start) > 1e-3


# Contenders in a separate process


@needs_keras_on_jax
def test_create_rejects_second_keras_backend_and_names_alternative(tf):
    with pytest.raises(ConfigurationError, match=r"Keras runs on tensorflow in this process.*create_anywhere"):
        contenders.create("keras-jax-fit")


@pytest.mark.slow
@needs_keras_on_jax
def test_keras_on_jax_fixes_backend_and_threads_in_new_process():
    program = """
import os, sys
from nnkernels import contenders
from nnkernels.errors import ConfigurationError
contender = contenders.create("keras-jax-fit")
contender.use_threads(1)
contender.use_threads(1)
try:
    contender.use_threads(2)
except ConfigurationError as error:
    print(error)
import keras
print(keras.backend.backend(), "tensorflow" in sys.modules, os.environ["KERAS_BACKEND"])
"""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}  # the setting of a user whose Keras runs on TensorFlow
    answer = python("-c", program, environment=environment)
    refused, backend = answer.stdout.splitlines()
    assert "the number of XLA's threads is 1, not 2" in refused
    assert backend == "jax False tensorflow"


def test_subprocess_contender_reports_errors_and_can_be_recreated_after_kill(small_digits):
    # The NumPy kernels, in the process of a group that no contender belongs to: it imports no framework.
    with closing(SubprocessContender("numpy", "of this test")) as contender:
        contender.prepare(initial_parameters(0), small_digits.training, Recipe("constant"))
        with pytest.raises(DataError, match="the network has 5 classes"):
            contender.prepare(initial_parameters(0, classes=5), small_digits.training, Recipe("constant"))
        contender.prepare(initial_parameters(0), small_digits.training, Recipe("constant"))
        probs = contender.predict(small_digits.X_test[:3])  # the process still answers
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=0, atol=1e-5)
    contender._process.child.kill()
    with pytest.raises(ConfigurationError, match="the process of of this test ended"):
        contender.parameters()
    restarted = SubprocessContender("numpy", "of this test")
    restarted.close()
    restarted._process._terminate()


@pytest.mark.slow
@needs_keras_on_jax
def test_keras_on_jax_process_reports_errors_and_can_be_recreated_after_kill(small_digits):
    with closing(contenders.create_anywhere("keras-jax-fit")) as contender:
        contender.prepare(initial_parameters(0), small_digits.training, Recipe("constant"))
        with pytest.raises(ConfigurationError, match="prepare it with a schedule"):
            contender.advance(np.arange(64), np.array([0.1, 0.2], np.float32))
        probs = contender.predict(small_digits.X_test[:3])  # the process still answers
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=0, atol=1e-5)
    contender._process.child.kill()
    with pytest.raises(ConfigurationError, match="the process of keras-jax ended"):
        contender.parameters()
    contenders.create_anywhere("keras-jax-fit").close()


@pytest.mark.parametrize("error", [DataError("of the child"), InferenceOnlyError("some"), ValueError("bad value")])
def test_errors_keep_message_when_made_picklable(error):
    assert str(error) in str(_picklable(error))
    assert isinstance(_picklable(error), (type(error), ConfigurationError))


def test_interpreter_exit_ends_subprocess_and_closes_pipes():
    program = "from nnkernels.contenders._subprocess import SubprocessContender as S; S('numpy', 'some group')"
    assert python("-X", "dev", "-c", program).stderr == ""


def test_contenders_in_process_lists_group_and_references(monkeypatch):
    entries = {name: contenders.entry(name) for name in ("numpy", "fused", "jax-scan", "keras-fit", "keras-jax-fit")}
    monkeypatch.setattr(contenders, "_entries", lambda: entries)
    assert contenders_in_process(list(entries), "") == ["numpy", "fused", "jax-scan", "keras-fit"]
    assert contenders_in_process(list(entries), "keras-jax") == ["numpy", "fused", "keras-jax-fit"]
    assert contenders_in_process(list(entries), "torch") == []
    assert contenders_in_process(["keras-fit"], "keras-jax") == []
    assert contenders_in_process(["keras-jax-fit"], "keras-jax") == ["keras-jax-fit"]


# scikit-learn


@needs_scikit_learn
def test_scikit_learn_rejects_two_classes(small_digits):
    two = LabelledImages(small_digits.X_train[:64], small_digits.y_train[:64] % 2)
    start = initial_parameters(0)
    start = start._replace(W2=start.W2[:, :2].copy(), b2=start.b2[:2].copy())
    with pytest.raises(ConfigurationError, match="one logistic output for 2 classes"):
        contenders.create("scikit-learn").prepare(start, two, Recipe("test"))


@needs_scikit_learn
def test_scikit_learn_sets_number_of_blas_threads():
    from threadpoolctl import threadpool_info

    contender = contenders.create("scikit-learn")
    try:
        for threads in (1, 2):
            contender.use_threads(threads)
            assert {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"} == {threads}
    finally:
        contenders.create("numpy").use_threads(len(os.sched_getaffinity(0)))
