"""Generated parts of Markdown files that are otherwise written by hand, each between two marks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.files import write_text

NOT_RECORDED = "Not recorded yet."  # what a block says before there is anything to show


@dataclass(frozen=True)
class Block:
    """A generated part of a file.

    Attributes
    ----------
    name : str
        What it shows; each block of a file has another.
    command : str
        What writes it.
    """

    name: str
    command: str

    @property
    def begin(self) -> str:
        """The line before it."""
        return f"<!-- {self.name}: written by `{self.command}`, do not edit -->"

    @property
    def end(self) -> str:
        """The line after it."""
        return f"<!-- end of the {self.name} -->"

    def around(self, content: str) -> str:
        """Return the block with its marks."""
        return f"{self.begin}\n\n{content}\n\n{self.end}"

    def split(self, text: str, where: str) -> tuple[str, str, str]:
        """Return the text before the block, the block with its marks, and the text after it.

        Raises
        ------
        ResultsError
            If the marks are missing.
        """
        if self.begin not in text or self.end not in text:
            raise ResultsError(f"{where} lacks the lines that hold the {self.name}: {self.begin} and {self.end}")
        start, stop = text.index(self.begin), text.index(self.end) + len(self.end)
        return text[:start], text[start:stop], text[stop:]

    def update(self, path: Path, block: str) -> None:
        """Put a block, as :meth:`around` makes it, in place of the one in a file; raises what :meth:`split` does."""
        before, _old, after = self.split(path.read_text("utf-8"), path.name)
        write_text(path, before + block + after)
