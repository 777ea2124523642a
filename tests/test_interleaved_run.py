"""Interleaved runs: which contenders take part in which scenarios, their gates, and the handling of failures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nnkernels import contenders
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.measure.correctness import gate, gate_training
from nnkernels.measure.timing import interleaved_measuring, time_to_accuracy
from nnkernels.measure.timing.interleaved_measuring import run_interleaved
from nnkernels.measure.timing.interleaving import Task, alternate
from nnkernels.measure.timing.scenarios import FURTHER_SCENARIOS, SCENARIOS, Scenario, names
from nnkernels.measure.timing.tasks import one_image_calls, predict_task, prepare_task, train_task
from nnkernels.recipes import SGD, Recipe

TRAIN = Scenario("train", "train", segments=3, whole_epochs=True)
WIDE = Scenario("wide", "train", SGD.with_changes(hidden=24), segments=2, epoch_share=0.25)
PREDICT = Scenario("predict", "predict", SGD.with_changes(hidden=24), segments=2, images=5, calls=3, whole_epochs=True)
EASY = Recipe("easy", epochs=3)
TO_ACCURACY = Scenario("to accuracy", "time to accuracy", EASY, error_rate=0.6)
ALONE = Scenario("to accuracy, alone", "training alone", EASY, error_rate=0.6)
PREPARE = Scenario("prepare", "prepare", EASY, segments=2, whole_epochs=True)
ALL = (TRAIN, WIDE, PREDICT, TO_ACCURACY, ALONE, PREPARE)


class Ours(KernelContender):
    """NumPy's contender."""

    def __init__(self):
        super().__init__("numpy")


class WholeEpochs(Ours):
    """Is declared to train whole epochs only."""

    whole_epochs_only = True


class FailsAtWidth(Ours):
    """Fails for every network but the usual one."""

    def prepare(self, parameters, data, recipe):
        if recipe.hidden != SGD.hidden:
            raise ValueError("this width is not for me")
        super().prepare(parameters, data, recipe)


class FailsLater(Ours):
    """Passes the gate with the usual recipe and fails when it is timed."""

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        self.stretches = 0

    def advance(self, order, learning_rates):
        self.stretches += 1
        if self.stretches > 3 and self.params.W1.shape[1] == SGD.hidden:  # after the gate, or after one segment
            raise ValueError("enough")
        super().advance(order, learning_rates)


@pytest.fixture
def register_contenders(monkeypatch, short_gate):
    """A function that registers these classes, besides numpy, as the only contenders, and returns all names."""

    def enter(trains=True, **classes):
        entries = {name: contenders.Entry(cls, "of a test", trains=trains) for name, cls in classes.items()}
        entries["numpy"] = contenders.Entry(Ours, "the reference")
        monkeypatch.setattr(contenders, "_entries", lambda: entries)
        return list(entries)

    return enter


def labels(measured):
    return {scenario: set(scenario_seconds) for scenario, scenario_seconds in measured.seconds.items()}


@pytest.fixture
def short_gate(monkeypatch):
    """Let the gate train on a few batches: these tests do not depend on its accuracy."""
    monkeypatch.setattr(gate_training, "IMAGES", 97)
    monkeypatch.setattr(gate, "PREDICTED_TOGETHER", 257)


NUMPY = {"numpy@1", "numpy@all"}


def test_each_scenario_is_timed_at_both_thread_settings(register_contenders, small_digits):
    measured = run_interleaved(register_contenders(), small_digits, ALL, "1", rounds=2, seeds=3)
    assert not measured.failures
    assert labels(measured) == dict.fromkeys(names(ALL), NUMPY)
    shapes = {scenario.name: np.shape(measured.seconds[scenario.name]["numpy@1"]) for scenario in ALL}
    assert shapes == {
        "train": (2, 3),
        "wide": (2, 2),
        "predict": (2, 2),
        "to accuracy": (3, 1),
        "to accuracy, alone": (3, 1),
        "prepare": (2, 2),
    }
    assert measured.relative_time("train", "numpy", "numpy") == 1
    assert measured.took_part("numpy", "train")
    assert not measured.took_part("numpy", "another scenario")


def test_partial_results_are_passed_on_after_each_scenario(register_contenders, small_digits):
    seen: list[list[str]] = []
    run_interleaved(
        register_contenders(),
        small_digits,
        (TRAIN, WIDE, PREPARE),
        "1",
        rounds=1,
        save=lambda measured: seen.append([*measured.seconds]),
    )
    assert seen == [["train"], ["train", "wide"], ["train", "wide", "prepare"]]


class RecordsThreads(Ours):
    """Records the number of threads that was set last."""

    def use_threads(self, threads):
        super().use_threads(threads)
        self.threads = threads


