"""Training jobs: the files they write, and resumed jobs, which equal uninterrupted ones."""

import csv
import importlib
import io
import json
import math
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numba
import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits

from nnkernels import kernels
from nnkernels.checkpoints import load_checkpoint, save_checkpoint
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, DataError, ReproducibilityWarning
from nnkernels.evaluation import probabilities
from nnkernels.interchange import save_parameters
from nnkernels.kernels import numpy_kernels
from nnkernels.kernels.fused import paths
from nnkernels.learn import pictures, training_job
from nnkernels.learn.predictions import Predictions
from nnkernels.learn.terminal import training_progress
from nnkernels.learn.training_job import CHECKPOINT
from nnkernels.learn.training_report import write_report
from nnkernels.learn.training_request import TrainingRequest, load_kernels
from nnkernels.measure.records import provenance
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Optimizer, Recipe
from tests import reference

REQUEST = TrainingRequest(recipe="sgd", backend="numpy", epochs=3, hidden=8, learning_rate=0.2, seed=4)


def run(request, dataset, folder, resume=False):
    shown = []
    trained = training_job.run(request, dataset, folder, resume, lambda history: shown.append(history.epochs_done))
    return trained, shown


@pytest.fixture
def no_figures(monkeypatch):
    """Do not draw the figures, which take most of the time and have their own tests."""
    monkeypatch.setattr("nnkernels.learn.training_report._draw", lambda *_arguments: None)


@pytest.fixture
def tanh_file(tmp_path):
    source = Path(numpy_kernels.__file__).read_text("utf-8")
    path = tmp_path / "tanh_kernels.py"
    path.write_text(
        source.replace("np.maximum(Z1, 0)", "np.tanh(Z1)").replace("(activations.Z1 > 0)", "(1 - activations.A1**2)")
    )
    return path


