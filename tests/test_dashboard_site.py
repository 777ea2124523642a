"""The site that `nnkernels publish` writes: whole or not at all, the same from the same results, and true to them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nnkernels import cli
from nnkernels.errors import ConfigurationError, MissingDependencyError
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.records.run import write_run
from nnkernels.report import formats
from nnkernels.report.dashboard import site
from nnkernels.report.dashboard.page import SECTIONS, Page
from nnkernels.report.dashboard.site import MARKER, check_publishing, default_folder, publish_site
from nnkernels.report.runs import Run, load_run
from nnkernels.report.summary import summarise
from tests import synthetic

EVIL = "<script>alert(1)</script>"
IDS = ("20260101T000000Z-0123abcd", "20260102T000000Z-4567cdef")


def with_stranger(run: Run) -> Run:
    """Return a run in which one contender has a name of markup."""

    def renamed(seconds: dict[str, Any]) -> dict[str, Any]:
        return {label.replace("onnxruntime", EVIL): values for label, values in seconds.items()}

    interleaved = [
        replace(one, seconds={work: renamed(seconds) for work, seconds in one.seconds.items()})
        for one in run.interleaved
    ]
    return replace(run, interleaved=interleaved)


def record_runs(root: Path, *ids: str) -> None:
    for run_id in ids:
        day = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T00:00:00Z"
        run = with_stranger(synthetic.full_run(run_id=run_id, recorded_at=day))
        write_run(root / "results" / "runs" / run_id, run.record, run.interleaved, run.asv_results)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    record_runs(root, *IDS)
    (root / "results" / "runs" / "20260103T000000Z-damaged").mkdir()
    (root / "results" / "runs" / "20260103T000000Z-damaged" / "run.json").write_text("{")
    return root


@pytest.fixture(scope="module")
def published(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hosted") / "site"
    found = publish_site(root, folder, further_pages=False)
    assert found.page == folder / "index.html"
    assert any("20260103T000000Z-damaged" in note for note in found.notes)
    return folder


@pytest.fixture(scope="module")
def page(published: Path) -> str:
    return (published / "index.html").read_text("utf-8")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the page by a short one, for tests of what is done with its files."""
    monkeypatch.setattr(site, "render", lambda *_arguments: Page("<p>the page</p>", {"samples/run.js": "samples"}))


def table(page: str, identifier: str) -> list[list[str]]:
    body = page[page.index(f'<table id="{identifier}"') :].split("<tbody>")[1].split("</tbody>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tr>")[1:]]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in rows]


def test_numbers_on_page_are_those_of_results(root: Path, page: str) -> None:
    summary = summarise(load_run(root / "results" / "runs" / IDS[-1]))
    rows = {cells[0]: cells for cells in table(page, "compare-table")}
    assert set(rows) >= {row.name for row in summary.contenders if row.epoch}
    for row in (row for row in summary.contenders if row.epoch and row.to_numpy):
        assert row.to_numpy
        assert f"{rows[row.name][3]} {rows[row.name][4]}".removesuffix(" -") == formats.ratio(row.to_numpy.estimate)
        assert f"{rows[row.name][6]} {rows[row.name][7]}" == formats.time(row.epoch)
        assert rows[row.name][5] == str(row.to_numpy.estimate.samples)
    assert [float(cells[3].replace(",", "")) for cells in rows.values()] == sorted(
        (float(cells[3].replace(",", "")) for cells in rows.values()), reverse=True
    )


def test_answer_names_kernels_with_intervals(root: Path, page: str) -> None:
    answer = re.sub(r"<[^>]+>", "", page[page.index('<section id="answer"') : page.index('<section id="compare"')])
    fused = summarise(load_run(root / "results" / "runs" / IDS[-1])).contender("fused")
    assert fused
    assert fused.to_numpy
    assert fused.to_best_keras
    assert f"{formats.ratio(fused.to_numpy.estimate)} times as fast as NumPy" in answer
    assert formats.ratio(fused.to_best_keras.estimate) in answer


def test_sections_stand_in_order(page: str) -> None:
    found = re.findall(r'<section id="(\w+)" aria-labelledby', page)
    assert found == list(SECTIONS)


