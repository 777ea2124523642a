"""The table of the formats of data files in ``nnkernels/data/README.md``, from the declarations of the readers."""

from __future__ import annotations

from pathlib import Path

from nnkernels.data.formats import formats
from nnkernels.report.blocks import Block

PAGE = Path("nnkernels", "data", "README.md")
BLOCK = Block("table of formats", "nnkernels data --page")


def block() -> str:
    """Return the table as a block of Markdown.

    Returns
    -------
    block : str
        One row per format.
    """
    rows = [
        f"| {known.name} | {known.used_by} | {known.recognised_by} | `{known.example}` |"
        for known in sorted(formats(), key=lambda known: (not known.is_read, known.name.lower()))
    ]
    return BLOCK.around(
        "\n".join(["| format | from whom | how it is recognised | example |", "|---|---|---|---|", *rows])
    )
