"""Legends as part of the page, above the drawings: they wrap on narrow screens, where a legend in a chart is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nnkernels.report.dashboard import palette

# Within a square from -6 to 6.
_PATHS = {
    "circle": "M-5 0a5 5 0 1 1 10 0a5 5 0 1 1-10 0z",
    "square": "M-4.5-4.5h9v9h-9z",
    "diamond": "M0-6 5 0 0 6-5 0z",
    "triangle-up": "M0-5 5 4h-10z",
    "triangle-down": "M0 5 5-4h-10z",
    "cross": "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
}


@dataclass(frozen=True)
class Entry:
    """An entry of a legend.

    Attributes
    ----------
    name : str
        What the mark stands for.
    colour : str
        A colour of :mod:`~nnkernels.report.dashboard.palette`.
    shape : str, default: "circle"
        The shape of the mark: ``circle``, ``square``, ``diamond``, ``triangle-up``, ``triangle-down`` or ``cross``.
    dashes : tuple of int, optional
        For a line instead of a shape, the lengths of its dashes and gaps in pixels; ``(1, 0)`` is a solid line.
    """

    name: str
    colour: str
    shape: str = "circle"
    dashes: tuple[int, ...] = ()

    @property
    def swatch(self) -> Markup:
        """The mark, as an ``svg`` element that assistive technologies skip."""
        if self.dashes:
            lengths = " ".join(map(str, self.dashes))
            box, drawn = "0 -6 28 12", Markup('<path d="M0 0h28" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>')
            drawn = drawn.format(self.colour, lengths)
        else:
            box, drawn = "-6 -6 12 12", Markup('<path d="{}" fill="{}"/>').format(_PATHS[self.shape], self.colour)
        return Markup('<svg viewBox="{}" aria-hidden="true">{}</svg>').format(box, drawn)


def of_kinds(kinds: Sequence[str]) -> tuple[Entry, ...]:
    """Return the legend of kinds of contenders.

    Parameters
    ----------
    kinds : sequence of str
        The kinds that a chart shows.

    Returns
    -------
    legend : tuple of Entry
        Empty for a single kind. Otherwise in the order of :data:`~nnkernels.report.dashboard.palette.KINDS`.
    """
    return of_groups([kind for kind in palette.KINDS if kind in kinds], palette.KINDS)


def of_groups(groups: Sequence[str], styles: dict[str, tuple[str, str]]) -> tuple[Entry, ...]:
    """Return the legend of groups that differ by colour and shape.

    Parameters
    ----------
    groups : sequence of str
        Their names.
    styles : dict of str to (str, str)
        The colour and the shape of each group.

    Returns
    -------
    legend : tuple of Entry
        Empty for a single group, which needs none.
    """
    return tuple(Entry(name, *styles[name]) for name in groups) if len(groups) > 1 else ()
