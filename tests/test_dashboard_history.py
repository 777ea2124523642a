"""The history that the dashboard shows: segments, prediction intervals, controls, and the rate of false discoveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nnkernels.report.dashboard.collection import MachineRuns, collect
from nnkernels.report.dashboard.conditions import conditions
from nnkernels.report.dashboard.false_discoveries import deviation, discoveries, inflation
from nnkernels.report.dashboard.history import REGRESSION, History, histories, judge
from nnkernels.report.dashboard.history_sentences import change_sentence, controls_sentence, movements, sentence
from nnkernels.report.dashboard.series import CONTROL, JUDGED, MIN_PAST, Key, Measured, Series, build_series
from nnkernels.report.runs import Run
from nnkernels.statistics import Estimate
from tests import synthetic
from tests.many_runs import MACHINES, made_up_run, write_run, write_runs

START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


@cache
def bare_run(number: int, hours: float = 2.0, profile: str = "standard") -> Run:
    started = f"{START + timedelta(hours=hours * number):%Y-%m-%dT%H:%M:%SZ}"
    record = synthetic.record(run_id=f"run-{number}", recorded_at=started, profile=profile)
    return Run(record, [], {"result_columns": [], "results": {}})


def series_of(logs: Any, name: str = "fused", role: str = JUDGED, versions: Mapping[int, str] | None = None) -> Series:
    """Return a series with these logarithms, whose condition ``numba`` changes at the runs in ``versions``."""
    version, measured = "1", []
    for number, log in enumerate(logs):
        version = (versions or {}).get(number, version)
        value = float(np.exp(log))
        measured.append(Measured(bare_run(number), Estimate(value, value, value, 4), {"numba": version}))
    return build_series(Key("machine", "mnist", "epoch", name, "1", "numpy"), role, "x NumPy", measured)


def history_of(*series: Series) -> History:
    runs = [bare_run(number) for number in range(len(series[0].points))]
    return judge([(MachineRuns("machine", "Machine", tuple(runs), runs[-1]), runs, series)])[0]


def simulated(seed: int, noise: float, change: float = 0.0, controls: int = 3) -> History:
    """Return a history of twelve runs: six judged series and controls, all with the noise of one reference."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, noise, (9, 12)) + rng.normal(0, noise, 12)
    logs[2, -1] += change
    return history_of(
        *(series_of(row, f"own-{place}") for place, row in enumerate(logs[:6])),
        *(series_of(row, f"control-{place}", CONTROL) for place, row in enumerate(logs[6 : 6 + controls])),
    )


def test_of_200_histories_without_a_change_about_5_percent_list_one() -> None:
    # Without controls, which make alarms rarer. With a rate of 5 %, 16 or fewer have a probability of 97 %.
    listed = {seed: simulated(seed, 0.03, controls=0).changes for seed in range(200)}
    alarms = [seed for seed, changes in listed.items() if changes]
    assert 0 < len(alarms) <= 16
    assert sum(bool(simulated(seed, 0.03).changes) for seed in alarms) < len(alarms)


@pytest.mark.parametrize(("change", "direction"), [(np.log(0.9), "regression"), (np.log(1.1), "improvement")])
def test_a_change_of_10_percent_is_found_in_its_series_and_direction(change: float, direction: str) -> None:
    found = 0
    for seed in range(20):
        listed = [one for one in simulated(1000 + seed, 0.006, change).changes if one.point.run_id == "run-11"]
        hits = [one for one in listed if one.series.key.contender == "own-2"]
        found += bool(hits)
        assert all(one.direction == direction for one in hits)
        assert len(listed) - len(hits) <= 1
    assert found >= 18


def test_the_deviation_is_that_of_student_s_prediction_interval() -> None:
    past = np.array([1.0, 1.3, 0.9, 1.1, 1.2, 0.8])
    found = deviation(1.9, past)
    scale = past.std(ddof=1) * np.sqrt(1 + 1 / 6)
    assert found.mean == pytest.approx(1.05)
    assert found.margin == pytest.approx(stats.t.ppf(0.975, 5) * scale)
    assert found.p_value() == pytest.approx(2 * stats.t.sf((1.9 - 1.05) / scale, 5))
    assert found.p_value(4.0) == pytest.approx(2 * stats.t.sf((1.9 - 1.05) / scale / 2, 5))


