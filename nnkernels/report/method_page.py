"""The page that states the method, ``bench/README.md``: its generated parts, as the records give them."""

from __future__ import annotations

from pathlib import Path

from nnkernels.measure.mutants import record
from nnkernels.measure.regression.selftest import FOLDER, load_machines
from nnkernels.report import mutants, selftest
from nnkernels.report.blocks import Block

PAGE = Path("bench", "README.md")


def generated(root: Path) -> list[tuple[Block, str]]:
    """Return each generated part of the page of a checkout, derived from what is recorded there.

    Raises
    ------
    ResultsError
        If a record is damaged.
    """
    score = record.read_score(root / record.FILE) if (root / record.FILE).exists() else None
    return [
        (selftest.BLOCK, selftest.block(load_machines(root / FOLDER))),
        (mutants.BLOCK, mutants.block(score)),
    ]
