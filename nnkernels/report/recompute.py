"""The published figures, derived again from the raw samples of the runs, beside what the README says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nnkernels.report import readme
from nnkernels.report.layout import Column
from nnkernels.report.summary import Summary

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
ABSENT = "absent"


@dataclass(frozen=True)
class Figure:
    """A figure of the README's published section.

    Attributes
    ----------
    what : str
        Where it stands: a table's row and column, or a sentence and which of its numbers.
    published, recomputed : str
    """

    what: str
    published: str
    recomputed: str

    @property
    def agrees(self) -> bool:
        """Whether the two are the same text."""
        return self.published == self.recomputed


def recompute(readme_text: str, summary: Summary) -> list[Figure]:
    """Return every figure of the published section, as it is published and as the runs give it now.

    Parameters
    ----------
    readme_text : str
    summary : Summary
        Of the published runs, made from their raw samples.

    Raises
    ------
    ResultsError
        If the README has no published section.
    """
    _before, section, _after = readme.BLOCK.split(readme_text, "README.md")
    published, recomputed = dict(_figures(section)), dict(_figures(readme.section(summary)))
    names = dict.fromkeys([*published, *recomputed])
    return [Figure(name, published.get(name, ABSENT), recomputed.get(name, ABSENT)) for name in names]


def columns(figures: list[Figure]) -> list[Column]:
    """Return the table of figures, a row a figure."""
    return [
        Column("figure", [figure.what for figure in figures], identity=True),
        Column("published", [figure.published for figure in figures], right=True),
        Column("recomputed", [figure.recomputed for figure in figures], right=True),
        Column("verdict", ["same" if figure.agrees else "DIFFERS" for figure in figures]),
    ]


def _figures(section: str) -> Iterator[tuple[str, str]]:
    """Return the name and the text of each figure of a section."""
    texts = 0
    for block in section.split("\n\n"):
        if block.startswith("|"):
            headings, _rule, *rows = (_cells(line) for line in block.splitlines())
            for row in rows:
                for heading, cell in zip(headings[1:], row[1:], strict=False):
                    yield f"{headings[0]} {row[0]}: {heading}", cell
            continue
        for line in block.splitlines():
            if line in (readme.BLOCK.begin, readme.BLOCK.end):
                continue
            texts += 1
            head = f"sentence {texts} ({' '.join(NUMBER.sub('#', line).strip('-* ').split()[:4])} ...)"
            for index, number in enumerate(NUMBER.findall(line)):
                yield f"{head}: number {index + 1}", number
            yield f"{head}: words", _digest(NUMBER.sub("#", line))


def _digest(text: str) -> str:
    """Return a short text that differs where the words differ, for a column of a table."""
    import hashlib

    return f"{len(text.split())} words, {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]
