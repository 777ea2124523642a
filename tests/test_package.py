"""The package as a whole: what importing it costs, and what the README promises of it."""

from __future__ import annotations

import json
import re
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


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nnkernels.nothing  # noqa: B018


def test_readme_has_each_command_on_one_line_and_every_column_of_the_results() -> None:
    from nnkernels.report.tidy import FIXED_COLUMNS

    readme = (ROOT / "README.md").read_text("utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("python3 -m venv")]
    assert [command.rsplit(" && .venv/bin/")[-1].split()[0] for command in commands] == [
        "nnkernels",
        "nnkernels",
        "python",
        "jupyter",
    ]
    assert commands[0].endswith("nnkernels bench")
    assert commands[1] == commands[0].replace("[bench]", "[measure]")  # the start without a framework
    assert "pytest" in commands[2]
    assert (ROOT / commands[3].split()[-1]).is_file()
    for column in FIXED_COLUMNS:
        assert re.search(rf"\b{column}\b", readme), f"README does not explain {column}"


def test_readme_says_of_the_claim_what_was_recorded() -> None:
    claim = json.loads((ROOT / "results" / "figures" / "claim" / "claim.json").read_text("utf-8"))
    assert claim["sentence"] in " ".join((ROOT / "README.md").read_text("utf-8").split())


def test_no_module_but_jit_names_compile_options() -> None:
    for path in (ROOT / "nnkernels").rglob("*.py"):
        if path.name != "jit.py":
            assert "njit" not in path.read_text("utf-8"), path
