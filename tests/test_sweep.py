"""A sweep trains every combination once, whatever is killed on the way, and ranks them by their means."""

import json
import math
import multiprocessing
import os
import signal
import sys
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from nnkernels.augmentation import Augmentation
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, DataError, InferenceOnlyError, MeasurementError, MissingDependencyError
from nnkernels.evaluation import evaluate
from nnkernels.interchange import Preprocessing, load_network
from nnkernels.recipes import RECIPE_NAMES, Optimizer, Recipe, named_recipe, recipe_from_record
from nnkernels.sweep import expected_time, pool, worker
from nnkernels.sweep.cluster import ClusterPool, cluster_pool
from nnkernels.sweep.expected_time import expected_seconds
from nnkernels.sweep.images import write_images
from nnkernels.sweep.plan import Training, make_plan, read_recipes
from nnkernels.sweep.pool import local_pool
from nnkernels.sweep.ranking import combinations, labels, ranking
from nnkernels.sweep.results import LOG, TABLE, TRAININGS, SweepFolder
from nnkernels.sweep.run import missing, run
from nnkernels.sweep.worker import keep_images, run_training, train_in_worker, train_on_cluster, versions
from nnkernels.training import train
from tests.sweeps import without_times

RECIPES = [Recipe("one", epochs=2, hidden=4), Recipe("two", Optimizer("adam"), epochs=7, learning_rate=0.01, hidden=4)]


def row_of(name, seed, error_rate, **changes):
    recipe = asdict(Recipe(name)) | changes
    times = {"started": "2026", "seconds": 2.0 + seed, "seconds_with_evaluation": 3.0}
    curve = {"epoch": [1, 2], "error_rate": [0.9, error_rate], "train_error_rate": [0.9, 0.5]}
    values = {"contender": "numpy", "judge": "validation", "data": {"name": "mnist"}, "train_error_rate": 0.5}
    return {"recipe": recipe, "seed": seed, "error_rate": error_rate, "curve": curve, **values, **times}


ROW = {"version": 1, "key": "a" * 32, **row_of("one", 0, 0.25)}


@pytest.fixture(scope="module")
def part(small_digits):
    training, test = small_digits.training, small_digits.test
    return Dataset(training.X[:120], training.y[:120], test.X[:50], test.y[:50])


@pytest.fixture
def plan(part):
    return make_plan(part, RECIPES, seeds=(0, 1), names=("numpy",))


@pytest.fixture
def folder(tmp_path):
    return SweepFolder(tmp_path / "sweep")


# The plan


def test_plan_has_every_combination_ordered_by_seed(part):
    plan = make_plan(
        part, RECIPES, seeds=(3, 5), names=("numpy", "numba"), widths=(4, 8, 16), learning_rates=(0.1, 0.2)
    )
    assert len(plan.trainings) == len(set(plan.trainings)) == 2 * 2 * 2 * 3 * 2
    assert [training.seed for training in plan.trainings] == [3] * 24 + [5] * 24
    assert {training.recipe.hidden for training in plan.trainings} == {4, 8, 16}
    assert {training.recipe.learning_rate for training in plan.trainings} == {0.1, 0.2}
    assert len({training.key(plan.images) for training in plan.trainings}) == 48


def test_validation_images_come_from_the_training_images_and_test_images_only_judge(part):
    plan = make_plan(part, RECIPES, seeds=(0,), names=("numpy",))
    np.testing.assert_array_equal(plan.dataset.X_train, part.X_train[:100])
    np.testing.assert_array_equal(plan.dataset.X_test, part.X_train[100:])
    final = make_plan(part, RECIPES, seeds=(0,), names=("numpy",), judge="test")
    assert final.dataset is part
    assert not {t.key(plan.images) for t in plan.trainings} & {t.key(final.images) for t in final.trainings}


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"recipes": []}, ConfigurationError, "no recipe is given"),
        ({"seeds": ()}, ConfigurationError, "no seed is given"),
        ({"seeds": (1, -2)}, ConfigurationError, "the seed -2 is negative"),
        ({"seeds": (1, 1)}, ConfigurationError, "the seed 1 is given twice"),
        ({"recipes": [RECIPES[0], RECIPES[0].with_changes(epochs=9)]}, ConfigurationError, "recipe one is given twice"),
        ({"names": ("onnxruntime",)}, InferenceOnlyError, "onnxruntime"),
        ({"recipes": [Recipe("p", patience=2)], "judge": "test"}, ConfigurationError, "the test images would decide"),
    ],
)
def test_invalid_plans_are_rejected(part, change, error, match):
    arguments = {"recipes": RECIPES, "seeds": (0,), "names": ("numpy",)} | change
    with pytest.raises(error, match=match):
        make_plan(part, **arguments)


