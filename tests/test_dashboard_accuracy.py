"""The dashboard's section on accuracy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from nnkernels.errors import ResultsError
from nnkernels.report.dashboard.agreement import AGREES, DIFFERS, UNDECIDED, agreement
from nnkernels.report.dashboard.collection import MachineRuns
from nnkernels.report.dashboard.learning import CLAIM, TRAINING, read_claim, read_training
from nnkernels.report.dashboard.sections import accuracy
from nnkernels.report.dashboard.time_to_accuracy import TimesToAccuracy, times_to_accuracy
from nnkernels.report.runs import Run
from tests import synthetic
from tests.made_up_collections import collection, machine, run_at, with_contender, with_error_rates

SEEDS = [0.0581, 0.0560, 0.0602, 0.0577, 0.0555]


def times_of(one: MachineRuns) -> TimesToAccuracy | None:
    return times_to_accuracy(collection(Path(), one), one)


def shifted(by: float) -> list[float]:
    return [rate + by for rate in SEEDS]


def test_contenders_agree_if_their_paired_differences_are_small_although_seeds_vary() -> None:
    found = agreement(with_error_rates(synthetic.run(), {"numpy": SEEDS, "numba": shifted(0.0001)}))
    assert found is not None
    assert [one.verdict for one in found.errors] == ["", AGREES]
    assert found.sentence.startswith("All 2 contenders reach 5.75 to 5.76 % test error (mean over 5 seeds)")
    assert "more than 0.01 points" in found.sentence


def test_difference_of_a_contender_is_students_over_the_seeds() -> None:
    other = [0.0585, 0.0570, 0.0601, 0.0590, 0.0566]
    found = agreement(with_error_rates(synthetic.run(), {"numpy": SEEDS, "numba": other}))
    assert found is not None
    difference = found.errors[1].difference
    assert difference is not None
    expected = stats.ttest_rel(np.multiply(other, 100), np.multiply(SEEDS, 100)).confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))
    assert difference.value == pytest.approx(np.mean(np.subtract(other, SEEDS)) * 100)


def test_contenders_that_differ_or_are_undecided_are_named_with_numbers() -> None:
    noisy = [0.02, 0.09, 0.03, 0.08, 0.07]
    rates = {"numpy": SEEDS, "numba": SEEDS, "worse": shifted(0.02), "noisy": noisy}
    found = agreement(with_error_rates(synthetic.run(), rates))
    assert found is not None
    assert [one.verdict for one in found.errors] == ["", AGREES, DIFFERS, UNDECIDED]
    assert found.sentence.startswith("2 of 4 contenders reach 5.75 % test error")
    assert "Different from numpy: worse (+2.000 [+2.000, +2.000] points)." in found.sentence
    assert "Not decided against numpy: noisy (" in found.sentence


def test_one_seed_decides_nothing() -> None:
    found = agreement(with_error_rates(synthetic.run(), {"numpy": [0.05], "numba": [0.05]}))
    assert found is not None
    assert found.errors[1].verdict == UNDECIDED


def test_run_without_error_rates_has_no_agreement() -> None:
    run = synthetic.run()
    run.asv_results["results"].pop("accuracy.ErrorRate.track_test")
    assert agreement(run) is None


def test_time_to_accuracy_ranks_contenders_and_names_the_ratio() -> None:
    found = times_of(machine(with_contender(run_at(0), "numpy", like="keras-graph")))
    assert found is not None
    assert found.rows[0].contender == "fused"
    ratio = found.rows[0].to_numpy
    assert ratio is not None
    assert ratio.estimate.value == pytest.approx(1.0 / 0.018)
    assert "fused is the first to reach 8.7 % error" in found.sentence


def test_time_to_accuracy_comes_from_an_older_run_if_the_shown_one_lacks_it() -> None:
    quick = synthetic.run(run_id="20260102T000000Z-0123abcd")
    found = times_of(machine(run_at(0), quick))
    assert found is not None
    assert "(run 20260101T000000Z-0123abcd)" in found.sentence
    assert times_of(machine(quick)) is None


def write_learning(root: Path) -> None:
    (root / TRAINING).mkdir(parents=True)
    (root / CLAIM).parent.mkdir(parents=True)
    origin = {"commit": "ab" * 20, "dataset": {"name": "mnist"}}
    metrics = {
        "recipe": {"name": "adam", "hidden": 20},
        "kernels": "numba",
        "test": {"error_rate": 0.04},
        "provenance": origin,
    }
    (root / TRAINING / "metrics.json").write_text(json.dumps(metrics))
    (root / TRAINING / "history.csv").write_text(
        "epoch,elapsed_seconds,train_error_rate,validation_error_rate\n1,0.34,0.0698,0.0665\n2,0.43,,0.0485\n"
    )
    cell = {"hidden": 20, "recipe": "adam", "contender": "numba", "accuracy": 0.96, "ci_low": 0.95, "ci_high": 0.97}
    part = {"value": 1.5, "low": 1.4, "high": 1.6, "samples": 10}
    claim = {
        "cells": [cell | {"seeds": 10}, cell | {"contender": "keras-graph", "seeds": 10}],
        "gap_in_points": part,
        "parts_in_points": {"width": part, "recipe": part, "framework": part},
        "sentence": "A sentence.",
        "provenance": origin,
    }
    (root / CLAIM).write_text(json.dumps(claim))


def test_records_of_learning_are_read(tmp_path: Path) -> None:
    write_learning(tmp_path)
    error = read_claim(tmp_path).combinations[0].error
    assert (error.value, error.low, error.high) == pytest.approx((0.04, 0.03, 0.05))
    epochs = read_training(tmp_path).epochs
    assert (epochs[1].seconds, epochs[1].train_error, epochs[1].validation_error) == (0.43, None, 0.0485)


def test_section_has_every_chart_with_sentence_and_alternative(tmp_path: Path) -> None:
    write_learning(tmp_path)
    section = accuracy.build(collection(tmp_path, machine(run_at(0))))
    assert [chart.name for chart in section.charts] == [
        "accuracy-recipes",
        "accuracy-epochs",
        "accuracy-seconds",
        "accuracy-time",
        "accuracy-parts",
    ]
    assert all(chart.sentence and chart.alternative for chart in section.charts)
    assert "6.65 %" in section.charts[1].sentence
    assert "4.85 %" in section.charts[1].sentence
    assert section.values["missing"] == [accuracy.NO_RECIPES]


def test_section_says_what_is_missing_and_which_command_records_it(tmp_path: Path) -> None:
    run = synthetic.run()
    run.asv_results["results"].pop("accuracy.ErrorRate.track_test")
    section = accuracy.build(collection(tmp_path, machine(run)))
    assert section.charts == ()
    text = "\n".join(section.values["missing"])
    for command in ("nnkernels bench", "--profile standard", "compare --claim", "train --recipe adam"):
        assert command in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"cells": [{}]}', "[" * 10_000, '{"cells": 1e999}'])
def test_damaged_record_is_named_with_its_remedy(tmp_path: Path, content: str) -> None:
    write_learning(tmp_path)
    (tmp_path / CLAIM).write_text(content)
    with pytest.raises(ResultsError, match=r"claim\.json: damaged .* compare --claim"):
        read_claim(tmp_path)


def test_contender_of_another_package_appears_in_table_and_chart(tmp_path: Path) -> None:
    write_learning(tmp_path)
    rates = {"numpy": SEEDS, "numba": SEEDS, "mine": shifted(0.03)}
    run: Run = with_error_rates(with_contender(run_at(0), "mine", like="fused"), rates)
    section = accuracy.build(collection(tmp_path, machine(run)))
    _label, _sentence, columns = section.values["agreements"][0]
    assert "mine" in columns[0].cells
    assert "mine" in json.dumps(section.charts[0].spec)
    assert "mine" in json.dumps(section.charts[3].spec)
