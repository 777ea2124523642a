"""What a section of the page consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nnkernels.report.dashboard.charts import Chart


@dataclass(frozen=True)
class Section:
    """A section of the page, before it is rendered.

    Attributes
    ----------
    name : str
        The anchor of the section. Its template is ``templates/dashboard/NAME.html.j2``; if ``NAME.js`` or ``NAME.css``
        lie beside it, they are inlined into the page, after parts that are named ``NAME_PART.js`` or ``NAME_PART.css``.
    title : str
        The heading, which is also the entry of the navigation.
    values : dict of str to object
        What the template gets. The template also gets ``charts``, a mapping of names to rendered figures, and can
        import the macros of ``macros.html.j2``.
    charts : tuple of Chart
        The charts.
    payload : dict or None
        Data for the section's script: JSON in the page, in an element with the id ``data-NAME``.
    files : dict of str to (str or bytes)
        Files beside the page: relative path and content.
    """

    name: str
    title: str
    values: dict[str, Any] = field(default_factory=dict)
    charts: tuple[Chart, ...] = ()
    payload: dict[str, Any] | None = None
    files: dict[str, str | bytes] = field(default_factory=dict)
