"""The summary table of a run: each cell is for the number of threads that its row shows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from nnkernels import contenders
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report import glance, keras_forms, readme, side_by_side
from nnkernels.report.headline import headline
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import Run, find_run
from nnkernels.report.summary import Summary, summarise
from tests import synthetic

ROOT = Path(__file__).parents[1]
UNITS = {"s": 1, "ms": 1e-3, "us": 1e-6}


@cache
def recorded(run_id: str) -> Summary:
    return summarise(find_run(ROOT / "results", run_id))


ONE_RUN = "20261125T234305Z"


@cache
def with_keras_on_two_backends() -> Summary:
    return summarise(synthetic.keras_run())


def table(text: str) -> dict[str, dict[str, str]]:
    """Return the first table of a section: its cells by contender and heading."""
    first = next(part for part in text.split("\n\n") if part.startswith("|"))
    headings, _rule, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in first.splitlines())
    return {line[0]: dict(zip(headings, line, strict=True)) for line in lines}


def cells(summary: Summary) -> dict[str, dict[str, str]]:
    return table(readme.section(summary))


def test_time_for_one_image_is_for_threads_of_row() -> None:
    row = cells(recorded(ONE_RUN))["jax-scan"]
    assert row["threads"] == "1"
    assert row["one image"].startswith("161 us")  # 60.7 us on all threads


@pytest.mark.parametrize("run_id", [path.name for path in sorted((ROOT / "results" / "runs").iterdir())])
def test_times_of_every_recorded_run_are_for_threads_of_row(run_id: str) -> None:
    summary = recorded(run_id)
    shown = cells(summary)
    assert set(shown) == set(summary.run.record.contenders)
    for name, row in shown.items():
        for work in ("epoch", "one image"):
            if row[work] == "-":
                continue
            label = f"{name}@{row['threads']}"
            interleaved = [
                np.ravel(measured.undisturbed(scenario)[label])
                for measured in summary.run.interleaved
                for scenario in measured.seconds
                if (scenario == work or scenario == f"{work} of 1,000") and label in measured.seconds[scenario]
            ]
            # SciPy trims whole values: with each value repeated four times, a quarter is a whole number.
            middles = [
                stats.trim_mean(np.repeat(np.log(seconds[~np.isnan(seconds)]), 4), 0.25) for seconds in interleaved
            ]
            number, unit, _interval = row[work].split(" ", 2)
            assert float(number) * UNITS[unit] == pytest.approx(np.exp(np.mean(middles)), rel=0.006)
            assert row[work].endswith("]")
        assert row["test error"].endswith("]") or row["test error"] == "-"


def test_ratio_of_baseline_to_itself_is_one() -> None:
    shown = cells(recorded(ONE_RUN))
    assert shown["numpy"]["x NumPy"] == "1.00"
    assert shown["keras-fit"]["x Keras fit"] == "1.00"
    assert shown["keras-graph"]["x best Keras"] == "1.00"


def test_preparation_and_break_even_are_shown() -> None:
    shown = cells(recorded(ONE_RUN))
    assert shown["fused"]["preparation"] == "18.9 ms (1 thread)"  # its row is for all threads
    assert shown["numpy"]["preparation"] == "246 us (1 thread)"
    assert shown["numba"]["preparation"] == "367 us"
    # 18.6 ms more than NumPy's. Each epoch, of 33.9 ms, regains 8.57 times its duration.
    assert shown["fused"]["break-even"] == f"{(18.866 - 0.246) / (33.906 * 8.57):.2g}"
    assert shown["numpy"]["break-even"] == "-"
    assert shown["keras-fit"]["break-even"] == "never"
    assert shown["keras-graph"]["x NumPy"] == "1.18 [1.09, 1.28]"
    assert shown["keras-graph"]["break-even"] == "1.3"
    assert "Preparation takes 18.9 ms for fused" in headline(recorded(ONE_RUN))
    assert any("separate processes" in note for note in glance.notes(recorded(ONE_RUN)))


def test_run_without_preparations_shows_dashes() -> None:
    shown = cells(recorded("20261125T171915Z"))
    assert {row["preparation"] for row in shown.values()} == {row["break-even"] for row in shown.values()} == {"-"}


def test_preparation_of_interleaved_runs_gives_break_even() -> None:
    summary = with_keras_on_two_backends()
    shown = cells(summary)
    assert shown["numpy"]["threads"] == "1"
    assert shown["fused"]["preparation"].startswith("107 ms [")
    assert shown["numba"]["break-even"] != "0"
    fused, numpy_ = summary.contender("fused"), summary.contender("numpy")
    assert fused
    assert fused.epoch
    assert fused.to_numpy
    assert fused.preparation
    assert numpy_
    assert numpy_.preparation
    assert fused.break_even == pytest.approx(
        (fused.preparation.estimate.value - numpy_.preparation.estimate.value)
        / (fused.epoch.value * (fused.to_numpy.estimate.value - 1))
    )
    assert not any("separate processes" in note for note in glance.notes(summary))


def test_best_keras_may_be_measured_in_separate_processes() -> None:
    summary = with_keras_on_two_backends()
    # Relative to NumPy on one thread in the same processes: 0.4 / 0.32 against 0.2 / 0.4 for keras-graph.
    assert summary.best_keras == "keras-jax-fit-steps"
    assert [form.name for form in summary.keras_forms] == [
        "keras-jax-fit-steps", "keras-graph", "keras-jax-fit", "keras-fit-steps", "keras-fit", "keras-graph-xla",
    ]  # fmt: skip
    by_name = {row.name: row.to_best_keras for row in summary.contenders}
    assert by_name["fused"]
    assert by_name["numpy"]
    assert by_name["fused"].estimate.value == pytest.approx(0.32 / 0.02)
    assert by_name["numpy"].estimate.value == pytest.approx(0.32 / 0.4)  # and not 0.32 / 0.2
    assert by_name["fused"].estimate.samples == 4
    assert by_name["keras-graph"] is by_name["jax-scan"] is None  # never in one process: no chained quotient
    assert cells(summary)["keras-graph"]["x best Keras"] == "-"
    assert any(
        "A dash: no process timed keras-jax-fit-steps together with" in note and "jax-scan" in note
        for note in glance.notes(summary)
    )


def test_slower_and_uncompiled_forms_are_listed_with_time_or_reason() -> None:
    section = readme.section(with_keras_on_two_backends())
    assert "| keras-fit-steps | TensorFlow | fit, 100 steps per execution | 1 | 852 ms [" in section
    assert "| keras-graph-xla | TensorFlow | an epoch in one tf.function, by XLA | - | - | - |" in section
    assert f"keras-graph-xla was not timed: {synthetic.NOT_COMPILED}" in section
    assert "Best Keras: keras-jax-fit-steps" in section


@pytest.mark.parametrize("name", filter(keras_forms.is_form, contenders.names()))
def test_description_of_each_keras_form_names_backend(name: str) -> None:
    assert contenders.entry(name).description.startswith(f"Keras on {keras_forms.backend(name)}, ")


def test_headline_states_default_and_best_form_of_each_keras_backend() -> None:
    text = headline(with_keras_on_two_backends())
    parts = (
        "200 times as fast as Keras' fit on TensorFlow",
        "16.0 times as fast as the fastest form of Keras tried (keras-jax-fit-steps, on JAX). ",
        "fused is 20.0 times as fast as the fastest form tried on TensorFlow (keras-graph)",
        "42.0 times as fast as Keras' fit on JAX. ",
        "Preparation takes 107 ms for fused (5 epochs) and",
    )
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_there_is_no_best_keras_without_numpy() -> None:
    run = synthetic.run()
    seconds = {"epoch": {"keras-fit@1": [[4.0]], "keras-graph@1": [[0.4]], "fused@1": [[0.02]]}}
    summary = summarise(Run(run.record, [InterleavedRun("1", "mnist", seconds, {})], run.asv_results))
    assert summary.best_keras is None
    assert "Best Keras: none" in readme.section(summary)
    assert "200 times as fast as Keras' fit on TensorFlow" in headline(summary)


def test_each_keras_form_is_compared_at_its_faster_setting() -> None:
    ratios = PairedRatios(synthetic.run().interleaved)
    # 0.20 / 2.0 for keras-fit on all threads, in whose process NumPy also ran on one thread.
    assert ratios.faster_setting("epoch", "keras-fit") == "all"
    assert ratios.faster_setting("epoch", "keras-graph") == "1"
    assert ratios.faster_setting("epoch", "absent") is None
    forms = {form.name: form for form in keras_forms.tried(ratios, "epoch")}
    assert forms["keras-fit"].threads == "all"
    assert forms["keras-fit"].to_numpy is not None
    assert forms["keras-fit"].to_numpy.value == pytest.approx(0.20 / 2.0)


def test_faster_setting_is_chosen_by_paired_ratios_not_by_times() -> None:
    # All threads are faster, but their processes ran while the machine was half as fast.
    interleaved = [
        InterleavedRun("1", "mnist", {"epoch": {"numpy@1": [[0.2]], "keras-fit@1": [[4.0]]}}, {}),
        InterleavedRun("all", "mnist", {"epoch": {"numpy@1": [[0.4]], "keras-fit@all": [[6.0]]}}, {}),
    ]
    assert PairedRatios(interleaved).faster_setting("epoch", "keras-fit") == "all"


def test_ratio_against_slower_setting_is_marked() -> None:
    summary = summarise(synthetic.run())
    # keras-fit is faster on all threads, but then never shared a process with keras-graph on one thread.
    assert cells(summary)["keras-graph"]["x Keras fit"] == "10.0 [10.0, 10.0]*"
    assert any(
        "A star (*) marks a ratio to keras-fit at" in note and "keras-graph" in note for note in glance.notes(summary)
    )


def test_one_image_scenarios_of_old_and_new_runs_are_distinguished() -> None:
    old = synthetic.run()
    interleaved = [
        InterleavedRun(
            measured.framework_threads,
            measured.dataset,
            {
                ("one image of 1,000" if work == "one image" else work): times
                for work, times in measured.seconds.items()
            },
            {},
        )
        for measured in old.interleaved
    ]
    new = Run(old.record, interleaved, old.asv_results)
    assert cells(summarise(old))["numpy"]["one image"] == cells(summarise(new))["numpy"]["one image"]
    assert "the same test image again and again" in readme.section(summarise(old))
    assert "the same test image" not in readme.section(summarise(new))
    works = side_by_side.side_by_side(old, new).query("work.str.startswith('one image')")
    assert (works.value.isna() ^ works.value_against.isna()).all()


def test_notes_name_contenders_timed_at_one_setting_only() -> None:
    run = synthetic.run()
    both = glance.notes(summarise(run))
    assert not any("timed only on" in note for note in both)
    record = replace(run.record, threads=["1"])
    one = replace(run, record=record, interleaved=[one for one in run.interleaved if one.framework_threads == "1"])
    (found,) = [note for note in glance.notes(summarise(one)) if "timed only on" in note]
    assert found.startswith("keras-graph, keras-fit: timed only on 1 thread;")
    assert "numpy" not in found
