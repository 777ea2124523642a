"""Generated parts of ``bench/README.md``, the page that describes the method."""

from __future__ import annotations

from pathlib import Path

from nnkernels.measure.mutants import record
from nnkernels.measure.regression.selftest import FOLDER, load_machines
from nnkernels.report import mutants, selftest
from nnkernels.report.blocks import Block

PAGE = Path("bench", "README.md")


def generated(root: Path) -> list[tuple[Block, str]]:
    """Return the generated parts of the page, derived from the records of a checkout.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    parts : list of (Block, str)
        Each block and its text with the markers.

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
