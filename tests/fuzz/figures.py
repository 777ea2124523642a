"""The recorded figures of campaigns and kills, and the part of ``README.md`` that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnkernels.errors import ConfigurationError
from nnkernels.files import read_json, write_json
from nnkernels.measure.asv_driver.workspace import Workspace, changed_since, open_workspace
from nnkernels.report.blocks import NOT_RECORDED, Block
from nnkernels.report.layout import Column, markdown

RECORDS = {"files": Path("results", "fuzz.json"), "kills": Path("results", "kills.json")}
PAGE = Path("tests", "fuzz", "README.md")
VERSION = 1
KINDS = ("read", "refused", "untyped", "slow", "large", "crashed")
FILES_BLOCK = Block("figures of mutated files", "python -m tests.fuzz.campaign --files 10000 --record")
KILLS_BLOCK = Block("figures of kills", "python -m tests.fuzz.kills --training 100 --bench 20 --record")


def recordable_workspace() -> Workspace:
    """Return the checkout, if its figures would belong to a commit."""
    workspace = open_workspace()
    if workspace.unrecorded:
        raise ConfigurationError(f"not recorded: {workspace.unrecorded}; commit the changes, or omit --record")
    return workspace


def record(workspace: Workspace, part: str, figures: Mapping[str, Any]) -> None:
    """Write a record, and the part of the page that shows it.

    Parameters
    ----------
    workspace : Workspace
        The checkout as it was before the measurement.
    part : {"files", "kills"}
        What was measured.
    figures : mapping
        The figures.
    """
    if changed := changed_since(workspace):
        raise ConfigurationError(f"not recorded: {changed}")
    write_json(workspace.root / RECORDS[part], {"version": VERSION, "commit": workspace.commit, **figures})
    block, text = generated(workspace.root, part)
    block.update(workspace.root / PAGE, text)


def read_figures(root: Path, part: str) -> dict[str, Any] | None:
    """Return the figures of a record, or None if there is none."""
    path = root / RECORDS[part]
    content: dict[str, Any] | None = read_json(path) if path.exists() else None
    return content


def generated(root: Path, part: str) -> tuple[Block, str]:
    """Return a generated part of the page, with its markers."""
    block, text = {"files": (FILES_BLOCK, _files_text), "kills": (KILLS_BLOCK, _kills_text)}[part]
    content = read_figures(root, part)
    return block, block.around(text(content) if content else NOT_RECORDED)


def _files_text(figures: Mapping[str, Any]) -> str:
    readers = figures["readers"]
    rows = [*readers.values(), total(readers)]
    names = [*readers, "all"]
    columns = [Column("reader", names, identity=True)]
    columns += [Column("files", [f"{sum(row[kind] for kind in KINDS):,}" for row in rows], right=True)]
    columns += [Column(kind, [f"{row[kind]:,}" for row in rows], right=True) for kind in KINDS]
    columns.append(Column("longest", [f"{row['seconds']:.2f} s" for row in rows], right=True))
    columns.append(Column("most memory", [f"{row['megabytes']:.0f} MB" for row in rows], right=True))
    return f"Commit {figures['commit'][:8]}, seed {figures['seed']}.\n\n{markdown(columns)}"


def total(readers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of all readers together."""
    sums = {kind: sum(row[kind] for row in readers.values()) for kind in KINDS}
    most = {unit: max((row[unit] for row in readers.values()), default=0.0) for unit in ("seconds", "megabytes")}
    return sums | most


def _kills_text(figures: Mapping[str, Any]) -> str:
    lines = [f"Commit {figures['commit'][:8]}, seed {figures['seed']}.\n"]
    lines += [f"- {figures[part]['sentence']}" for part in ("training", "bench") if part in figures]
    return "\n".join(lines)