class FixedThreads(RecordsThreads):
    """Cannot change its number of threads."""

    threads_can_change = False


def test_gate_is_required_for_each_recipe_and_number_of_threads(
    register_contenders,
    small_digits,
    monkeypatch,
):
    passed = []
    monkeypatch.setattr(interleaved_measuring, "thread_count", lambda setting: {"1": 1, "all": 2}[setting])
    monkeypatch.setattr(
        interleaved_measuring.gate,
        "require",
        lambda name, contender, _data, recipe: passed.append((name, recipe, contender.threads)),
    )
    names = [name for name in register_contenders(any=RecordsThreads, one=FixedThreads) if name != "numpy"]
    measured = run_interleaved(names, small_digits, ALL, "1", rounds=1, seeds=1)
    recipes = [SGD, WIDE.recipe, EASY]  # consecutive scenarios of the same recipe share one pass
    assert passed == [
        entry for recipe in recipes for entry in (("any", recipe, 1), ("any", recipe, 2), ("one", recipe, 1))
    ]
    assert set(measured.seconds["train"]) == {"any@1", "any@all", "one@1"}


@pytest.mark.parametrize("scenario", FURTHER_SCENARIOS, ids=lambda scenario: scenario.name)
def test_reference_passes_gate_of_each_further_scenario(scenario, small_digits):
    assert gate.require("numpy", Ours(), small_digits, scenario.recipe).max_abs_difference < 1e-6


def test_oracle_trains_once_per_recipe(small_digits, monkeypatch):
    trainings = []
    train = gate_training.train_float64
    monkeypatch.setattr(
        gate_training, "train_float64", lambda *given, **more: trainings.append(given) or train(*given, **more)
    )
    data = Dataset(*(getattr(small_digits, part)[:64] for part in ("X_train", "y_train", "X_test", "y_test")))
    for recipe in (SGD, SGD, WIDE.recipe):
        assert gate.require("numpy", Ours(), data, recipe).passed
    assert len(trainings) == 2
    assert not gate_training.trained_by_oracle(data, SGD, gate_training.SEEDS[0], 64).W1.flags.writeable


def test_contender_of_whole_epochs_takes_part_only_where_allowed(register_contenders, small_digits):
    measured = run_interleaved(register_contenders(whole=WholeEpochs), small_digits, ALL, "1", rounds=2, seeds=1)
    assert not measured.failures
    took_part = {scenario for scenario in names(ALL) if measured.took_part("whole", scenario)}
    assert took_part == {"train", "predict", "prepare"}
    assert np.shape(measured.seconds["train"]["whole@1"]) == (2, 1)
    assert 0 < measured.relative_time("train", "whole", "numpy") < np.inf


def test_prediction_only_contender_takes_part_only_in_predictions(register_contenders, small_digits):
    known = register_contenders(trains=False, mute=Ours)
    measured = run_interleaved(known, small_digits, ALL, "1", rounds=1, seeds=1)
    assert {scenario for scenario in names(ALL) if measured.took_part("mute", scenario)} == {"predict"}
    known = register_contenders(trains=False, mute=lambda: pytest.fail("created without being needed"))
    assert not run_interleaved(known, small_digits, (TRAIN,), "1", rounds=1).failures


def test_contender_that_cannot_be_created_is_left_out_of_all_scenarios(register_contenders, small_digits):
    def broken():
        raise RuntimeError("no such machine")

    measured = run_interleaved(register_contenders(broken=broken), small_digits, (TRAIN, PREDICT), "1", rounds=1)
    assert list(measured.failures) == ["broken"]
    assert "no such machine" in measured.failure("broken", "train")
    assert labels(measured) == {"train": NUMPY, "predict": NUMPY}


def test_failure_in_one_scenario_is_recorded_for_that_scenario_only(register_contenders, small_digits):
    measured = run_interleaved(register_contenders(narrow=FailsAtWidth), small_digits, ALL, "1", rounds=1, seeds=1)
    assert {key: "not for me" in reason for key, reason in measured.failures.items()} == {
        "narrow: wide": True,
        "narrow: predict": True,
    }
    assert measured.took_part("narrow", "train")
    assert measured.failure("narrow", "train") == ""
    assert measured.took_part("narrow", "to accuracy")
    assert labels(measured)["wide"] == NUMPY


def test_failure_during_timing_removes_both_thread_settings(register_contenders, small_digits):
    measured = run_interleaved(register_contenders(later=FailsLater), small_digits, (TRAIN, PREDICT), "1", rounds=1)
    assert list(measured.failures) == ["later: train"]
    assert "enough" in measured.failure("later", "train")
    assert labels(measured)["train"] == NUMPY
    assert measured.took_part("later", "predict")