def test_recipes_are_read_from_a_file(tmp_path):
    path = tmp_path / "recipes.toml"
    path.write_text(
        '[[recipe]]\nname = "tuned"\nbase = "best"\nepochs = 9\naugmentation = {shear = 0.2}\n\n'
        '[[recipe]]\nname = "plain"\noptimizer = {name = "adam", weight_decay = 0.001}\nlearning_rate = 1\n'
        '[[recipe]]\nname = "short"\noptimizer = "momentum"\n'
    )
    assert read_recipes(path, 100) == [
        named_recipe("best", 100).with_changes(name="tuned", epochs=9, augmentation=Augmentation(shear=0.2)),
        Recipe("plain", Optimizer("adam", weight_decay=0.001), learning_rate=1),
        Recipe("short", Optimizer("momentum")),
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "contains nothing; expected only tables"),
        ("recipe = 3", "expected only tables"),
        ("[[recipe]\n", "cannot be read"),
        ("[[recipe]]\nepochs = 3", "recipe 1: it has no name"),
        ('[[recipe]]\nname = "a"\nepoch = 3', "recipe 1: a recipe has no epoch; expected some of: name, optimizer"),
        ('[[recipe]]\nname = "a"\n[[recipe]]\nname = "b"\nbase = "bset"', "recipe 2: unknown recipe 'bset'"),
        ('[[recipe]]\nname = "a"\nepochs = "3"', "recipe 1: epochs of the recipe 'a' is '3'; expected int"),
        ('[[recipe]]\nname = "a"\nepochs = 2.5', "epochs of the recipe 'a' is 2.5; expected int"),
        ('[[recipe]]\nname = "a"\nhidden = true', "hidden of the recipe 'a' is True; expected int"),
        ('[[recipe]]\nname = "a"\nepochs = 0', "recipe 1: epochs is 0"),
        ('[[recipe]]\nname = "a"\naugmentation = {blur = 1}', "recipe 1: the recipe 'a' is invalid: .*blur"),
    ],
)
def test_invalid_recipe_files_are_rejected(tmp_path, text, match):
    path = tmp_path / "recipes.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=match):
        read_recipes(path, 100)


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_named_recipes_survive_json(name):
    recipe = named_recipe(name, 100)
    assert recipe_from_record(json.loads(json.dumps(asdict(recipe)))) == recipe


# One training


def test_result_of_a_training_is_that_of_train_on_one_thread(part):
    recipe = Recipe("test", Optimizer("adam"), epochs=7, learning_rate=0.01, hidden=4, averaged_epochs=3)
    row = run_training(Training("numpy", recipe, 5), part)
    contender = KernelContender("numpy")
    history = train(contender, part.training, recipe, seed=5)
    loss, error_rate = evaluate(contender.parameters(), part.X_test, part.y_test)
    assert (row["loss"], row["error_rate"]) == (pytest.approx(loss, rel=1e-6), error_rate)
    assert (row["train_loss"], row["train_error_rate"]) == (history.final.train_loss, history.final.train_error_rate)
    assert row["curve"]["epoch"] == [2, 4, 6, 7]
    assert row["curve"]["error_rate"][-1] == error_rate
    assert row["epochs_done"] == 7
    assert recipe_from_record(row["recipe"]) == recipe


def test_early_stopping_is_evaluated_after_every_epoch(part):
    row = run_training(
        Training("numpy", Recipe("test", Optimizer("adam"), epochs=60, learning_rate=0.05, patience=1), 0), part
    )
    losses = row["curve"]["loss"]
    assert row["loss"] == min(losses)
    assert row["epochs_done"] == len(losses) == losses.index(min(losses)) + 2


