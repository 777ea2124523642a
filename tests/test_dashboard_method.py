"""The dashboard's section on method and trust."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nnkernels.measure.correctness.gate_result import TOLERANCES
from nnkernels.measure.correctness.gate_training import IMAGES
from nnkernels.measure.regression.record import write_record
from nnkernels.measure.regression.selftest import FOLDER
from nnkernels.report.dashboard.github import commit_url, repository_url
from nnkernels.report.dashboard.run_provenance import provenance
from nnkernels.report.dashboard.sections import method
from nnkernels.report.dashboard.trust import gate_text, participants, self_tests
from tests import synthetic
from tests.made_up_checks import TWO, git, pairs_of, record_of
from tests.made_up_collections import EVIL, collection, machine, run_at, with_contender


def test_contenders_of_results_come_first_and_unknown_ones_are_named() -> None:
    run = with_contender(run_at(0), EVIL, like="fused")
    found = {one.name: one for one in participants([machine(run)])}
    assert found[EVIL].machines == ("Some CPU",)
    assert "not known" in found[EVIL].description
    assert found["fused"].kind == "from scratch"
    assert found["keras-fit"].kind == "framework"
    assert found["torch-eager"].machines == ()  # known, but in no run
    assert list(found).index("fused") < list(found).index("torch-eager")


def test_failures_are_listed_with_contender_machine_and_reason(tmp_path: Path) -> None:
    section = method.build(collection(tmp_path, machine(synthetic.keras_run())))
    assert section.values["failures"] == [f"keras-graph-xla on Some CPU: epoch: {synthetic.NOT_COMPILED}"]


def test_gate_is_described_with_its_own_limits() -> None:
    text = gate_text()
    assert f"{IMAGES:,} images" in text
    assert f"{TOLERANCES['adam']:.0e}".replace("e-0", "e-") + " for Adam" in text


def test_missing_records_are_named_with_their_commands(tmp_path: Path) -> None:
    section = method.build(collection(tmp_path, machine(run_at(0))))
    text = "\n".join(section.values["missing"])
    assert "nnkernels verify --mutants --record" in text
    assert "nnkernels selftest" in text
    assert str(tmp_path) not in text


def test_self_test_counts_false_alarms_and_coverage(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER / "some-cpu-2-cpus"
    for hour in range(3):
        record = record_of(TWO, pairs_of(TWO, 1.0), recorded_at=f"2026-11-28T1{hour}:00:00+00:00")
        write_record(folder / f"2026112{hour}T170000Z-quiet-0-percent.json", record)
    (test,) = self_tests(tmp_path)
    assert test.machine == "some-cpu-2-cpus"
    assert (test.covered.count, test.covered.cases) == (6, 6)
    assert test.criteria[0].measured.count == 0
    (shown,) = method.build(collection(tmp_path, machine(run_at(0)))).values["self_tests"]
    assert shown["covered"].startswith("100.0 % (6 of 6)")


def test_provenance_says_what_was_not_recorded() -> None:
    found = provenance(run_at(0))
    assert "Some Processor" in found["CPU"]
    assert "openblas 0.3 (Haswell, pthreads)" in found["BLAS"]
    assert found["machine code"] == "not recorded"
    assert "00ff" in found["data"]


def test_every_pooled_run_has_its_provenance(tmp_path: Path) -> None:
    first, second = run_at(0), run_at(3600)
    shown = replace(second, pooled_with=(first,))
    section = method.build(collection(tmp_path, machine(first, second, shown=shown)))
    runs = section.values["machines"][0]["runs"]
    assert [run["id"] for run in runs] == [second.record.run_id, first.record.run_id]
    assert runs[0]["url"] == ""  # no remote


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("https://github.com/someone/nnkernels.git", "https://github.com/someone/nnkernels"),
        ("git@github.com:someone/nnkernels.git", "https://github.com/someone/nnkernels"),
        ("https://token:secret@github.com/someone/nnkernels", "https://github.com/someone/nnkernels"),
        ("https://example.org/someone/nnkernels.git", ""),
        ("https://github.com/a/b/javascript:alert(1)", ""),
    ],
)
def test_commits_are_linked_if_the_remote_is_githubs(tmp_path: Path, remote: str, expected: str) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", remote)
    repository = repository_url(tmp_path)
    assert repository == expected
    assert commit_url(repository, "0123abcd" * 5) == (f"{expected}/commit/{'0123abcd' * 5}" if expected else "")
    assert commit_url(repository, "../../x") == ""