@pytest.mark.parametrize(("value", "p_value"), [(1.0, 1.0), (2.0, 0.0)])
def test_past_values_without_any_noise_do_not_divide_by_zero(value: float, p_value: float) -> None:
    assert deviation(value, np.ones(5)).p_value() == p_value


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    rng = np.random.default_rng(0)
    for _case in range(50):
        values = np.concatenate([rng.uniform(size=20), rng.uniform(size=5) / 200])
        np.testing.assert_array_equal(discoveries(values), stats.false_discovery_control(values) <= 0.05)
    assert discoveries([]).tolist() == []
    assert discoveries([0.06]).tolist() == [False]


def test_the_inflation_is_1_for_quiet_controls_and_large_for_moved_ones() -> None:
    past = np.array([0.0, 0.01, -0.01, 0.02, -0.02])
    assert inflation([]) == 1.0
    assert inflation([deviation(0.001, past)] * 3) == 1.0
    assert inflation([deviation(0.5, past)] * 3) > 100


def test_a_change_that_the_controls_share_is_not_listed() -> None:
    rng = np.random.default_rng(5)
    own, control = rng.normal(0, 0.01, (3, 14)), rng.normal(0, 0.01, (3, 14))
    own[0, -1] -= 0.12
    judged = [series_of(row, f"own-{place}") for place, row in enumerate(own)]
    quiet = history_of(*judged, *(series_of(row, f"c{place}", CONTROL) for place, row in enumerate(control)))
    assert [(one.series.key.contender, one.direction) for one in quiet.changes] == [("own-0", REGRESSION)]
    control[:, -1] -= 0.12
    moved = history_of(*judged, *(series_of(row, f"c{place}", CONTROL) for place, row in enumerate(control)))
    assert moved.changes == ()
    assert moved.runs[-1].inflation > 10
    assert "times the variance" in controls_sentence(moved)


def test_fewer_than_five_past_runs_judge_nothing() -> None:
    found = series_of([0.0, 0.01, -0.01, 0.0, 0.02, 5.0])
    assert [point.past for point in found.points] == [0, 1, 2, 3, 4, 5]
    assert [point.band is not None for point in found.points] == [False] * MIN_PAST + [True]
    assert found.points[4].note == "too few past runs to judge it (4 of 5)"
    assert found.points[5].outside
    few = history_of(series_of([0.0, 0.01, -0.01, 9.0]))
    assert few.judged == 0
    assert "too few to judge" in sentence(few)
    assert few.changes == ()


def test_a_change_of_version_starts_a_new_segment() -> None:
    found = series_of([0.0] * 6 + [1.0] * 3, versions={6: "2"})
    assert [point.segment for point in found.points] == [0] * 6 + [1] * 3
    assert found.points[6].breaks == ("numba 1 to 2",)
    assert [point.past for point in found.points[6:]] == [0, 1, 2]
    assert history_of(found).changes == ()