def test_training_writes_weights_history_metrics_and_figures(small_digits, tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    trained, shown = run(REQUEST, small_digits, tmp_path)
    write_report(trained, small_digits, tmp_path)
    assert shown == [1, 2, 3]
    assert trained.finished
    names = {path.name for path in tmp_path.iterdir()}
    pictures = {f"{name}.png" for name in ("curves", "predictions", "mistakes", "confusion", "hidden_units")}
    records = {"training_steps.safetensors", "mistakes.json", "mistakes_digits.png"}
    assert names == pictures | records | {CHECKPOINT, "parameters.safetensors", "history.csv", "metrics.json"}
    # scikit-learn's metrics of the weights in the file
    found = json.loads((tmp_path / "metrics.json").read_text())
    weights = Parameters(**load_file(tmp_path / "parameters.safetensors"))
    probs = reference.probabilities(weights, small_digits.X_test / 255)
    y = small_digits.y_test
    assert found["test"]["accuracy"] == pytest.approx(metrics.accuracy_score(y, probs.argmax(axis=1)), abs=1e-12)
    assert found["test"]["loss"] == pytest.approx(metrics.log_loss(y, probs, labels=range(10)), rel=1e-5)
    assert found["confusion"] == metrics.confusion_matrix(y, probs.argmax(axis=1), labels=range(10)).tolist()
    held_out = small_digits.validation_split()
    for part, images in (("train", held_out.training), ("validation", held_out.test)):
        probs = reference.probabilities(weights, images.X / 255)
        assert found[part]["error_rate"] == pytest.approx(np.mean(probs.argmax(axis=1) != images.y))
        assert found[part]["loss"] == pytest.approx(metrics.log_loss(images.y, probs, labels=range(10)), rel=1e-5)
    assert found["training_images"] == len(held_out.X_train)
    assert (found["epochs"], found["seed"], found["kernels"]) == (3, 4, "numpy")
    assert found["finished"]
    assert not found["diverged"]
    assert not found["different_mathematics"]
    assert "commit" in found["provenance"]


def test_history_file_equals_history(small_digits, tmp_path, no_figures):
    trained, _ = run(REQUEST, small_digits, tmp_path)
    write_report(trained, small_digits, tmp_path)
    with open(tmp_path / "history.csv") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    elapsed = [row.pop("elapsed_seconds") for row in rows]
    assert elapsed == pytest.approx(np.cumsum([record.seconds for record in trained.history.epochs]))
    assert rows == [asdict(record) for record in trained.history.epochs]  # to the last bit


@pytest.mark.parametrize("recipe", ["sgd", "momentum", "adam"])
def test_resumed_training_equals_uninterrupted_training(recipe, small_digits, tmp_path):
    request = TrainingRequest(recipe=recipe, backend="numba", epochs=4, hidden=6)
    whole, _ = run(request, small_digits, tmp_path / "whole")

    class Killed(Exception):  # noqa: N818
        pass

    def die(history):
        if history.epochs_done == 2:
            raise Killed

    with pytest.raises(Killed):
        training_job.run(request, small_digits, tmp_path / "parts", False, die)
    # Only the folder is given: recipe, seed and backend come from the checkpoint.
    parts, shown = run(TrainingRequest(), small_digits, tmp_path / "parts", resume=True)
    assert shown == [3, 4]
    for one, other in zip(whole.parameters, parts.parameters, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(whole.history.epochs, parts.history.epochs, strict=True):
        assert (one.train_loss, one.validation_loss) == (other.train_loss, other.validation_loss)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"recipe": "adam"}, r"recipe \(sgd in the checkpoint, adam now\)"),
        ({"seed": 5}, r"seed \(4 in the checkpoint, 5 now\)"),
        ({"batch_size": 16}, "batch_size"),
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"epochs": 9}, "epochs"),
        ({"hidden": 9}, "hidden"),
        ({"backend": "numba"}, "kernels"),
    ],
)
def test_resume_rejects_options_that_contradict_checkpoint(change, named, small_digits, tmp_path):
    run(REQUEST, small_digits, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ConfigurationError, match=f"different {named}"):
        run(TrainingRequest(**change), small_digits, tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_resume_rejects_other_data(small_digits, tmp_path):
    run(REQUEST, small_digits, tmp_path)
    X_train = small_digits.X_train.copy()
    X_train[0, 0] ^= 1
    other = Dataset(X_train, small_digits.y_train, small_digits.X_test, small_digits.y_test)
    with pytest.raises(ConfigurationError, match="different data"):
        run(TrainingRequest(), other, tmp_path, resume=True)


def test_run_does_not_overwrite_existing_training(small_digits, tmp_path):
    run(REQUEST, small_digits, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ConfigurationError, match="already contains a training run"):
        run(REQUEST, small_digits, tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_network_of_user_kernels_is_marked_and_evaluated_by_them(small_digits, tmp_path, tanh_file, no_figures):
    request = TrainingRequest(recipe="sgd", kernels_file=tanh_file, epochs=2)
    trained, _ = run(request, small_digits, tmp_path / "out")
    found = write_report(trained, small_digits, tmp_path / "out")
    assert found["different_mathematics"]
    assert found["kernels"].startswith("tanh_kernels.py (")
    weights = Parameters(**load_file(tmp_path / "out" / "parameters.safetensors"))
    probs = reference.probabilities(weights, small_digits.X_test / 255, hidden=np.tanh)
    expected = np.mean(probs.argmax(axis=1) == small_digits.y_test)
    assert found["test"]["accuracy"] == pytest.approx(expected, abs=1e-12)
    assert expected > 0.5
    tanh_file.write_text(tanh_file.read_text() + "\n# edited\n")
    with pytest.raises(ConfigurationError, match="different kernels"):
        run(TrainingRequest(kernels_file=tanh_file), small_digits, tmp_path / "out", resume=True)


def test_backend_and_kernels_file_are_mutually_exclusive(tanh_file):
    with pytest.raises(ConfigurationError, match="--backend and --kernels"):
        load_kernels("numpy", tanh_file)


def test_too_large_learning_rate_gives_valid_report(small_digits, tmp_path, no_figures):
    # 1e6 gives finite but useless weights. The file must be strict JSON, without NaN.
    trained, _ = run(replace(REQUEST, epochs=1, learning_rate=1e6), small_digits, tmp_path)
    write_report(trained, small_digits, tmp_path)
    found = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert found["test"]["accuracy"] < 0.5
    assert np.sum(found["confusion"]) == len(small_digits.X_test)


def test_diverged_training_is_reported(small_digits, tmp_path):
    request = TrainingRequest(recipe="sgd", backend="numpy", epochs=2, learning_rate=1e30)
    with np.errstate(all="ignore"):
        trained, _ = run(request, small_digits, tmp_path)
        assert not math.isfinite(trained.history.epochs[-1].train_loss)
        write_report(trained, small_digits, tmp_path)
    found = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert found["diverged"]
    assert found["test"]["loss"] is None
    assert not (tmp_path / "parameters.safetensors").exists()


def test_predictions_list_most_confident_mistakes_first(small_digits):
    probs = np.full((4, 10), 0.01)
    images = type(small_digits.test)(small_digits.X_test[:4], np.array([0, 1, 2, 3]))
    for n, (predicted, confidence) in enumerate([(0, 0.9), (5, 0.6), (6, 0.8), (7, 0.7)]):
        probs[n, predicted] = confidence
    predictions = Predictions(images, probs)
    assert predictions.wrong.tolist() == [2, 3, 1]
    assert predictions.confusion.sum() == 4
    assert all(predictions.confusion[true, predicted] == 1 for true, predicted in ((0, 0), (1, 5), (2, 6), (3, 7)))


def test_probabilities_of_any_number_of_images_equal_reference(small_digits):
    params = initial_parameters(3)
    backend = kernels.load("numpy")
    X = small_digits.X_train
    assert len(X) > 2048  # more than are computed at a time
    expected = reference.probabilities(params, X / 255)
    np.testing.assert_allclose(probabilities(backend, params, X), expected, atol=1e-6)
    assert probabilities(backend, params, X[:0]).shape == (0, 10)


# Requests


def test_request_changes_only_given_fields_of_recipe():
    found = TrainingRequest(recipe="momentum", epochs=7, learning_rate=0.5).recipe_for(1000)
    expected = Recipe(
        "momentum", Optimizer("momentum"), batch_size=32, epochs=7, learning_rate=0.5, schedule="linear", hidden=20
    )
    assert found == expected
    assert TrainingRequest(recipe="gradient-descent", hidden=9).recipe_for(1000).batch_size == 1000  # all in one step
    assert TrainingRequest().recipe_for(1000).name == "adam"


def test_request_takes_missing_fields_from_resumed_training():
    base = Recipe("sgd", batch_size=8, epochs=3, hidden=5, learning_rate=0.3)
    assert TrainingRequest().recipe_for(1000, base) == base
    assert TrainingRequest(recipe="sgd").recipe_for(1000, base) == base
    assert TrainingRequest(epochs=4).recipe_for(1000, base) == replace(base, epochs=4)
    assert TrainingRequest(recipe="adam", hidden=5).recipe_for(1000, base) == TrainingRequest(
        recipe="adam", hidden=5
    ).recipe_for(1000)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"hidden": 0}, "hidden is 0"),
        ({"hidden": 10**9}, "a network of 784-1000000000-10 units needs at least"),
    ],
)
def test_invalid_recipe_creates_no_folder(change, named, small_digits, tmp_path):
    with pytest.raises(ConfigurationError, match=named):
        run(TrainingRequest(**change), small_digits, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_negative_seed_is_rejected():
    with pytest.raises(ConfigurationError, match="seed is -1"):
        TrainingRequest(seed=-1)


def test_run_rejects_file_in_place_of_folder(small_digits, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ConfigurationError, match="cannot create the folder"):
        run(REQUEST, small_digits, tmp_path / "out")


def test_resume_without_checkpoint_is_rejected_and_creates_no_folder(small_digits, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        run(REQUEST, small_digits, tmp_path / "out", resume=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interrupt_stops_training_after_epoch_and_is_reported(small_digits, tmp_path, no_figures):
    def show(history):
        if history.epochs_done == 2:
            signal.raise_signal(signal.SIGINT)

    trained = training_job.run(REQUEST, small_digits, tmp_path, False, show)
    assert (trained.history.epochs_done, trained.finished) == (2, False)
    found = write_report(trained, small_digits, tmp_path)
    assert (found["epochs"], found["finished"]) == (2, False)
    assert run(TrainingRequest(), small_digits, tmp_path, resume=True)[1] == [3]


def test_resume_of_finished_training_runs_no_epoch(small_digits, tmp_path):
    whole, _ = run(REQUEST, small_digits, tmp_path)
    again, shown = run(TrainingRequest(), small_digits, tmp_path, resume=True)
    assert shown == []
    assert again.finished
    for one, other in zip(whole.parameters, again.parameters, strict=True):
        np.testing.assert_array_equal(one, other)


# Other threads, another BLAS, another CPU


def train_one_epoch_and_abort(request, dataset, folder):
    """Train one epoch, then abort the training."""

    class Killed(Exception):  # noqa: N818
        pass

    def die(_history):
        raise Killed

    with pytest.raises(Killed):
        training_job.run(request, dataset, folder, False, die)


@pytest.fixture
def one_blas_thread():
    importlib.import_module("scipy.linalg.cython_blas")  # loads SciPy's BLAS, so that it can be limited
    with threadpool_limits(1, "blas"):
        yield


def test_resume_with_another_number_of_threads_warns(small_digits, tmp_path, one_blas_thread):
    train_one_epoch_and_abort(REQUEST, small_digits, tmp_path)
    message = r"different conditions \(threads: 1 of BLAS and \d+ of Numba in the checkpoint, 2 of BLAS .* now\), so"
    with threadpool_limits(2, "blas"), pytest.warns(ReproducibilityWarning, match=message):
        trained, shown = run(TrainingRequest(epochs=3), small_digits, tmp_path, resume=True)
    assert (shown, trained.finished) == ([2, 3], True)
    # The new checkpoint records two threads. A finished run can be resumed on any number of threads without a warning.
    assert load_checkpoint(tmp_path / CHECKPOINT).identity["threads"].startswith("2 of BLAS")
    run(TrainingRequest(), small_digits, tmp_path, resume=True)


def test_resume_on_another_path_of_fused_kernels_warns(small_digits, tmp_path, monkeypatch):
    request = replace(REQUEST, backend="fused")
    monkeypatch.setenv(paths.SETTING, paths.LISTS)
    train_one_epoch_and_abort(request, small_digits, tmp_path)
    monkeypatch.setenv(paths.SETTING, paths.TILES)
    message = r"different conditions \(path of the fused kernels: lists in the checkpoint, tiles now\), so"
    with pytest.warns(ReproducibilityWarning, match=message):
        run(TrainingRequest(epochs=3), small_digits, tmp_path, resume=True)


@pytest.mark.parametrize("backend", ["fused", "fused_dense"])
def test_fused_kernels_resume_identically_on_any_number_of_threads(backend, small_digits, tmp_path, one_blas_thread):
    request = replace(REQUEST, backend=backend, batch_size=512)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        whole, _ = run(request, small_digits, tmp_path / "whole")
        train_one_epoch_and_abort(request, small_digits, tmp_path / "parts")
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        with threadpool_limits(2, "blas"):
            parts, _ = run(
                TrainingRequest(), small_digits, tmp_path / "parts", resume=True
            )  # a warning would be an error
    finally:
        numba.set_num_threads(before)
    for one, other in zip(whole.parameters, parts.parameters, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("function", "answer", "named"),
    [
        ("blas_libraries", [], "BLAS: .* in the checkpoint,  now"),
        ("cpu_name", "Another CPU", r"\(CPU: .* in the checkpoint, Another CPU \(.*\) now\)"),
        ("microarchitecture", "another", r"\(CPU: .* in the checkpoint, .* \(another\) now\)"),
    ],
)
def test_resume_with_another_blas_or_cpu_warns(function, answer, named, small_digits, tmp_path, monkeypatch):
    train_one_epoch_and_abort(REQUEST, small_digits, tmp_path)
    monkeypatch.setattr(provenance, function, lambda: answer)
    with pytest.warns(ReproducibilityWarning, match=named):
        assert run(TrainingRequest(), small_digits, tmp_path, resume=True)[0].finished


def test_resume_of_fused_kernels_on_another_cpu_warns(small_digits, tmp_path, monkeypatch):
    train_one_epoch_and_abort(replace(REQUEST, backend="fused"), small_digits, tmp_path)
    monkeypatch.setattr(provenance, "cpu_name", lambda: "Another CPU")
    with pytest.warns(ReproducibilityWarning, match=r"\(CPU: .* in the checkpoint, Another CPU"):
        run(TrainingRequest(), small_digits, tmp_path, resume=True)


def test_resume_from_checkpoint_without_recorded_conditions_warns(small_digits, tmp_path):
    train_one_epoch_and_abort(REQUEST, small_digits, tmp_path)
    kept = load_checkpoint(tmp_path / CHECKPOINT)
    recorded = {"threads", "BLAS", "CPU", "path of the fused kernels"}
    earlier = {name: text for name, text in kept.identity.items() if name not in recorded}
    assert set(earlier) == {"kernels", "data", "NumPy", "Numba"}
    save_checkpoint(tmp_path / CHECKPOINT, replace(kept, identity=earlier))
    message = "threads: not recorded in the checkpoint, .*; CPU: not recorded in the checkpoint, "
    with pytest.warns(ReproducibilityWarning, match=message):
        trained, _ = run(TrainingRequest(), small_digits, tmp_path, resume=True)
    assert trained.finished
    assert set(load_checkpoint(tmp_path / CHECKPOINT).identity) == {*earlier, *recorded}


# The standard network


def test_the_default_network_is_cached_only_if_it_was_trained_on_mnist(small_digits, tmp_path, monkeypatch):
    monkeypatch.setenv("NNKERNELS_CACHE", str(tmp_path))
    monkeypatch.setattr(pictures, "DEFAULT_RECIPE", "sgd")
    monkeypatch.setattr(pictures, "load_mnist", lambda: small_digits)
    params = pictures.default_network()
    probs = reference.probabilities(params, small_digits.X_test / 255)
    assert np.mean(probs.argmax(axis=1) == small_digits.y_test) > 0.8
    assert not list(tmp_path.rglob("*.safetensors"))  # networks trained on a substitute for MNIST are not cached
    monkeypatch.setitem(small_digits.__dict__, "name", "mnist")
    pictures.default_network()
    (kept,) = tmp_path.rglob("*.safetensors")
    other = initial_parameters(9)
    save_parameters(other, kept)
    monkeypatch.setattr(pictures, "load_mnist", pytest.fail)
    found = pictures.default_network()
    for one, there in zip(found, other, strict=True):
        np.testing.assert_array_equal(one, there)


def test_without_a_cache_the_default_network_is_trained(small_digits, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("NNKERNELS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pictures, "load_mnist", lambda: small_digits)
    monkeypatch.setitem(small_digits.__dict__, "name", "mnist")
    assert pictures.default_network().W1.shape == (784, 20)


# The terminal


def test_progress_in_narrow_terminal_shows_epoch_accuracies_and_speed(small_digits, tmp_path):
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, color_system=None)
    request = TrainingRequest(recipe="gradient-descent", backend="numpy", epochs=3)
    with training_progress(console) as show:
        training_job.run(request, small_digits, tmp_path, False, lambda history: show("gradient-descent", history))
    shown = text.getvalue()
    for words in ("3/3", "loss", "train", "val", "images/s"):
        assert words in shown