def test_scenario_is_measured_on_its_data_sets_only(register_contenders, small_digits):
    elsewhere = Scenario("elsewhere", "train", SGD, datasets=("mnist",))
    measured = run_interleaved(register_contenders(), small_digits, (elsewhere,), "1", rounds=1)
    assert measured.seconds == {}
    assert small_digits.name != "mnist"


def test_shared_prediction_code_is_timed_once(short_gate, small_digits):
    one_image = Scenario("some", "predict", images=1, calls=2)
    measured = run_interleaved(["fused", "fused_dense"], small_digits, (one_image, PREPARE), "1", rounds=1)
    assert not measured.failures
    assert labels(measured) == {
        "some": {"fused@1", "fused@all"},
        "prepare": {"fused@1", "fused@all", "fused_dense@1", "fused_dense@all"},
    }
    alone = run_interleaved(["fused_dense"], small_digits, (one_image,), "1", rounds=1)
    assert labels(alone) == {"some": {"fused_dense@1", "fused_dense@all"}}


def test_scenario_names_match_recorded_results():
    assert names(SCENARIOS) == ("epoch", "one image of 1,000", "10,000 images", "preparation")
    assert names(FURTHER_SCENARIOS) == (
        "epoch, Adam",
        "epoch, batch 1,024",
        "epoch, hidden 128",
        "epoch, hidden 512",
        "time to 8.7 % error",
        "time to 8.7 % error, training alone",
    )


# Segments


class Listener(Ours):
    """Records its arguments."""

    def __init__(self):
        super().__init__()
        self.given: list[np.ndarray] = []

    def advance(self, order, learning_rates):
        assert len(learning_rates) == -(-len(order) // 32)
        self.given.append(order)

    def predict(self, X):
        self.given.append(X)


@pytest.mark.parametrize(("share", "segments", "batches"), [(1.0, 10, 7), (0.25, 2, 9), (0.01, 5, 1)])
def test_segments_are_full_batches_that_go_through_epoch(share, segments, batches, small_digits):
    images = len(small_digits.X_train)  # 72 batches
    listener = Listener()
    task = train_task(Scenario("some", "train", segments=segments, epoch_share=share), listener, small_digits, 1)
    task.warm_up()
    for _ in range(images // (batches * 32) + 1):
        task.run()
    warm_up, *given = listener.given
    assert {len(order) for order in given} == {batches * 32}
    assert task.units == pytest.approx(batches * 32 / images)
    assert len(np.unique(np.concatenate(given[:-1]))) == (len(given) - 1) * batches * 32
    np.testing.assert_array_equal(given[-1], given[0])  # the next epoch begins with the same images
    np.testing.assert_array_equal(warm_up, given[0])


def test_whole_epochs_are_one_segment(small_digits):
    listener = Listener()
    listener.whole_epochs_only = True
    task = train_task(TRAIN, listener, small_digits, 1)
    task.warm_up()
    task.run()
    warm_up, given = listener.given
    assert (len(warm_up), len(given)) == (320, len(small_digits.X_train))
    assert (task.segments, task.units) == (1, 1)
    task = predict_task(PREDICT, listener, small_digits, 1)
    task.run()
    assert (task.segments, task.units, len(listener.given)) == (1, 2, 4)
    assert listener.given[-1].shape == (5, 784)
    assert listener.given[-1].dtype == np.uint8


@pytest.mark.parametrize(("whole_epochs_only", "calls"), [(False, 200), (True, 2)])
def test_single_image_segments_use_different_images_of_mean_density(whole_epochs_only, calls, digits):
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.images == 1)
    listener, twin = Listener(), Listener()
    listener.whole_epochs_only = twin.whole_epochs_only = whole_epochs_only
    tasks = [predict_task(scenario, contender, digits, 1) for contender in (listener, twin)]
    segments = []
    for _ in range(4):
        for task in tasks:
            task.run()
        segments.append(np.concatenate(listener.given))
        np.testing.assert_array_equal(segments[-1], np.concatenate(twin.given))  # all contenders see the same images
        listener.given.clear()
        twin.given.clear()
    nonzero_counts = np.count_nonzero(digits.X_test, axis=1)
    for X in segments:
        assert X.shape == (calls, 784)
        assert np.count_nonzero(X) / calls == pytest.approx(nonzero_counts.mean(), rel=0.02)
    densities = np.count_nonzero(np.concatenate(segments), axis=1)
    assert densities.std() > 0.5 * nonzero_counts.std()  # both sparse and dense images
    seen = np.unique(np.concatenate(segments), axis=0)
    assert len(seen) == 4 * calls
    test_images = {image.tobytes() for image in digits.X_test}
    assert all(image.tobytes() in test_images for image in seen)


def test_single_image_calls_are_contiguous_bytes(small_digits):
    calls = one_image_calls(small_digits)
    assert 128 <= len(calls) <= 256
    assert {(X.shape, X.dtype, X.flags.c_contiguous) for X in calls} == {((1, 784), np.dtype(np.uint8), True)}
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.images == 1)
    listener = Listener()
    predict_task(scenario, listener, small_digits, 1).run()
    assert all(np.array_equal(given, X) for given, X in zip(listener.given, calls, strict=False))