def test_profiles_are_not_compared_and_do_not_end_each_other_s_segments() -> None:
    measured = []
    for number in range(8):
        run = bare_run(number, profile="headline" if number % 2 else "standard")
        measured.append(Measured(run, Estimate(1.0, 1.0, 1.0, 4), {}))
    found = build_series(Key("m", "mnist", "epoch", "fused", "1", "numpy"), JUDGED, "x NumPy", measured)
    assert [point.segment for point in found.points] == [0, 1] * 4
    assert [point.past for point in found.points] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_runs_within_an_hour_are_shown_but_do_not_count() -> None:
    measured = [Measured(bare_run(number, 0.4), Estimate(1.0, 1.0, 1.0, 4), {}) for number in range(7)]
    found = build_series(Key("m", "mnist", "epoch", "fused", "1", "numpy"), JUDGED, "x NumPy", measured)
    assert [point.counts for point in found.points] == [True, False, False, True, False, False, True]
    assert [point.past for point in found.points] == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("package", "broken"),
    [
        ("numpy", {"fused", "numpy", "keras-fit", "jax-scan", "unknown"}),
        ("numba", {"fused", "unknown"}),
        ("tensorflow-cpu", {"keras-fit", "unknown"}),
        ("jaxlib", {"jax-scan", "unknown"}),
        ("asv", set()),
    ],
)
def test_a_version_breaks_the_series_that_it_decides(package: str, broken: set[str]) -> None:
    run = made_up_run(0)
    base = {"numpy": "1", "numba": "1", "keras": "1", "tensorflow-cpu": "1", "jax": "1", "jaxlib": "1", "asv": "1"}

    def of(name: str, packages: dict[str, str]) -> dict[str, str]:
        provenance = run.record.provenance | {"packages": packages}
        return conditions(replace(run, record=replace(run.record, provenance=provenance)), "epoch", name)

    names = ("fused", "numpy", "keras-fit", "jax-scan", "unknown")
    assert {name for name in names if of(name, base) != of(name, base | {package: "2"})} == broken


def test_the_kernel_of_the_system_and_the_order_of_blas_libraries_break_nothing() -> None:
    run = made_up_run(0)
    libraries = [{"internal_api": "openblas", "version": version, "architecture": "Zen"} for version in "12"]

    def of(**changes: object) -> dict[str, str]:
        provenance = run.record.provenance | {"blas": libraries} | changes
        return conditions(replace(run, record=replace(run.record, provenance=provenance)), "epoch", "fused")

    assert of() == of(os="Linux 7", blas=libraries[::-1])
    assert of() != of(blas=libraries[:1])
    assert of() != of(environment={"kept": {"OMP_NUM_THREADS": "1"}, "neutralised": {}})


def test_a_new_version_of_the_benchmark_breaks_the_series() -> None:
    run = made_up_run(0)
    before = conditions(run, "epoch", "fused")
    run.asv_results["results"]["ratios.OneThread.track_relative_time"][2] = "5"
    assert before["benchmark"] == "ratios 4"
    assert conditions(run, "epoch", "fused")["benchmark"] == "ratios 5"


def test_a_slower_kernel_is_found_in_recorded_runs_and_a_slower_framework_is_a_control(tmp_path: Path) -> None:
    write_runs(tmp_path, 13, machines=1, factors={12: {"fused": 1.4, "jax-scan": 1.1}})
    history = histories(collect(tmp_path))[0]
    newest = [change for change in history.changes if change.point.run_id == history.runs[-1].run.record.run_id]
    assert {change.series.key.contender for change in newest} == {"fused"}
    assert {change.direction for change in newest} == {REGRESSION}
    assert {change.series.key.work for change in newest} == {"epoch", "one image of 1,000", "10,000 images"}
    text = change_sentence(newest[0])
    assert text.startswith("Regression: `fused`")
    assert newest[0].point.commit[:12] in text
    assert "regression" in sentence(history)
    assert "jax-scan" in {series.key.contender for _moved, series in movements(history, CONTROL)}
    assert "limits of the hardware" in controls_sentence(history)


def test_points_are_the_paired_ratios_of_single_runs_and_machines_are_apart(tmp_path: Path) -> None:
    write_runs(tmp_path, 4, machines=2)
    write_run(tmp_path, made_up_run(50, MACHINES[1], profile="quick", unrecorded="not a clean tree"))
    collection = collect(tmp_path)
    found = histories(collection)
    assert [len(history.runs) for history in found] == [2, 2]
    for history, machine in zip(found, collection.machines, strict=True):
        assert {series.key.machine for series in history.series} == {machine.machine}
        for series in (one for one in history.series if one.role != "limit"):
            key = series.key
            for point, run in zip(series.points, machine.runs, strict=False):
                label = (key.contender, key.threads)
                assert point.estimate == collection.ratios(run).at(key.work, label, ("numpy", "1"))