def test_diverged_training_is_valid_json(part):
    with np.errstate(all="ignore"):
        row = run_training(Training("numpy", Recipe("test", learning_rate=1e30, epochs=2), 0), part)
    assert row["loss"] is None
    json.dumps(row, allow_nan=False)


# The run


def test_sweep_trains_what_is_missing_and_merges_it(plan, folder, in_process, part):
    shown = []
    assert run(plan, folder, local_pool(2), show=lambda *given: shown.append(given))
    assert [given[:2] for given in shown] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sorted(path.name for path in folder.path.iterdir()) == [LOG, TABLE]
    again = SweepFolder(folder.path)
    assert again.rows == folder.rows
    for training in plan.trainings:
        row = folder.rows[training.key(plan.images)]
        assert without_times(run_training(training, plan.dataset)).items() <= row.items()
        assert row["judge"] == "validation"
        assert row["data"]["sha256"] == part.sha256
        assert {"commit", "tree", "packages", "cpu", "python"} <= set(row)
    with pytest.raises(ConfigurationError, match="already has results; continue them"):
        run(plan, again, local_pool(2))
    more = make_plan(part, RECIPES, seeds=(0, 1, 2), names=("numpy",))
    assert [training.seed for _key, training in missing(more, again)] == [2, 2]
    shown.clear()
    assert run(more, again, local_pool(1), resume=True, show=lambda *given: shown.append(given))
    assert [given[:2] for given in shown] == [(5, 6), (6, 6)]
    assert len(SweepFolder(folder.path).rows) == 6


def test_networks_are_kept_if_wanted_and_missing_ones_are_trained_again(part, folder, in_process):
    deskewed = RECIPES[1].with_changes(name="upright", deskew=True, normalize_size=True)
    diverged = Recipe("diverged", learning_rate=1e30, epochs=2, hidden=4)
    recipes = [RECIPES[0], deskewed, diverged]
    plan = make_plan(part, recipes, seeds=(0,), names=("numpy",))
    wanted = make_plan(part, recipes, seeds=(0,), names=("numpy",), networks=True)
    with np.errstate(all="ignore"):
        assert run(plan, folder, local_pool(1))
        assert [training for _key, training in missing(wanted, folder)] == list(plan.trainings)
        assert run(wanted, folder, local_pool(1), resume=True)
    one, upright, lost = (folder.rows[training.key(plan.images)] for training in wanted.trainings)
    assert lost["network"] is None  # its parameters are not finite
    for row, recipe in ((one, RECIPES[0]), (upright, deskewed)):
        network = load_network(folder.path / row["network"])
        assert network.preprocessing == Preprocessing.of_recipe(recipe)
        features = network.preprocessing.features(plan.dataset.X_test)
        assert evaluate(network.parameters, features, plan.dataset.y_test)[1] == row["error_rate"]
    assert not missing(wanted, SweepFolder(folder.path))
    (folder.path / one["network"]).unlink()
    assert [training.recipe for _key, training in missing(wanted, SweepFolder(folder.path))] == [RECIPES[0]]


def test_parquet_table_has_the_same_rows(plan, folder, in_process):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    run(plan, folder, local_pool(1))
    table = pd.read_parquet(folder.path / TABLE)
    assert set(table["key"]) == set(folder.rows)
    for row in table.to_dict("records"):
        expected = folder.rows[row["key"]]
        assert row["error_rate"] == expected["error_rate"]
        assert row["recipe.learning_rate"] == expected["recipe"]["learning_rate"]
        assert list(row["curve.error_rate"]) == expected["curve"]["error_rate"]


def test_killed_workers_lose_only_the_running_trainings(plan, folder, in_process):
    in_process.kills = 2
    shown = []
    assert run(plan, folder, local_pool(1), show=lambda done, _total, _text: shown.append(done))
    assert in_process.kills == 0
    assert shown == [1, 2, 3, 4]  # none was repeated
    assert len(SweepFolder(folder.path).rows) == 4


def test_workers_that_are_killed_again_and_again_end_the_sweep(plan, folder, in_process, monkeypatch):
    monkeypatch.setattr(pool, "train_in_worker", lambda _training: (_ for _ in ()).throw(BrokenProcessPool()))
    with pytest.raises(MeasurementError, match=r"was killed 3 times without a result in between.*--workers"):
        run(plan, folder, local_pool(2))


