"""Comparison of the published figures with the same figures recomputed from the raw samples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nnkernels.report import readme
from nnkernels.report.blocks import Block
from nnkernels.report.layout import Column
from nnkernels.report.summary import Summary

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
ABSENT = "absent"


@dataclass(frozen=True)
class Figure:
    """A figure in a generated part of a page.

    Attributes
    ----------
    what : str
        Its position: the row and column of a table, or a sentence and the index of the number within it.
    published, recomputed : str
        Its text on the page, and the text recomputed from the records.
    """

    what: str
    published: str
    recomputed: str

    @property
    def agrees(self) -> bool:
        """Whether both texts are the same."""
        return self.published == self.recomputed


def recompute(readme_text: str, summary: Summary) -> list[Figure]:
    """Return every figure of the README's published section, as published and as recomputed.

    Parameters
    ----------
    readme_text : str
        The content of the README.
    summary : Summary
        The summary of the published runs, computed from their raw samples.

    Returns
    -------
    figures : list of Figure
        In the order of the section.

    Raises
    ------
    ResultsError
        If the README has no published section.
    """
    _before, section, _after = readme.BLOCK.split(readme_text, "README.md")
    return _compare(section, readme.section(summary))


def recompute_page(page_text: str, where: str, generated: Sequence[tuple[Block, str]]) -> list[Figure]:
    """Return every figure of the generated parts of a page, as published and as recomputed.

    Parameters
    ----------
    page_text : str
        The content of the page.
    where : str
        The name of the page, for error messages.
    generated : sequence of (Block, str)
        Each part, with its text recomputed from the records.

    Returns
    -------
    figures : list of Figure
        In the order of the parts.

    Raises
    ------
    ResultsError
        If the page lacks one of the parts.
    """
    return [
        replace(figure, what=f"{block.name}: {figure.what}")
        for block, text in generated
        for figure in _compare(block.split(page_text, where)[1], text)
    ]


def _compare(published_section: str, recomputed_section: str) -> list[Figure]:
    published, recomputed = _named(published_section), _named(recomputed_section)
    names = dict.fromkeys([*published, *recomputed])
    return [Figure(name, published.get(name, ABSENT), recomputed.get(name, ABSENT)) for name in names]


def _named(section: str) -> dict[str, str]:
    """Return the figures of a section by name. If several have the same name, all but the first are numbered."""
    figures: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for name, text in _figures(section):
        seen[name] += 1
        figures[name if seen[name] == 1 else f"{name} ({seen[name]})"] = text
    return figures


def columns(figures: list[Figure]) -> list[Column]:
    """Return the columns of the table that compares the figures.

    Parameters
    ----------
    figures : list of Figure
        The figures.

    Returns
    -------
    columns : list of Column
        One row per figure.
    """
    return [
        Column("figure", [figure.what for figure in figures], identity=True),
        Column("published", [figure.published for figure in figures], right=True),
        Column("recomputed", [figure.recomputed for figure in figures], right=True),
        Column("verdict", ["same" if figure.agrees else "DIFFERS" for figure in figures]),
    ]


def _figures(section: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each figure of a section."""
    sentences = 0
    for block in section.split("\n\n"):
        if block.startswith("|"):
            headings, _rule, *rows = (_cells(line) for line in block.splitlines())
            # A row is named by its first cell, or by its first two if the first is not unique.
            names = 1 if len({row[0] for row in rows}) == len(rows) else 2
            for row in rows:
                for heading, cell in zip(headings[names:], row[names:], strict=False):
                    yield f"{headings[0]} {', '.join(row[:names])}: {heading}", cell
            continue
        for line in block.splitlines():
            if line.startswith("<!--"):
                continue
            sentences += 1
            head = f"sentence {sentences} ({' '.join(NUMBER.sub('#', line).strip('-* ').split()[:4])} ...)"
            for index, number in enumerate(NUMBER.findall(line)):
                yield f"{head}: number {index + 1}", number
            yield f"{head}: words", _digest(NUMBER.sub("#", line))


def _digest(text: str) -> str:
    """Return a short fingerprint of a text, for a cell of the table."""
    import hashlib

    return f"{len(text.split())} words, {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]
