"""The accuracy benchmark: its statistics, its stages, and that a continued run does only what is missing."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from nnkernels import cli, contenders, plots
from nnkernels.accuracy import design, paired_epochs
from nnkernels.accuracy import recorded as recording
from nnkernels.accuracy import run as running
from nnkernels.accuracy.design import FIRST_SEED, FIT, KERAS, OURS, Design, further_stage, stages, standard_design
from nnkernels.accuracy.equivalence import MARGIN, planned_seeds, verdict
from nnkernels.accuracy.errors import answers, kept_networks
from nnkernels.accuracy.paired_epochs import SCENARIO, speed_up, time_epochs
from nnkernels.accuracy.record import FOLDER, AccuracyRecord, AccuracyRun, write_epochs, write_record
from nnkernels.accuracy.run import run_accuracy
from nnkernels.accuracy.summary import paired_errors, summarise_accuracy
from nnkernels.augmentation import Augmentation
from nnkernels.contenders import Entry
from nnkernels.contenders.ours import KernelContender
from nnkernels.errors import ConfigurationError, Interruption, MissingDependencyError, ResultsError
from nnkernels.evaluation import evaluate
from nnkernels.interchange import load_network
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.asv_driver.workspace import Workspace
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.recipes import RECIPE_NAMES, Optimizer, Recipe
from nnkernels.report import accuracy as report
from nnkernels.report.accuracy_figures import draw_accuracy
from nnkernels.report.accuracy_runs import published_accuracy
from nnkernels.report.dashboard.accurate_recipes import accurate_recipes
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.page import render
from nnkernels.report.runs import pin, pin_accuracy, published_ids
from nnkernels.statistics import Estimate
from nnkernels.sweep import pool, worker
from nnkernels.sweep.results import SweepFolder
from nnkernels.training import batch_order, recipe_images
from nnkernels.transforms import augment, deskew
from tests import synthetic
from tests.in_process_pool import InProcess

ADAM = Recipe("adam", Optimizer("adam"), batch_size=64, learning_rate=0.003, hidden=4)
PLAIN = ADAM.with_changes(name="plain-best", epochs=1)
BEST = ADAM.with_changes(
    name="best",
    epochs=3,
    deskew=True,
    normalize_size=True,
    augmentation=Augmentation(shift_pixels=0.5),
    averaged_epochs=2,
)
TINY = Design(
    (PLAIN, BEST),
    ADAM,
    seeds=3,
    pilot_seeds=2,
    most_seeds=4,
    widths=(3, 4),
    keras_widths=(4,),
    keras_width_seeds=1,
    processes=2,
    turns=2,
)
STAND_INS = {OURS: "numba", KERAS: "numpy", FIT: "numpy"}


@pytest.fixture
def stand_ins(monkeypatch):
    """Our simple backends in place of the contenders, which would compile, or start TensorFlow in this process."""
    entries = {name: Entry(lambda kind=kind: KernelContender(kind), "") for name, kind in STAND_INS.items()}
    known = contenders._entries()
    monkeypatch.setattr(contenders, "_entries", lambda: known | entries)
    monkeypatch.setattr(pool, "ProcessPoolExecutor", InProcess)
    monkeypatch.setattr(worker, "_dataset", None)


@pytest.fixture
def clean(tmp_path, monkeypatch):
    """The workspace of a clean commit, which all trainings seem to belong to."""
    machine = worker.machine() | {"commit": "ab" * 20, "tree": "clean"}
    monkeypatch.setattr(worker, "machine", lambda: machine)
    monkeypatch.setattr(running, "changed_since", lambda _workspace: "")
    return Workspace(tmp_path, tmp_path / "bench", "ab" * 20, 0, "")


class Shown:
    """Shows nothing, remembers everything, and presses Ctrl-C after a number of trainings."""

    def __init__(self, stop_after=0):
        self.stop_after, self.titles, self.texts = stop_after, [], []

    def __call__(self, title):
        self.titles.append(title)
        return nullcontext(self.show)

    def show(self, _done, _total, text):
        self.texts.append(text)
        if len(self.texts) == self.stop_after:
            signal.raise_signal(signal.SIGINT)


def row(recipe, contender, seed, error_rate, seconds=1.0):
    return {
        **{"contender": contender, "seed": seed, "recipe": asdict(recipe), "error_rate": error_rate},
        **{"train_error_rate": error_rate / 2, "seconds": seconds},
    }


def epochs_of(*ratios):
    """Return paired epochs: a process for each list of ratios, in which ours takes 0.5 s."""
    return [
        InterleavedRun(
            "1", "mnist", {SCENARIO: {f"{OURS}@1": [[0.5]] * len(one), f"{FIT}@1": [[0.5 * r] for r in one]}}, {}
        )
        for one in ratios
    ]


def record(**changes):
    values = {
        **{"run_id": "20260101T000000Z-abababab", "unrecorded": "", "recorded_at": "2026-01-01T00:00:00Z"},
        **{"commit": "ab" * 20, "machine": "some", "dataset": "mnist", "workers": 2},
        **{"recipes": [asdict(PLAIN), asdict(BEST)], "width_recipe": asdict(ADAM)},
        **{"provenance": synthetic.record().provenance, "seconds": {"ours": 60.0, "keras": 90.0}},
    }
    return AccuracyRecord(**(values | changes))


def run_of(rows, epochs=None):
    return AccuracyRun(FOLDER / "here", record(), rows, epochs_of([10.0, 12.0], [11.0]) if epochs is None else epochs)


def rows_of_all(ours=(0.02, 0.03, 0.022), keras=(0.021, 0.029, 0.0225)):
    rows = [row(recipe, OURS, seed, error, 2.0 + seed) for recipe in (PLAIN, BEST) for seed, error in enumerate(ours)]
    rows += [row(BEST, KERAS, seed, error, 30.0) for seed, error in enumerate(keras)]
    rows += [row(PLAIN, KERAS, 0, keras[0]), row(BEST, FIT, 0, keras[0])]
    rows += [
        row(ADAM.with_changes(hidden=width), OURS, seed, 0.5 / width + seed / 1000)
        for width in (20, 3)
        for seed in (0, 1)
    ]
    return rows


# The statistics


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.0009, 0.0004, "equivalent"),
        (0.0002, 0.0009, "equivalent"),  # a difference that is sure, and too small to matter
        (-MARGIN, MARGIN, "equivalent"),
        (-0.0011, 0.0002, "undecided"),
        (0.0009, 0.0030, "undecided"),
        (0.0011, 0.0030, "different"),
        (-0.0030, -0.0011, "different"),
        (float("nan"), float("nan"), "undecided"),
    ],
)
def test_verdict_is_that_of_the_whole_interval(low, high, expected):
    assert verdict(Estimate((low + high) / 2, low, high, 5)) == expected


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.0013), (0.0003, 0.0011), (-0.0002, 0.0015), (0.0, 0.004)])
def test_seeds_are_planned_so_that_the_interval_would_fit(mean, deviation):
    pilot = np.array([1.0, -1.0, 0.5, 0.0, -0.5])
    pilot = mean + deviation * pilot / pilot.std(ddof=1)
    differences = np.concatenate([pilot, [0.01, -0.01, 0.005]])  # undecided, and not planned with
    fits = [
        count
        for count in range(9, 21)
        if max(map(abs, stats.t.interval(0.95, count - 1, loc=mean, scale=deviation / np.sqrt(count)))) <= MARGIN
    ]
    assert planned_seeds(differences, 5, 20) == (fits[0] if fits else len(differences))


@pytest.mark.parametrize("differences", [[0.0] * 5, [0.01, 0.011, 0.012, 0.01, 0.011]])
def test_no_further_seeds_if_the_verdict_is_clear(differences):
    assert planned_seeds(np.array(differences), 5, 20) == 5


def test_summary_has_students_intervals_and_pairs_by_seed():
    ours, keras = [0.02, 0.03, 0.022], [0.021, 0.029, 0.0225]
    rows = rows_of_all(ours, keras)
    shuffled = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]
    plain, best = summarise_accuracy(run_of(shuffled)).recipes
    expected = stats.t.interval(0.95, 2, loc=np.mean(ours), scale=stats.sem(ours))
    assert (best.error.low, best.error.high) == pytest.approx(expected)
    paired = stats.ttest_rel(ours, keras)
    interval = paired.confidence_interval(0.95)
    assert best.difference is not None
    assert best.difference.value == pytest.approx(np.mean(ours) - np.mean(keras))
    assert (best.difference.low, best.difference.high) == pytest.approx((interval.low, interval.high))
    assert (best.verdict, plain.verdict) == ("undecided", "undecided")  # one seed decides nothing
    assert (best.seconds, best.keras_seconds, best.train_error) == (3.0, 30.0, pytest.approx(np.mean(ours) / 2))
    assert best.fit_difference is not None
    assert best.fit_difference.value == pytest.approx(ours[0] - keras[0])
    assert plain.keras_error is not None
    assert (plain.keras_error.value, plain.keras_error.samples, plain.fit_difference) == (keras[0], 1, None)


def test_widths_are_ordered_and_without_keras_have_no_verdict():
    widths = summarise_accuracy(run_of(rows_of_all())).widths
    assert [result.recipe.hidden for result in widths] == [3, 20]
    assert widths[1].error.value == pytest.approx(0.5 / 20 + 0.0005)
    assert {(result.keras_error, result.difference, result.verdict) for result in widths} == {(None, None, None)}


def test_other_recipes_of_the_same_name_are_not_mixed():
    rows = [*rows_of_all(), row(BEST.with_changes(epochs=9), OURS, 7, 0.5)]
    assert summarise_accuracy(run_of(rows)).recipes[1].error.samples == 3


def test_speed_up_is_the_geometric_mean_over_processes():
    found = speed_up(epochs_of([10.0, 12.0], [8.0], [15.0]))
    logs = [np.mean(np.log([10, 12])), np.log(8), np.log(15)]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(logs), scale=stats.sem(logs))
    assert (found.value, found.low, found.high) == pytest.approx((np.exp(np.mean(logs)), np.exp(low), np.exp(high)))


@pytest.mark.parametrize(
    ("rows", "epochs", "match"),
    [
        ([], None, "has no trainings of plain-best, width 4; restore it from git"),
        (rows_of_all(), [], "has no paired epochs; restore it from git"),
    ],
)
def test_incomplete_run_is_refused(rows, epochs, match):
    with pytest.raises(ResultsError, match=match):
        summarise_accuracy(run_of(rows, epochs))


# The design


def test_standard_design_has_the_seeds_that_the_benchmark_promises(small_digits):
    design = standard_design(60_000)
    assert {recipe.name for recipe in (*design.recipes, design.width_recipe)} <= set(RECIPE_NAMES)
    assert all(recipe.patience is None for recipe in design.recipes)
    ours, keras, widths = stages(design, small_digits)
    count = Counter((one.contender, one.recipe.name) for one in (*ours.trainings, *keras.trainings))
    names = ["plain-best", "augmented-best", "best"]
    assert [count[OURS, name] for name in names] == [10, 10, 10]
    assert [count[KERAS, name] for name in names] == [5, 5, 10]
    assert [count[FIT, name] for name in names] == [1, 1, 1]
    every = [*ours.trainings, *keras.trainings, *widths.trainings]
    assert min(one.seed for one in every) == FIRST_SEED == 100
    study = Counter((one.contender, one.recipe.hidden) for one in widths.trainings)
    assert [study[OURS, width] for width in (10, 16, 20, 32, 64, 128, 256)] == [10] * 7
    assert {width for name, width in study if name == KERAS} == {20, 64, 128}
    assert {one.recipe.name for one in every if one.keep_network} == {"best"}


def test_further_seeds_continue_after_those_of_each_contender():
    design = replace(TINY, most_seeds=20, seeds=10, pilot_seeds=5)
    undecided = 0.0015 * np.array([1.0, -1.0, 0.5, 0.0, -0.5]) / np.std([1.0, -1.0, 0.5, 0.0, -0.5], ddof=1)
    count = planned_seeds(undecided, 5, 20)
    assert count > 10
    trainings = further_stage(design, {"plain-best": undecided, "best": np.zeros(10)}).trainings
    seeds = {name: [one.seed for one in trainings if one.contender == name] for name in (OURS, KERAS)}
    assert seeds == {OURS: list(range(110, 100 + count)), KERAS: list(range(105, 100 + count))}
    assert {one.recipe for one in trainings} == {PLAIN}


def test_recipe_that_stops_early_and_missing_keras_are_refused(small_digits, monkeypatch):
    design = replace(TINY, recipes=(BEST.with_changes(averaged_epochs=0, patience=2),))
    with pytest.raises(ConfigurationError, match="the test images would decide"):
        stages(design, small_digits)
    monkeypatch.setattr(contenders, "find_spec", lambda package: None if package == "keras" else package)
    with pytest.raises(MissingDependencyError, match=r"nnkernels\[keras\]"):
        stages(TINY, small_digits)


# Paired epochs


class Recording(KernelContender):
    """A contender that remembers what it was given."""

    def __init__(self, given):
        super().__init__("numpy")
        self.given = given

    def replace_images(self, X):
        super().replace_images(X)
        self.given.append(("images", X.copy()))

    def advance(self, order, learning_rates):
        super().advance(order, learning_rates)
        self.given.append(("order", order.copy()))
        self.given.append(("rates", learning_rates.copy()))


def test_both_contenders_get_the_images_order_and_rates_of_a_training(small_digits, monkeypatch):
    given = {OURS: [], FIT: []}
    known = contenders._entries()
    entries = {name: Entry(lambda name=name: Recording(given[name]), "") for name in given}
    monkeypatch.setattr(contenders, "_entries", lambda: known | entries)
    transformed = []
    monkeypatch.setattr(
        paired_epochs,
        "recipe_images",
        lambda recipe, data: transformed.append(data.X) or recipe_images(recipe, data),
    )
    measured = time_epochs(small_digits, BEST, turns=2, seed=5)
    upright = deskew(small_digits.X_train, normalize_size=True)
    shares = [len(images) for images in transformed if len(images) < len(upright)]
    assert len(shares) >= 2 * 3  # in both clocks, each epoch transforms its share of the images
    assert set(shares) == {-(-len(upright) // BEST.epochs)}
    for log in given.values():
        epochs = log[-9:]  # the last three epochs: the gate trained before
        assert [what for what, _ in epochs] == ["images", "order", "rates"] * 3
        for epoch, (images, order, rates) in enumerate(zip(epochs[::3], epochs[1::3], epochs[2::3], strict=True)):
            np.testing.assert_array_equal(images[1], augment(upright, BEST.augmentation, seed=5, epoch=epoch))
            np.testing.assert_array_equal(order[1], batch_order(5, epoch, len(upright)))
            np.testing.assert_array_equal(rates[1], BEST.learning_rates(epoch, len(upright)))
    assert {label: np.shape(seconds) for label, seconds in measured.seconds[SCENARIO].items()} == {
        "fused@1": (2, 1),
        "keras-fit@1": (2, 1),
    }
    assert measured.judged(SCENARIO) is not None


# The run


@pytest.mark.usefixtures("stand_ins")
def test_run_trains_every_stage_and_keeps_loadable_networks(clean, small_digits):
    shown = Shown()
    measured = run_accuracy(clean, small_digits, TINY, 1, shown)
    assert measured.folder == clean.root / FOLDER / measured.record.run_id
    assert measured.record.unrecorded == ""
    assert not list((clean.root / ".asv" / "resumable").iterdir())
    assert set(measured.record.seconds) >= {"ours", "keras", "widths", "paired epochs"}
    rows = SweepFolder(measured.folder).rows.values()
    assert {row["judge"] for row in rows} == {"test"}
    count = Counter((row["contender"], row["recipe"]["name"], row["recipe"]["hidden"]) for row in rows)
    assert (count[OURS, "adam", 3], count[OURS, "adam", 4], count[KERAS, "adam", 4]) == (3, 3, 1)
    assert (count[OURS, "best", 4], count[FIT, "best", 4], count[FIT, "plain-best", 4]) == (3, 1, 1)
    kept = [row for row in rows if row.get("network")]
    assert len(kept) == 3
    for one in kept:
        network = load_network(measured.folder / one["network"])
        assert network.preprocessing.normalize_size
        features = network.preprocessing.features(small_digits.X_test)
        assert evaluate(network.parameters, features, small_digits.y_test)[1] == one["error_rate"]
    networks = kept_networks(measured)
    assert list(networks) == ["seed 100", "seed 101", "seed 102"]
    errors = answers(networks, small_digits.test).wrong.mean(axis=1)
    assert errors.tolist() == [one["error_rate"] for one in sorted(kept, key=lambda one: one["seed"])]
    assert len(measured.epochs) == TINY.processes
    # The backends that stand in for the contenders differ by rounding only.
    paired = paired_errors(rows, BEST)
    assert paired.seeds == (100, 101, 102)
    np.testing.assert_allclose(paired.ours, paired.keras, atol=2 / len(small_digits.X_test))


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("stop_after", [2, 6, 9, 21])
def test_continued_run_does_only_what_is_missing(clean, small_digits, stop_after):
    first, second = Shown(stop_after), Shown()
    with pytest.raises(Interruption, match=r"interrupted; \d+ trainings are saved: run the same command again"):
        run_accuracy(clean, small_digits, TINY, 1, first)
    assert not (clean.root / FOLDER).exists()
    (folder,) = (clean.root / ".asv" / "resumable").iterdir()
    before = running.read_record(folder)
    measured = run_accuracy(clean, small_digits, TINY, 1, second)
    trained = [text.rpartition(":")[0] or text for text in (*first.texts, *second.texts)]
    assert len(trained) == len(set(trained)) == len(measured.rows) + TINY.processes
    assert measured.record.run_id == before.run_id
    assert measured.record.seconds["ours"] >= before.seconds["ours"] > 0


@pytest.mark.usefixtures("stand_ins")
def test_run_of_other_code_is_not_recorded_and_another_design_begins_anew(clean, small_digits, monkeypatch):
    short = replace(TINY, seeds=2, widths=(4,), processes=1, turns=1)
    with pytest.raises(Interruption):
        run_accuracy(clean, small_digits, TINY, 1, Shown(1))
    monkeypatch.setattr(worker, "machine", lambda: {"commit": "cd" * 20, "tree": "clean"})
    measured = run_accuracy(clean, small_digits, short, 1, Shown())
    assert measured.record.unrecorded == "a training ran at commit cdcdcdcd, clean"
    assert measured.folder == clean.root / ".asv" / "unrecorded" / "accuracy" / measured.record.run_id
    assert not (clean.root / FOLDER).exists()
    dirty = replace(clean, unrecorded="uncommitted changes in README.md")
    with pytest.raises(Interruption, match=r"has the results of \d trainings.*start it at a clean commit"):
        run_accuracy(dirty, small_digits, short, 1, Shown(1))


# What is shown


@pytest.fixture
def recorded(tmp_path):
    """A checkout with a recorded accuracy run, and a README with an empty block."""
    write_recorded(tmp_path)
    (tmp_path / "README.md").write_text(f"before\n{report.section(None)}\nafter\n")
    return tmp_path


def write_recorded(root):
    """Write a recorded accuracy run into a checkout."""
    written = run_of(rows_of_all())
    folder = root / FOLDER / written.record.run_id
    results = SweepFolder(folder)
    for number, one in enumerate(written.rows):
        times = {"started": "2026", "seconds_with_evaluation": 3.0}
        curve = {"epoch": [1], "error_rate": [one["error_rate"]], "train_error_rate": [one["train_error_rate"]]}
        results.add(f"{number:032x}", {**one, "judge": "test", "data": {"name": "mnist"}, "curve": curve, **times})
    results.merge()
    write_epochs(folder, written.epochs)
    write_record(folder, written.record)


def test_block_of_the_readme_is_the_table_and_a_caption(recorded):
    found = published_accuracy(recorded)
    assert found is not None
    block = report.section(found)
    lines = block.splitlines()
    assert len(lines) == 12  # with two recipes; the README has room for three
    assert lines[2].startswith("| recipe | seeds | accuracy | training | time | keras-graph | difference | verdict |")
    assert "| plain-best | 3 (1) | 97.60 % [96.29, 98.91] | 98.80 % | 3.00 s | 97.90 % | +0.10 | undecided |" in lines
    low, high = (
        100 * (1 - np.array(stats.t.interval(0.95, 2, loc=0.0725 / 3, scale=stats.sem([0.021, 0.029, 0.0225]))))[::-1]
    )
    assert f"| best | 3 | 97.60 % [96.29, 98.91] | 98.80 % | 3.00 s | 97.58 % [{low:.2f}, {high:.2f}] |" in block
    assert "the 10,000 test images of mnist" in block
    ratio = np.exp(np.mean([np.log(120) / 2, np.log(11)]))
    assert f"fused trains best in 1.50 s [1.50, 1.50], transforms included, {ratio:.1f} [" in block
    assert "Run `20260101T000000Z-abababab`." in block


def test_results_from_before_an_attribute_of_recipes_are_summarised():
    rows = rows_of_all()
    recipes = [*(one["recipe"] for one in rows), *(older := [asdict(PLAIN), asdict(BEST)])]
    for recipe in recipes:  # no recipe had such images
        del recipe["normalize_size"]
        recipe["deskew"] = False
    run = run_of(rows)
    found = summarise_accuracy(replace(run, record=replace(run.record, recipes=older)))
    expected = summarise_accuracy(run_of(rows_of_all()))
    assert [one.error for one in found.recipes] == [one.error for one in expected.recipes]


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        (
            (0.96, 0.975, 0.981),
            "The 97.9 % that the write-up reports for Keras lies between the accuracies of 4 units (97.50 %) and 64",
        ),
        ((0.96, 0.981, 0.978), "lies between the accuracies of 3 units (96.00 %) and 4 units (98.10 %)"),
        ((0.96, 0.961, 0.97), None),
        ((0.98, 0.981, 0.982), None),
    ],
)
def test_widths_tell_where_the_claimed_accuracy_comes_from(accuracies, expected):
    rows = [one for one in rows_of_all() if one["recipe"]["name"] != ADAM.name]
    for width, found in zip((3, 4, 64), accuracies, strict=True):
        rows += [row(ADAM.with_changes(hidden=width), OURS, seed, 1 - found) for seed in (0, 1)]
    rows += [row(ADAM, KERAS, seed, 0.04) for seed in (0, 1)]
    text = report.width_answer(summarise_accuracy(run_of(rows)))
    assert text.startswith("With 4 hidden units and the recipe adam, the test accuracy is ")
    assert f"{100 * accuracies[1]:.2f} % [" in text
    assert "and 96.00 % [96.00, 96.00] with keras-graph." in text
    assert text.endswith(
        "with 4 hidden units, thanks to deskewed digits of the same size, distorted copies, and long training with "
        "averaged weights."
    )
    assert expected in text if expected else "write-up" not in text


def test_notebooks_get_the_numbers_of_the_summary(recorded, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(recording, "find_root", lambda: recorded)
    found, summary = recording.recorded_accuracy(), published_accuracy(recorded)
    assert found is not None
    assert summary is not None
    assert found.run_id == summary.run.record.run_id
    assert list(found.recipes.index) == ["plain-best", "best"]
    plain = found.recipes.loc["plain-best"]
    assert (plain["low"], plain["accuracy"], plain["high"]) == pytest.approx((96.29, 97.6, 98.91), abs=0.005)
    assert (plain["keras"], plain["difference"]) == pytest.approx((97.9, 0.1))
    assert plain["verdict"] == "undecided"
    assert list(found.widths.index) == [result.recipe.hidden for result in summary.widths]
    assert np.isnan(found.widths.loc[3, "keras"])
    assert found.networks == {}  # none are kept in these made-up results
    monkeypatch.setattr(recording, "find_root", lambda: tmp_path_factory.mktemp("empty"))
    assert recording.recorded_accuracy() is None


def test_figures_are_drawn_once_for_the_same_numbers(recorded, monkeypatch):
    found = published_accuracy(recorded)
    assert found is not None
    drawn = draw_accuracy(recorded / "results", found)
    assert [path.name for path in drawn] == ["widths.png", "curves.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    monkeypatch.setattr(plots, "save_figure", lambda *_, **__: pytest.fail("drawn again"))
    assert draw_accuracy(recorded / "results", found) == drawn


def damage_epochs(folder):
    write_epochs(folder, [InterleavedRun("1", "mnist", {}, {})])


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda folder: (folder / "run.json").write_text('{"version": 1}'), r"run\.json: damaged"),
        (lambda folder: (folder / "trainings.jsonl").write_text("{}"), r"has a damaged result \(.*restore it from git"),
        (damage_epochs, r"epochs\.json: lacks times of fused@1 or keras-fit@1; .*restore it from git"),
    ],
)
def test_damaged_run_is_refused(recorded, damage, match):
    damage(recorded / FOLDER / record().run_id)
    with pytest.raises(ResultsError, match=match):
        published_accuracy(recorded)


def test_difference_of_zero_has_no_sign_of_less():
    assert report.points(Estimate(0.0, 0.0, 1e-6, 3)) == "+0.00 [+0.00, +0.00]"
    assert report.points(Estimate(0.0012, 0.0004, 0.0020, 3)) == "-0.12 [-0.20, -0.04]"


def test_accuracy_run_is_published_beside_the_others(recorded, monkeypatch):
    monkeypatch.setattr(workspace, "find_root", lambda: recorded)
    run_id = record().run_id
    text = (recorded / "README.md").read_text()
    cli.publish._pin(recorded, [run_id[:12]])
    assert run_id in (recorded / "README.md").read_text()
    assert (recorded / "README.md").read_text() != text
    with pytest.raises(ResultsError, match="no run is published yet"):
        published_ids(recorded / "results")
    other = synthetic.full_run()
    pin(recorded / "results", other)
    assert published_ids(recorded / "results") == [other.record.run_id]
    found = published_accuracy(recorded)
    assert found is not None
    assert found.run.record.run_id == run_id
    pin_accuracy(recorded / "results", "20250101T000000Z-00000000")
    with pytest.raises(ResultsError, match=r"0 runs begin with '20250101T.*there are: 20260101T000000Z-abababab"):
        published_accuracy(recorded)
    (recorded / "results" / "published.json").write_text('{"version": 2, "accuracy": 3}')
    with pytest.raises(ResultsError, match="damaged"):
        published_accuracy(recorded)


def test_page_has_the_tables_and_the_chart_of_widths(recorded):
    found = published_accuracy(recorded)
    assert found is not None
    shown = accurate_recipes(found)
    assert "from 16.72 % (3) down to 2.55 % (20). " in shown.chart.sentence
    assert shown.chart.sentence.endswith(report.width_answer(found))
    html = render(Collection(recorded, (), ())).html
    assert shown.caption.split(". ")[0] in html
    assert "accuracy-widths" in html


@pytest.mark.usefixtures("stand_ins")
def test_bench_records_what_the_kept_networks_get_wrong(clean, data_folder, small_digits, monkeypatch):
    monkeypatch.setenv("NNKERNELS_DATA", str(data_folder))
    monkeypatch.setattr(workspace, "open_workspace", lambda: clean)
    monkeypatch.setattr(design, "standard_design", lambda _images: TINY)
    monkeypatch.setattr("nnkernels.learn.errors_report.save_figures", lambda *_: None)
    answer = CliRunner().invoke(cli.app, ["bench", "--profile", "accuracy"])
    assert answer.exit_code == 0
    assert "3 networks on 256 test images" in answer.output
    (folder,) = (clean.root / FOLDER).iterdir()
    errors = json.loads((folder / "errors" / "errors.json").read_text("utf-8"))
    rows = SweepFolder(folder).rows.values()
    kept = {f"seed {one['seed']}": one["error_rate"] for one in rows if one.get("network")}
    assert {one["file"]: one["error_rate"] for one in errors["networks"]} == kept
    assert errors["images"] == len(small_digits.X_test)


def test_bench_refuses_other_contenders_for_this_profile():
    answer = CliRunner().invoke(cli.app, ["bench", "--profile", "accuracy", "--contenders", "numpy"])
    assert isinstance(answer.exception, ConfigurationError)
    assert "leave out --contenders and --threads" in str(answer.exception)