def test_preparation_ends_with_advance_without_images(small_digits):
    steps: list[object] = []

    class Steps(Listener):
        def prepare(self, parameters, data, recipe):
            steps.append((parameters.W1.shape, len(data.X), recipe))

        def advance(self, order, learning_rates):
            steps.append((len(order), len(learning_rates)))

    task = prepare_task(WIDE, Steps(), small_digits, 1)
    task.warm_up()
    assert steps == []  # contenders have already been prepared
    task.run()
    assert steps == [((784, 24), 2304, WIDE.recipe), (0, 0)]
    assert (task.units, task.segments) == (1, 2)


def test_frameworks_are_prepared_once_per_round(small_digits):
    listener = Listener()
    listener.threads_can_change = False
    assert prepare_task(PREPARE, listener, small_digits, 1).segments == 1


def test_alternate_drops_failed_tasks_and_continues():
    calls: list[str] = []

    def fails():
        calls.append("b")
        if calls.count("b") == 2:
            raise ValueError("second time")

    tasks = {
        "a": Task(lambda: calls.append("a"), 1, 2),
        "b": Task(fails, 1, 2),
        "c": Task(lambda: calls.append("c"), 1),
    }
    lost: dict[str, Exception] = {"c": ValueError("before the start")}
    seconds, _turns = alternate(tasks, 2, lost)
    assert list(seconds) == ["a"]
    assert np.shape(seconds["a"]) == (2, 2)
    assert (calls.count("a"), calls.count("b"), calls.count("c")) == (4, 2, 0)
    assert str(lost["b"]) == "second time"
    calls.clear()
    with pytest.raises(ValueError, match="second time"):
        alternate(tasks, 2)


# Time to accuracy


class Ticking(Ours):
    """Takes 1 s for the preparation, 2 s for the call without images after it, and 100 s per epoch, by a fake clock."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.starts: list[np.ndarray] = []

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        self.starts.append(parameters.W1)
        self.now += 1

    def advance(self, order, learning_rates):
        self.now += 100 if len(order) else 2

    def parameters(self):
        self.now += 10_000  # the evaluation must not be timed
        return super().parameters()


@pytest.fixture
def ticking(monkeypatch):
    contender = Ticking()
    monkeypatch.setattr(time_to_accuracy.time, "perf_counter", lambda: contender.now)
    return contender


def fake_error_rates(monkeypatch, error_rates):
    monkeypatch.setattr(time_to_accuracy, "evaluate", lambda *_args: (0.0, next(error_rates)))


def test_time_to_accuracy_includes_preparation_and_epochs_only(ticking, small_digits, monkeypatch):
    fake_error_rates(monkeypatch, iter([0.9, 0.6, 0.61, 0.7, 0.1]))
    trainings = time_to_accuracy.Trainings(TO_ACCURACY, ticking, small_digits)
    task = trainings.task(1)
    task.warm_up()
    task.run()
    task.run()
    # The target of 0.6 is reached after two epochs from the first seed, and after three from the second.
    assert trainings.total == [[203.0], [303.0]]
    assert trainings.training == [[200.0], [300.0]]
    warm_up, first, second = ticking.starts
    np.testing.assert_array_equal(warm_up, first)
    assert not np.array_equal(first, second)  # each training run has its own seed


def test_missed_target_accuracy_is_recorded_as_failure(
    register_contenders,
    small_digits,
    monkeypatch,
):
    fake_error_rates(monkeypatch, itertools.chain([0.1, 0.1, 0.95, 0.95], itertools.repeat(0.95)))
    monkeypatch.setattr(interleaved_measuring.gate, "require", lambda *_args: None)
    known = register_contenders()
    measured = run_interleaved(known, small_digits, (TO_ACCURACY, ALONE), "1", rounds=1, seeds=2)
    assert measured.failures == {
        "numpy: to accuracy": "MeasurementError: after 3 epochs with seed 1, the test error is 95.00 %, above the "
        "target of 60.0 %"
    }
    assert measured.seconds == {"to accuracy": {}, "to accuracy, alone": {}}