def test_stranger_has_rows_everywhere_and_is_only_text(published: Path, page: str) -> None:
    assert "&lt;script&gt;alert(1)" in page
    assert EVIL not in page
    assert [path.name for path in published.glob("*.html")] == ["index.html"]


def test_damaged_result_is_named_on_page(page: str) -> None:
    assert "20260103T000000Z-damaged" in page.split("<footer>")[1]


def test_site_is_the_same_each_time(root: Path, published: Path, tmp_path: Path) -> None:
    copied = tmp_path / "another" / "checkout"
    shutil.copytree(root, copied)
    publish_site(copied, tmp_path / "site", further_pages=False)
    assert contents(tmp_path / "site") == contents(published)


def test_site_names_no_path_of_this_machine(root: Path, published: Path) -> None:
    for path, content in contents(published).items():
        assert str(root).encode() not in content, path


def test_links_are_relative_and_lead_somewhere(published: Path, page: str) -> None:
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    for link in re.findall(r'<a [^>]*?href="([^"]+)"', page):
        if link.startswith("https://"):
            continue
        path, _hash, anchor = link.partition("#")
        assert not path.startswith("/")
        assert (published / path).is_file() if path else anchor in ids | {"top"}, link


def test_other_runs_are_in_files_beside_page(published: Path) -> None:
    text = (published / "comparisons" / f"{IDS[0]}.js").read_text("utf-8")
    found = re.fullmatch(r'nnkernels\.register\("comparisons/[^"]+", ?(.*)\);\n', text, re.DOTALL)
    assert found
    assert json.loads(found[1])["works"][0]["name"] == "epoch"


@pytest.mark.usefixtures("drawn")
def test_next_site_replaces_earlier_one_and_keeps_page_of_bench(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / MARKER).touch()
    (folder / "old.html").touch()
    (folder / "run.html").write_text("the page of a run")
    publish_site(root, folder, further_pages=False)
    files = {"index.html": b"<p>the page</p>", "samples/run.js": b"samples", "run.html": b"the page of a run"}
    assert {name: content for name, content in contents(folder).items() if name != MARKER} == files
    assert (folder / MARKER).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_interrupted_publish_leaves_earlier_site(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / MARKER).touch()
    (folder / "index.html").write_text("earlier")

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(site, "render", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish_site(root, folder, further_pages=False)
    assert (folder / "index.html").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    check_publishing(tmp_path, folder)  # empty
    (folder / "thesis.txt").touch()
    with pytest.raises(ConfigurationError, match="holds no site of nnkernels"):
        publish_site(tmp_path, folder)
    with pytest.raises(ConfigurationError, match="is a file"):
        publish_site(tmp_path, folder / "thesis.txt")
    assert (folder / "thesis.txt").exists()


def test_default_folder_may_hold_page_of_bench(tmp_path: Path) -> None:
    folder = default_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "run.html").touch()
    check_publishing(tmp_path, folder)


@pytest.mark.usefixtures("drawn")
def test_unwritable_place_is_an_error_that_says_what_to_do(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(site, "_replace", refuse)
    with pytest.raises(
        ConfigurationError, match=r"cannot be written.*Permission denied.*choose another folder with --out"
    ):
        publish_site(root, tmp_path / "site", further_pages=False)
    assert not list(tmp_path.iterdir())


def test_missing_package_names_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = site.find_spec
    monkeypatch.setattr(site, "find_spec", lambda name: None if name == "altair" else found(name))
    with pytest.raises(MissingDependencyError, match=r"needs altair.*pip install 'nnkernels\[publish\]'"):
        check_publishing(tmp_path, tmp_path / "site")


def test_page_of_no_results_says_what_to_do(tmp_path: Path) -> None:
    published = publish_site(tmp_path, tmp_path / "site")
    page = published.page.read_text("utf-8")
    assert "nnkernels bench" in page
    assert not re.search(r"\bnan\b", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL), re.IGNORECASE)


def test_command_publishes_to_named_folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "find_root", lambda: root)
    answer = CliRunner().invoke(cli.app, ["publish", "--out", str(tmp_path / "site")])
    assert answer.exit_code == 0, answer.output
    assert "20260103T000000Z-damaged" in answer.output
    assert (tmp_path / "site" / "index.html").is_file()