def test_interrupted_sweep_keeps_its_results_and_begins_no_more(plan, folder, in_process):
    def press_control_c(done, _total, _text):
        if done == 1:
            signal.raise_signal(signal.SIGINT)

    assert not run(plan, folder, local_pool(1), show=press_control_c)
    # The next training had been submitted already.
    assert 1 <= len(SweepFolder(folder.path).rows) <= 2
    assert run(plan, SweepFolder(folder.path), local_pool(1), resume=True)


def test_error_of_a_training_names_it_and_keeps_the_other_results(part, folder, in_process):
    recipes = [RECIPES[0].with_changes(name=f"good {number}", epochs=1) for number in range(6)]
    recipes.insert(3, Recipe("smoothed", label_smoothing=0.1))
    plan = make_plan(part, recipes, seeds=(0,), names=("scikit-learn",))
    with pytest.raises(ConfigurationError, match=r"smoothed, scikit-learn, width 20.*label smoothing"):
        run(plan, folder, local_pool(len(recipes)))  # all are done at the same time
    assert len(SweepFolder(folder.path).rows) == 6


def test_sweep_needs_a_worker():
    with pytest.raises(ConfigurationError, match="number of workers is 0"):
        local_pool(0)


@pytest.mark.slow
def test_sweep_in_real_processes_survives_a_killed_worker(part, folder):
    plan = make_plan(part, RECIPES, seeds=(0, 1, 2), names=("numpy",))
    killed = []

    def kill_one(done, _total, _text):
        if done == 2:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    assert run(plan, folder, local_pool(2), show=kill_one)
    assert killed
    for training in plan.trainings:
        row = without_times(folder.rows[training.key(plan.images)])
        assert without_times(run_training(training, plan.dataset)).items() <= row.items()


# A Dask cluster


def test_worker_of_a_cluster_trains_on_the_images_of_a_hash_with_the_versions_of_the_sweep(part, monkeypatch):
    monkeypatch.setattr(worker, "_images", {})
    monkeypatch.setattr(worker, "loads", [])
    keep_images(part)
    assert worker.loads == [part.sha256]
    training = Training("numpy", RECIPES[0], 0)
    row = train_on_cluster(training, part.sha256, versions())
    assert without_times(row) == without_times(run_training(training, part))
    with pytest.raises(
        ConfigurationError, match=r"a worker has numpy \d.*started with 1\.0; install the same versions"
    ):
        train_on_cluster(training, part.sha256, versions() | {"numpy": "1.0"})
    with pytest.raises(ConfigurationError, match="a worker has other missing, but"):
        train_on_cluster(training, part.sha256, versions() | {"other": "1.0"})


def test_lost_scheduler_and_killed_workers_end_in_a_message(part):
    class KilledWorker(Exception):  # noqa: N818  (the name in Dask)
        pass

    client = SimpleNamespace(status="running", get_executor=lambda pure: None, nthreads=dict)
    cluster = ClusterPool(client, "tcp://there:8786", part.sha256, KilledWorker)
    assert cluster.size == 1  # until a worker arrives
    cluster.check()
    lost = r"connection to the scheduler tcp://there:8786 was lost.*--resume"
    client.nthreads = lambda: (_ for _ in ()).throw(OSError("closed"))
    with pytest.raises(MeasurementError, match=lost):
        _ = cluster.size
    client.status = "closed"
    with pytest.raises(MeasurementError, match=lost):
        cluster.check()
    for error, match in ((KilledWorker("task"), "killed by the same training"), (CancelledError(), "was lost")):
        future = Future()
        future.set_exception(error)
        with pytest.raises(MeasurementError, match=match):
            cluster.result(future)


def test_cluster_needs_dask_and_a_scheduler(monkeypatch, part):
    def refuse(_address, **_options):
        raise OSError("Timed out trying to connect")

    fake = SimpleNamespace(Client=refuse)
    monkeypatch.setitem(sys.modules, "distributed", fake)
    with pytest.raises(ConfigurationError, match=r"cannot connect to the scheduler tcp://h:1 .*`dask scheduler`"):  # noqa: SIM117
        with cluster_pool("tcp://h:1")(part):
            pass
    closed = []
    client = SimpleNamespace(nthreads=lambda: {"w": 2}, close=lambda timeout: closed.append(timeout))
    fake.Client = lambda _address, **_options: client
    with pytest.raises(ConfigurationError, match=r"have \[2\] threads; expected at least one worker, with one"):  # noqa: SIM117
        with cluster_pool("tcp://h:1")(part):
            pass
    assert closed
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"nnkernels\[cluster\]"):
        cluster_pool("tcp://h:1")


