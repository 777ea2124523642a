"""Generated parts of hand-written Markdown files, each between two marker comments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.files import write_text

NOT_RECORDED = "Not recorded yet."  # the content of a block until something is recorded


@dataclass(frozen=True)
class Block:
    """A generated part of a Markdown file.

    Attributes
    ----------
    name : str
        What the block shows. Each block of a file has a different name.
    command : str
        The command that writes the block.
    """

    name: str
    command: str

    @property
    def begin(self) -> str:
        """The marker line before the block."""
        return f"<!-- {self.name}: written by `{self.command}`, do not edit -->"

    @property
    def end(self) -> str:
        """The marker line after the block."""
        return f"<!-- end of the {self.name} -->"

    def around(self, content: str) -> str:
        """Enclose content in the markers of the block.

        Parameters
        ----------
        content : str
            Markdown.

        Returns
        -------
        block : str
            The content with the marker lines before and after it.
        """
        return f"{self.begin}\n\n{content}\n\n{self.end}"

    def split(self, text: str, where: str) -> tuple[str, str, str]:
        """Split a text at the block.

        Parameters
        ----------
        text : str
            The content of the file.
        where : str
            The name of the file, for error messages.

        Returns
        -------
        before, block, after : str
            The text before the block, the block with its markers, and the text after it.

        Raises
        ------
        ResultsError
            If a marker is missing.
        """
        if self.begin not in text or self.end not in text:
            raise ResultsError(
                f"{where}: the markers of the block {self.name!r} are missing; insert the lines "
                f"{self.begin} and {self.end}"
            )
        start, stop = text.index(self.begin), text.index(self.end) + len(self.end)
        return text[:start], text[start:stop], text[stop:]

    def update(self, path: Path, block: str) -> None:
        """Replace the block in a file.

        Parameters
        ----------
        path : Path
            The file.
        block : str
            The new block with its markers, as :meth:`around` returns it.

        Raises
        ------
        ResultsError
            If a marker is missing in the file.
        """
        before, _old, after = self.split(path.read_text("utf-8"), path.name)
        write_text(path, before + block + after)
