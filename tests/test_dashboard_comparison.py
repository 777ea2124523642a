"""The comparisons that the dashboard shows: the numbers, what is missing and why, and their size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nnkernels.report import formats
from nnkernels.report.dashboard import comparison_payload
from nnkernels.report.dashboard.collection import Collection, collect
from nnkernels.report.dashboard.comparison import (
    FASTER,
    NOT_AT_SETTING,
    NOT_SHARED,
    VIEWS,
    WorkComparison,
    compare,
)
from nnkernels.report.dashboard.comparison_payload import DETAILED, files, payload, run_payload
from nnkernels.report.ratios import PairedRatios
from tests import synthetic
from tests.many_runs import made_up_run, write_run, write_runs


@pytest.fixture(scope="module")
def ratios() -> PairedRatios:
    return PairedRatios(synthetic.keras_run().interleaved)


@pytest.fixture(scope="module")
def epoch(ratios: PairedRatios) -> WorkComparison:
    return compare(synthetic.keras_run(), ratios)[0]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    root = tmp_path_factory.mktemp("comparisons")
    write_runs(root, DETAILED + 3, machines=1)
    return collect(root)


def test_every_ratio_and_time_is_that_of_the_paired_ratios(epoch: WorkComparison, ratios: PairedRatios) -> None:
    compared = 0
    for view, by_reference in epoch.ratios.items():
        for reference, cells in by_reference.items():
            for name, cell in cells.items():
                if cell.estimate:
                    expected = ratios.at("epoch", (name, cell.threads), (reference, cell.against))
                    assert cell.estimate == expected
                    assert view in (FASTER, cell.threads)
                    compared += 1
        for name, cell in epoch.seconds[view].items():
            if cell.estimate:
                assert cell.estimate == ratios.seconds("epoch", name, cell.threads)
    assert compared > 80


def test_the_two_directions_of_a_pair_are_inverse(epoch: WorkComparison) -> None:
    pairs = 0
    for view, by_reference in epoch.ratios.items():
        for reference, cells in by_reference.items():
            for name, cell in cells.items():
                back = epoch.ratios[view].get(name, {}).get(reference)
                if cell.estimate and back and back.estimate and cell.against == back.threads:
                    assert cell.estimate.value * back.estimate.value == pytest.approx(1)
                    assert cell.estimate.low * back.estimate.high == pytest.approx(1)
                    pairs += 1
    assert pairs > 80


def test_ratios_to_the_reference_are_the_summary_s(ratios: PairedRatios, epoch: WorkComparison) -> None:
    for name in ("fused", "keras-graph", "keras-jax-fit"):
        faster = ratios.faster_setting("epoch", name)
        assert faster is not None
        expected = ratios.against("epoch", (name, faster), "numpy")
        assert expected is not None
        cell = epoch.ratios[FASTER]["numpy"][name]
        assert (cell.estimate, cell.against, cell.is_faster) == (
            expected.estimate,
            expected.threads,
            expected.is_faster,
        )


def test_missing_ratios_have_reasons(epoch: WorkComparison) -> None:
    assert epoch.ratios[FASTER]["keras-fit"]["keras-jax-fit"].reason == NOT_SHARED
    assert epoch.ratios["all"]["numpy"]["fused"].reason == NOT_AT_SETTING
    assert epoch.ratios[FASTER]["numpy"]["keras-graph-xla"].reason == synthetic.NOT_COMPILED
    assert epoch.seconds[FASTER]["keras-graph-xla"].reason == synthetic.NOT_COMPILED


def test_the_payload_has_every_number_formatted_and_for_the_axis(collection: Collection) -> None:
    run = collection.machines[0].shown
    found = run_payload(collection, run)
    ratios = collection.ratios(run)
    for work in found["works"]:
        for view in VIEWS:
            for reference, row in zip(work["references"], work["ratios"][view], strict=True):
                for name, place in zip(work["contenders"], row, strict=True):
                    if place < 0:
                        assert work["reasons"][-1 - place]
                        continue
                    value, interval, number, low, high, samples, threads, against, _faster = work["cells"][place]
                    expected = ratios.at(work["name"], (name, threads), (reference, against))
                    assert expected is not None
                    assert f"{value} {interval}".strip() == formats.ratio(expected)
                    assert [number, low, high] == pytest.approx([expected.value, expected.low, expected.high], rel=1e-3)
                    assert samples == expected.samples
            for name, place in zip(work["contenders"], work["seconds"][view], strict=True):
                if place >= 0:
                    value, interval, *_numbers, threads, against, _faster = work["cells"][place]
                    assert f"{value} {interval}" == formats.time(ratios.seconds(work["name"], name, threads))
                    assert against == ""


def test_a_single_process_has_no_interval(tmp_path: Path) -> None:
    run = made_up_run(0)
    write_run(tmp_path, replace(run, interleaved=run.interleaved[:1]))
    collection = collect(tmp_path)
    content = run_payload(collection, collection.machines[0].shown)
    work = content["works"][0]
    cell = work["cells"][work["ratios"]["1"][work["references"].index("numpy")][work["contenders"].index("fused")]]
    assert cell[1] == ""
    assert cell[3:6] == [None, None, 1]
    assert json.dumps(content, allow_nan=False)


def test_older_runs_are_files_the_oldest_of_them_summarised(collection: Collection) -> None:
    index, found = payload(collection), files(collection)
    runs = index["machines"][0]["runs"]
    assert sorted(found) == sorted(f"{index['runs'][key]['file']}.js" for key in runs[1:])
    for age, key in enumerate(runs[1:]):
        name = index["runs"][key]["file"]
        script = found[f"{name}.js"]
        start = f'nnkernels.register("{name}", '
        assert script.startswith(start)
        content = json.loads(script.removeprefix(start).removesuffix(");\n"))
        assert content["summarised"] == (age >= DETAILED)
        if content["summarised"]:
            assert [work["name"] for work in content["works"]] == ["epoch", "one image of 1,000"]
            assert set(content["works"][0]["references"]) <= {"numpy", "keras-fit", "keras-graph-xla"}
            assert len(script) < 20_000
    assert set(index["contenders"]) == set(made_up_run(0).record.contenders)
    assert index["contenders"]["fused"]["kind"] == "from scratch"
    assert index["contenders"]["onnxruntime"]["kind"] == "only predicts"


def test_oldest_runs_cannot_be_chosen_and_the_page_says_how_many(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert comparison_payload.left_out(collection) == 0
    monkeypatch.setattr(comparison_payload, "OFFERED", 2)
    index, found = payload(collection), files(collection)
    newest = [run.record.run_id for run in reversed(collection.machines[0].runs)][:3]
    assert index["machines"][0]["runs"] == list(index["runs"]) == newest
    assert sorted(found) == sorted(f"comparisons/{name}.js" for name in newest[1:])
    assert comparison_payload.left_out(collection) == DETAILED


def test_contenders_of_other_packages_need_no_registration(tmp_path: Path) -> None:
    run, strange = made_up_run(0), "<script>alert(1)</script>@1"
    for measured in run.interleaved:
        measured.seconds["epoch"][strange] = measured.seconds["epoch"]["numba@1"]
    write_run(tmp_path, replace(run, interleaved=[replace(one, turns={}) for one in run.interleaved]))
    collection = collect(tmp_path)
    index = payload(collection)
    name = strange.removesuffix("@1")
    assert index["contenders"][name]["kind"] == "other"
    assert name in index["runs"][collection.machines[0].shown.record.run_id]["works"][0]["references"]
