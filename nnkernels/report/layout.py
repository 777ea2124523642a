"""Tables that never break a name: as wide as the terminal allows, and as wide as they need in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

GAP = 2


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    cells : sequence of str
    short : sequence of str, optional
        The cells without their intervals, for a narrow terminal.
    identity : bool
        Whether the column says what a row is of: it is repeated in each part of a table that is too wide.
    right : bool
        Whether the cells are aligned at the right.
    """

    heading: str
    cells: Sequence[str]
    short: Sequence[str] | None = None
    identity: bool = False
    right: bool = False

    @property
    def width(self) -> int:
        """The width of the widest cell or the heading."""
        return max(map(len, (self.heading, *self.cells)))

    @classmethod
    def of_estimates(cls, heading: str, cells: Callable[[bool], Sequence[str]]) -> Column:
        """Return a column of numbers; ``cells(True)`` are those with intervals, ``cells(False)`` those without."""
        return cls(heading, cells(True), cells(False), right=True)

    def shortened(self) -> Column:
        """Return the column without intervals."""
        return Column(self.heading, self.short or self.cells, None, self.identity, self.right)


def show(console: Console, title: str, columns: Sequence[Column], notes: Sequence[str] = ()) -> None:
    """Print a table with its title above and its notes below.

    On a terminal that is too narrow the intervals are left out, and a note says so; if that does not do, the columns
    are printed in several tables, one below the other. Names are never broken: on a terminal narrower than a name, the
    line runs over its edge. What is no terminal, a pipe or a file, gets one table in full width.
    """
    limit = console.width if console.is_terminal else None
    console.print(f"[bold]{escape(title)}[/]", highlight=False, soft_wrap=not console.is_terminal)
    told = list(notes)
    if limit is not None and _width(columns) > limit and any(column.short for column in columns):
        columns = [column.shortened() for column in columns]
        told.append("Intervals are left out here: widen the terminal, or print into a pipe or a file.")
    for part in _parts([column for column in columns if any(column.cells)], limit):
        _print_whole(console, _table(part), _width(part))
        console.print()
    show_notes(console, told)


def markdown(columns: Sequence[Column]) -> str:
    """Return a table in Markdown."""
    lines = [[column.heading for column in columns], ["---:" if column.right else "---" for column in columns]]
    lines += [list(cells) for cells in zip(*(column.cells for column in columns), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show_notes(console: Console, notes: Sequence[str]) -> None:
    """Print a line a note, broken between words on a terminal, whole in a pipe, and an empty line after the last."""
    for note in notes:
        console.print(escape(note), highlight=False, soft_wrap=not console.is_terminal)
    if notes:
        console.print()


def _parts(columns: Sequence[Column], limit: int | None) -> list[list[Column]]:
    """Return the columns in as few groups as fit, the identities in each."""
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


def _table(columns: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))  # texts as they are, in which Rich looks for no markup
    return table


def _print_whole(console: Console, table: Table, width: int) -> None:
    options = console.options.update(width=max(width, 1), highlight=False)
    console.print(Segments(console.render(table, options)), soft_wrap=True, end="")