# The folder


def test_result_is_there_as_soon_as_it_is_written(folder):
    folder.add("a" * 32, row_of("one", 0, 0.25))
    assert SweepFolder(folder.path).rows == folder.rows
    assert (folder.path / TRAININGS / f"{'a' * 32}.json").exists()
    folder.merge()
    assert not (folder.path / TRAININGS).exists()
    assert SweepFolder(folder.path).rows == folder.rows


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (LOG, '{"version": 1, "key": "a"}\n{"vers'),
        (LOG, "[]\n"),
        (LOG, json.dumps(ROW | {"key": "../../" + "a" * 26}) + "\n"),
        (LOG, json.dumps(ROW | {"error_rate": None}) + "\n"),
        (LOG, json.dumps(ROW | {"seed": True}) + "\n"),
        (LOG, json.dumps(ROW | {"recipe": {"name": "one", "epochs": 2.5}}) + "\n"),
        (LOG, json.dumps(ROW | {"data": {}}) + "\n"),
        (LOG, json.dumps(ROW | {"network": "../../elsewhere.safetensors"}) + "\n"),
        (LOG, json.dumps(ROW | {"curve": {}}) + "\n"),
        (LOG, json.dumps(ROW | {"curve": ROW["curve"] | {"error_rate": [0.5]}}) + "\n"),
        (LOG, json.dumps(ROW | {"curve": ROW["curve"] | {"train_error_rate": [0.5, 1.5]}}) + "\n"),
        (LOG, json.dumps(ROW | {"curve": ROW["curve"] | {"epoch": [1, "2"]}}) + "\n"),
        (f"{TRAININGS}/a.json", '{"version": 2, "key": "a"}'),
        (f"{TRAININGS}/a.json", '{"version": 1, "key": NaN}'),
        (f"{TRAININGS}/a.json", "\x00"),
    ],
)
def test_damaged_results_are_rejected(folder, name, text):
    path = folder.path / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(DataError, match="delete it, and the training is repeated on resuming") as caught:
        SweepFolder(folder.path)
    assert name in str(caught.value).replace(os.sep, "/")


# Ranking, labels and expected time


def test_ranking_has_the_mean_and_students_interval_of_each_combination():
    stats = pytest.importorskip("scipy.stats")
    errors = [0.03, 0.05, 0.043]
    rows = [row_of("worse", 0, 0.2), *(row_of("better", seed, error) for seed, error in enumerate(errors))]
    rows.append(row_of("better", 0, 0.1, epochs=2))  # another recipe of the same name
    best, second, last = ranking(rows)
    assert (best.recipe, second.recipe, last.recipe) == ("better", "better", "worse")
    assert best.error_rate.value == pytest.approx(np.mean(errors))
    low, high = stats.t.interval(0.95, 2, np.mean(errors), stats.sem(errors))
    assert (best.error_rate.low, best.error_rate.high) == pytest.approx((low, high))
    assert best.seconds == 3
    assert second.error_rate.samples == last.error_rate.samples == 1
    assert math.isnan(last.error_rate.low)


def test_combinations_differ_in_more_than_the_seed():
    rows = [row_of("one", seed, 0.1, hidden=hidden) for seed in (0, 1) for hidden in (4, 8)]
    rows.append(row_of("two", 0, 0.1, hidden=4))
    groups = combinations(rows)
    assert [(len(group), group[0]["recipe"]["hidden"]) for group in groups] == [(2, 4), (2, 8), (1, 4)]
    assert [len(group) for group in combinations(rows, except_for=("hidden",))] == [4, 1]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row_of("one", 0, 0.1)], ["one"]),
        ([row_of("one", 0, 0.1), row_of("two", 0, 0.1, epochs=7)], ["one", "two"]),
        (
            [row_of("one", 0, 0.1, hidden=4), row_of("one", 0, 0.1, hidden=8), row_of("two", 0, 0.1, hidden=8)],
            ["one, width 4", "one, width 8", "two, width 8"],
        ),
        (
            [row_of("one", 0, 0.1, learning_rate=rate) | {"contender": name} for rate in (0.1, 1) for name in "ab"],
            ["a, rate 0.1", "b, rate 0.1", "a, rate 1", "b, rate 1"],
        ),
        ([row_of("one", 0, 0.1, batch_size=4), row_of("one", 0, 0.1, batch_size=8)], ["batch size 4", "batch size 8"]),
        (
            [row_of("one", 0, 0.1), row_of("one", 0, 0.1) | {"data": {"name": "other"}}],
            ["mnist", "other"],
        ),
    ],
)
def test_labels_say_only_what_distinguishes_the_combinations(rows, expected):
    assert labels(combinations(rows)) == expected


