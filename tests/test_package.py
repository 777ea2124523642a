"""The package as a whole: cost of importing it, public names, the wheel, and what the README files promise."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path

import pytest

import nnkernels
from tests.processes import python

ROOT = Path(__file__).parents[1]


def test_import_loads_neither_numba_nor_a_framework() -> None:
    code = "import sys, nnkernels; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(python("-c", code).stdout.split())
    assert "nnkernels" in loaded
    heavy = {"numba", "llvmlite", "scipy", "pandas", "matplotlib", "keras", "tensorflow", "asv", "numpy"}
    assert not loaded & heavy


@pytest.mark.parametrize("name", [name for name in nnkernels.__all__ if name != "__version__"])
def test_public_names_load_and_are_documented(name: str) -> None:
    assert getattr(nnkernels, name).__doc__


def test_unknown_attribute_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nnkernels.nothing  # noqa: B018


def test_readme_has_each_command_on_one_line() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    install, bench, bench_without_framework, tests, walkthrough = commands
    assert install.endswith("'.[learn]'")
    assert bench.endswith("nnkernels bench")
    assert bench_without_framework == bench.replace("[bench]", "[measure]")
    assert "pytest" in tests
    assert (ROOT / walkthrough.split()[-1]).is_file()
    assert len(readme.splitlines()) <= 150


def test_readme_example_trains_and_predicts(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert code
    monkeypatch.setenv("NNKERNELS_DATA", str(data_folder))
    exec(compile(code[1], "README.md", "exec"), {})
    score, digits = capsys.readouterr().out.split(maxsplit=1)
    assert 0.7 < float(score) <= 1  # after training on 2,304 images
    assert re.fullmatch(r"\[\d( \d){4}\]\n", digits)


FOLDERS = ("bench", "findings", "nnkernels")
PAGES = [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_between_pages_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if not link.startswith("http"):
            file, _, heading = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            assert target.exists(), link
            if heading:
                headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
                assert heading in [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings], link


def test_installed_wheel_runs_outside_checkout(tmp_path: Path) -> None:
    built = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    python(*built)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    assert re.search(r"^Version: \d+\.\d+", metadata, re.MULTILINE)
    code = "import sys, nnkernels; print(nnkernels.__file__); from nnkernels.cli import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    answer = python("-c", code, "verify", "numpy", "--data", "mnist-5k", folder=tmp_path, environment=environment)
    assert answer.stdout.startswith(str(installed))
    assert (installed / "nnkernels" / "_bench" / "ratios.py").is_file()


def test_bench_readme_explains_each_column_of_results() -> None:
    from nnkernels.report.tidy import FIXED_COLUMNS

    page = (ROOT / "bench" / "README.md").read_text("utf-8")
    for column in FIXED_COLUMNS:
        assert re.search(rf"\b{column}\b", page), f"bench/README.md does not explain {column}"


def test_learn_readme_quotes_recorded_claim() -> None:
    claim = json.loads((ROOT / "results" / "figures" / "claim" / "claim.json").read_text("utf-8"))
    page = ROOT / "nnkernels" / "learn" / "README.md"
    assert claim["sentence"] in " ".join(page.read_text("utf-8").split())


def test_only_jit_module_uses_njit() -> None:
    for path in (ROOT / "nnkernels").rglob("*.py"):
        if path.name != "jit.py":
            assert "njit" not in path.read_text("utf-8"), path
