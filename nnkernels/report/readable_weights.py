"""The table of weights that can be read, from the declarations of the formats: ``python -m`` this module writes it."""

from __future__ import annotations

from nnkernels.files import PACKAGE
from nnkernels.interchange.formats import all_formats
from nnkernels.report.blocks import Block

BLOCK = Block("weights that can be read", "python -m nnkernels.report.readable_weights")
README = PACKAGE / "interchange" / "README.md"


def readable_weights() -> str:
    """Return the generated block: what is written in each format, and what is read.

    Returns
    -------
    block : str
        Markdown with the block's markers.
    """
    written = ["| suffix | written by `save_parameters` | requires |", "|---|---|---|"]
    read = ["| suffix | read: content, and from whom | recognised by |", "|---|---|---|"]
    for form in all_formats():
        suffixes = ", ".join(f"`{suffix}`" for suffix in form.suffixes)
        if form.encode is not None:
            written.append(f"| {suffixes} | {form.writes} | {f'`.[{form.requires}]`' if form.requires else '-'} |")
        read += [f"| {suffixes} | {reading.content} | {reading.recognised_by} |" for reading in form.readings]
        if not form.readings:
            read.append(f"| {suffixes} | {form.name} | - |")
    return BLOCK.around("\n".join([*written, "", *read]))


if __name__ == "__main__":
    BLOCK.update(README, readable_weights())
