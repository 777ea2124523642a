"""Tables that fit the width of a terminal without breaking a name; in a pipe or a file they have their full width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

GAP = 2


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    heading : str
        The heading.
    cells : sequence of str
        One text per row.
    short : sequence of str or None
        The cells without their intervals, for a narrow terminal. None if they have none.
    identity : bool
        Whether the column identifies the rows. If a table is too wide and is split, it is repeated in each part.
    right : bool
        Whether the cells are right-aligned.
    """

    heading: str
    cells: Sequence[str]
    short: Sequence[str] | None = None
    identity: bool = False
    right: bool = False

    @property
    def width(self) -> int:
        """The number of characters of the widest cell or of the heading."""
        return max(map(len, (self.heading, *self.cells)))

    @classmethod
    def of_estimates(cls, heading: str, cells: Callable[[bool], Sequence[str]]) -> Column:
        """Create a right-aligned column of numbers.

        Parameters
        ----------
        heading : str
            The heading.
        cells : callable
            ``cells(True)`` returns the cells with intervals, ``cells(False)`` those without.

        Returns
        -------
        column : Column
            The column with both kinds of cells.
        """
        return cls(heading, cells(True), cells(False), right=True)

    def shortened(self) -> Column:
        """Return the column without intervals.

        Returns
        -------
        column : Column
            A copy with the short cells, if there are any.
        """
        return Column(self.heading, self.short or self.cells, None, self.identity, self.right)


def show(console: Console, title: str, columns: Sequence[Column], notes: Sequence[str] = ()) -> None:
    """Print a table with a title above it and notes below it.

    If a terminal is too narrow, the intervals are left out, and a note says so. If the table is still too wide, it is
    split into several tables, one below the other. Names are never broken, so a line may be longer than a very narrow
    terminal. In a pipe or a file, the table has its full width.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    title : str
        The title.
    columns : sequence of Column
        The columns. Empty ones are left out.
    notes : sequence of str, optional
        The notes.
    """
    limit = console.width if console.is_terminal else None
    console.print(f"[bold]{escape(title)}[/]", highlight=False, soft_wrap=not console.is_terminal)
    lines = list(notes)
    if limit is not None and _width(columns) > limit and any(column.short for column in columns):
        columns = [column.shortened() for column in columns]
        lines.append("Intervals are omitted to fit the terminal: widen it, or redirect the output to a file.")
    for part in _parts([column for column in columns if any(column.cells)], limit):
        _print_whole(console, part)
        console.print()
    show_notes(console, lines)


def markdown(columns: Sequence[Column]) -> str:
    """Format a table as Markdown.

    Parameters
    ----------
    columns : sequence of Column
        The columns.

    Returns
    -------
    table : str
        The lines of the table.
    """
    lines = [[column.heading for column in columns], ["---:" if column.right else "---" for column in columns]]
    lines += [list(cells) for cells in zip(*(column.cells for column in columns), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show_notes(console: Console, notes: Sequence[str]) -> None:
    """Print one note per line, followed by an empty line.

    On a terminal, long notes are wrapped between words. In a pipe or a file, they are not.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    notes : sequence of str
        The notes. If there are none, nothing is printed.
    """
    for note in notes:
        console.print(escape(note), highlight=False, soft_wrap=not console.is_terminal)
    if notes:
        console.print()


def _parts(columns: Sequence[Column], limit: int | None) -> list[list[Column]]:
    """Distribute the columns over as few groups as fit, with the identity columns in each group."""
    identities = [column for column in columns if column.identity]
    parts: list[list[Column]] = [[]]
    for column in columns:
        if column.identity:
            continue
        if limit is not None and parts[-1] and _width([*identities, *parts[-1], column]) > limit:
            parts.append([])
        parts[-1].append(column)
    return [[*identities, *part] for part in parts]


def _width(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _print_whole(console: Console, columns: Sequence[Column]) -> None:
    """Print lines that are never wrapped. They are made here, because Rich takes seconds for a table of 1,000 rows."""
    heading, *rows = map((" " * GAP).join, zip(*map(_aligned, columns), strict=True)) if columns else [""]
    lines = [Text(heading, "bold"), *([Text("─" * cell_len(heading))] if columns else []), *map(Text, rows)]
    # A Text is printed literally; in a str, Rich would interpret markup.
    console.print(Text("\n").join(lines), soft_wrap=True, highlight=False)


def _aligned(column: Column) -> list[str]:
    """Return the heading and the cells, padded to the same width in the terminal."""
    texts = [column.heading, *column.cells]
    width = max(map(cell_len, texts))
    padding = [" " * (width - cell_len(text)) for text in texts]
    return [space + text if column.right else text + space for text, space in zip(texts, padding, strict=True)]
