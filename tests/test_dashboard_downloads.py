"""The dashboard's downloads."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from nnkernels.report.dashboard.downloads import csv_text, downloads
from nnkernels.report.dashboard.sections import method
from nnkernels.report.summary import summarise
from nnkernels.report.tidy import tidy
from tests.made_up_collections import collection, machine, run_at, with_contender


def test_csv_has_the_numbers_of_the_tidy_table() -> None:
    run = run_at(0)
    (file,) = [one for one in downloads(summarise(run)) if one.path.endswith(".csv")]
    read = pd.read_csv(io.StringIO(file.content), keep_default_na=False, na_values={"value": [""]})
    expected = tidy(run)
    assert list(read.columns) == list(expected.columns)
    assert read["value"].to_numpy() == pytest.approx(expected["value"].to_numpy())
    assert list(read["contender"]) == list(expected["contender"])


def test_json_and_csv_have_the_same_values() -> None:
    files = {one.path.rpartition(".")[2]: one.content for one in downloads(summarise(run_at(0)))}
    rows = json.loads(next(one.content for one in downloads(summarise(run_at(0))) if one.text.endswith("(JSON)")))
    from_csv = list(csv.DictReader(io.StringIO(files["csv"])))
    assert len(rows) == len(from_csv)
    assert [row["value"] for row in rows] == pytest.approx([float(row["value"]) for row in from_csv])


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_execute_is_quoted(name: str) -> None:
    rows = pd.DataFrame({"contender": [name, "numpy"], "value": [-1.5, 2.0]})
    _heading, first, second = csv.reader(io.StringIO(csv_text(rows), newline=""))
    assert first == ["'" + name.replace("\r", " "), "-1.5"]  # a number keeps its sign
    assert second == ["numpy", "2.0"]


def test_samples_are_those_that_were_recorded() -> None:
    run = run_at(0)
    (file,) = [one for one in downloads(summarise(run)) if "samples" in one.path]
    content = json.loads(file.content)
    assert content["run_id"] == run.record.run_id
    assert content["processes"] == [asdict(measured) for measured in run.interleaved]


def test_summary_for_a_pull_request_has_headline_table_and_source() -> None:
    run = run_at(0)
    (file,) = [one for one in downloads(summarise(run)) if one.path.endswith(".md")]
    assert file.content.startswith("**From scratch in Numba")
    assert "| contender | threads |" in file.content
    assert run.record.run_id in file.content
    assert "commit `0123abcd`" in file.content


def test_pooled_runs_have_one_table_and_their_samples_each() -> None:
    first, second = run_at(0), run_at(3600)
    paths = [one.path for one in downloads(summarise(replace(second, pooled_with=(first,))))]
    ids = first.record.run_id, second.record.run_id
    assert paths == [
        f"downloads/{ids[1]}-pooled-2.csv",
        f"downloads/{ids[1]}-pooled-2.json",
        f"downloads/{ids[1]}-pooled-2.md",
        f"downloads/{ids[0]}-samples.json",
        f"downloads/{ids[1]}-samples.json",
    ]


def test_files_of_the_section_are_the_same_each_time_and_linked(tmp_path: Path) -> None:
    found = collection(tmp_path, machine(with_contender(run_at(0), "=evil", like="fused")))
    once, twice = method.build(found), method.build(found)
    assert once.files == twice.files
    offered = [file.path for one in once.values["machines"] for file in one["downloads"]]
    assert sorted(offered) == sorted(once.files)
    text = str(once.files[f"downloads/{found.machines[0].shown.record.run_id}.csv"])
    assert ",'=evil," in text
    assert ",=evil," not in text