def test_expected_time_is_that_of_earlier_results_and_short_trainings(plan, folder, in_process, monkeypatch):
    monkeypatch.setattr(expected_time, "_measured", lambda training, _dataset: 10.0 * training.recipe.epochs)
    assert expected_seconds(plan, folder, 2) == (2 + 7) * 2 * 10 / 2
    run(plan, folder, local_pool(1))
    assert expected_seconds(plan, folder, 2) == 0
    more = make_plan(plan.dataset, RECIPES[:1], seeds=(7, 8), names=("numpy",))
    done = [row["seconds_with_evaluation"] for row in folder.rows.values() if row["recipe"]["name"] == "one"]
    assert expected_seconds(more, folder, 1) == pytest.approx(2 * np.mean(done))


def test_short_training_measures_a_time(plan):
    assert 0 < expected_time._measured(plan.trainings[0], plan.dataset) < 60


@pytest.mark.parametrize("names", [None, tuple("abcdefghijkl")])
def test_worker_reads_its_images_and_ignores_control_c(monkeypatch, part, tmp_path, names):
    sent = replace(part, classes=12, class_names=names, X_validation=part.X_test[:5], y_validation=part.y_test[:5])
    write_images(sent, tmp_path / "images.npz")
    monkeypatch.setattr(worker, "_dataset", None)
    before = signal.getsignal(signal.SIGINT)
    try:
        worker.start_worker(tmp_path / "images.npz")
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    received = worker.images_in_worker()
    assert (received.sha256, received.classes, received.class_names) == (sent.sha256, 12, names)
    assert train_in_worker(Training("numpy", RECIPES[0], 0))["epochs_done"] == 2


def test_the_command_trains_ranks_and_resumes(data_folder, tmp_path, in_process):
    from typer.testing import CliRunner

    import nnkernels.cli  # noqa: F401  (registers the commands)
    from nnkernels.cli.shared import app

    file = tmp_path / "two.toml"
    file.write_text('[[recipe]]\nname = "short"\nbase = "sgd"\nepochs = 1\n')
    options = ["sweep", "--recipes", str(file), "--contenders", "numpy", "--widths", "3,4", "--data", str(data_folder)]
    results = ["--out", str(tmp_path / "out")]
    dry = CliRunner().invoke(app, [*options, *results, "--dry-run", "--seeds", "1"])
    assert dry.exit_code == 0, dry.output
    assert "short, numpy, width 3, rate 0.1, seed 0" in dry.output
    assert "2 of 2 trainings are missing: about 0:00:0" in dry.output
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(app, [*options, *results, "--seeds", "1"]).exit_code == 0
    again = CliRunner().invoke(app, [*options, *results, "--seeds", "1", "--first-seed", "4", "--resume"])
    assert again.exit_code == 0, again.output
    assert "accuracy on the validation images; 4 trainings" in again.output
    for name in ("curves.png", "widths.png"):
        assert f"figure  {tmp_path / 'out' / name}" in again.output
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert {row["seed"] for row in SweepFolder(tmp_path / "out").rows.values()} == {0, 4}
    for wrong, match in (
        (["--judge", "both"], "--judge is 'both'"),
        (["--resume"], "--resume needs --out"),
        (["--scheduler", "tcp://h:1", "--workers", "2"], "--workers and --dry-run are for this machine"),
    ):
        result = CliRunner().invoke(app, [*options, *wrong])
        assert isinstance(result.exception, ConfigurationError)
        assert match in str(result.exception)
