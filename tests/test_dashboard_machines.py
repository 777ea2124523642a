"""The dashboard's section on machines."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from nnkernels.report.dashboard.machines import BEST_KERAS, not_comparable, ratio_rows
from nnkernels.report.dashboard.sections import machines
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import Run
from tests import synthetic
from tests.made_up_collections import collection, machine, run_at, with_contender


def elsewhere(run: Run, **provenance: Any) -> Run:
    """Return the run as if it were of another machine."""
    found = deepcopy(run)
    found.record.provenance.update(provenance)
    object.__setattr__(found.record, "machine", "other-2-cpus")
    return found


def test_rows_have_the_paired_ratios_of_each_machine(tmp_path: Path) -> None:
    one, other = run_at(0), elsewhere(synthetic.run(run_id="20260102T000000Z-0123abcd"), cpu="Other")
    rows = ratio_rows(collection(tmp_path, machine(one), machine(other, label="Other")))
    by_name = {(row.subject, row.reference, row.work): row.ratios for row in rows}
    here, there = by_name["numba", "numpy", "epoch"]
    assert here is not None
    assert there is not None
    ratios = PairedRatios(other.interleaved)
    assert there.paired.estimate == ratios.against("epoch", ("numba", "1"), "numpy").estimate  # type: ignore[union-attr]
    fused_here, fused_there = by_name["fused", BEST_KERAS, "epoch"]
    assert fused_here is not None
    assert fused_here.against == "keras-graph"
    assert fused_there is None  # the other machine did not time it


def test_number_of_another_run_is_marked_and_the_run_is_named(tmp_path: Path) -> None:
    quick = synthetic.run(run_id="20260102T000000Z-0123abcd")
    section = machines.build(collection(tmp_path, machine(run_at(0), quick)))
    _label, columns = section.values["tables"][0]
    cells = dict(zip(columns[0].cells, columns[1].cells, strict=True))
    assert cells["numba: epoch"].startswith("1.60 [")
    assert "†" not in cells["numba: epoch"]
    assert "20260101T000000Z-0123abcd" not in "".join(columns[1].cells)
    _label, keras = section.values["tables"][1]
    assert any("keras-graph" in cell for cell in keras[1].cells)


def test_dagger_names_the_older_run(tmp_path: Path) -> None:
    section = machines.build(
        collection(tmp_path, machine(run_at(0), synthetic.run(run_id="20260102T000000Z-0123abcd")))
    )
    marked = [cell for _label, columns in section.values["tables"] for cell in columns[1].cells if "†" in cell]
    named = [note for note in section.values["notes"] if note.startswith("†")]
    assert bool(marked) == bool(named)


def test_sentence_names_what_differs_between_the_machines() -> None:
    here = run_at(0)
    there = elsewhere(here, cpu="Other", packages={"numpy": "2.3.0", "numba": "0.68.0", "jax": "0.9"})
    text = not_comparable([machine(here), machine(there)])
    assert text == (
        "Seconds are not comparable between these machines, because these differ: CPU; versions of numpy and jax."
    )


def test_sentence_with_equal_conditions_still_warns() -> None:
    here = run_at(0)
    assert "compare ratios" in not_comparable([machine(here), machine(elsewhere(here))])
    assert not_comparable([machine(here)]) == ""
    assert not_comparable([]) == ""


def test_contender_of_another_package_has_rows(tmp_path: Path) -> None:
    run = with_contender(run_at(0), "mine", like="fused")
    section = machines.build(collection(tmp_path, machine(run)))
    names = [cell for _label, columns in section.values["tables"] for cell in columns[0].cells]
    assert "mine: epoch" in names


def test_charts_have_a_point_for_each_machine_and_sentences_the_numbers(tmp_path: Path) -> None:
    one, other = run_at(0), elsewhere(run_at(0), cpu="Other")
    section = machines.build(collection(tmp_path, machine(one, label="Here"), machine(other, label="There")))
    for chart in section.charts:
        spec = json.dumps(chart.spec)
        assert '"Here"' in spec
        assert '"There"' in spec
        assert chart.alternative
    assert "10.0" in section.charts[0].sentence
    assert "on Here" in section.charts[0].sentence


@pytest.mark.parametrize("count", [0, 1])
def test_section_builds_with_fewer_than_two_machines(tmp_path: Path, count: int) -> None:
    section = machines.build(collection(tmp_path, *[machine(run_at(0))] * count))
    assert section.values["count"] == count
    assert section.values["not_comparable"] == ""
