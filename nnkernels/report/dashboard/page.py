"""The frame of the dashboard: sections in order, with styles, scripts and data inlined into one HTML file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nnkernels.report.dashboard import assets, charts, palette
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.section import Section

SECTIONS = ("answer", "compare", "accuracy", "errors", "samples", "history", "machines", "network", "method")
BROWSER_FONT = "system-ui, sans-serif"
_TEMPLATES = files("nnkernels.report") / "templates" / "dashboard"


@dataclass(frozen=True)
class Page:
    """The rendered dashboard.

    Attributes
    ----------
    html : str
        The page.
    files : dict of str to (str or bytes)
        Files beside the page: relative path and content.
    """

    html: str
    files: dict[str, str | bytes]


def environment() -> Environment:
    """Return the environment of the page's templates, which escapes all values.

    Returns
    -------
    environment : Environment
        With the filters ``code``, ``numbers`` and ``together`` of :mod:`~nnkernels.report.dashboard.assets`.
    """
    created = Environment(
        loader=PackageLoader("nnkernels.report", "templates/dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    created.filters |= {"code": assets.code, "numbers": assets.numbers, "together": assets.together}
    return created


def build_sections(collection: Collection) -> list[Section]:
    """Build the sections of the page, in order.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    sections : list of Section
        All of :data:`SECTIONS`.
    """
    modules = [import_module(f"nnkernels.report.dashboard.sections.{name}") for name in SECTIONS]
    return [module.build(collection) for module in modules]


def render(collection: Collection, links: dict[str, str] | None = None) -> Page:
    """Render the dashboard.

    Parameters
    ----------
    collection : Collection
        The recorded runs.
    links : dict of str to str, optional
        Further pages of the site: title and relative URL.

    Returns
    -------
    page : Page
        The page. It is the same whenever and wherever it is built from the same results.
    """
    templates = environment()
    figure = templates.get_template("figure.html.j2")
    links = links or {}
    sections = build_sections(collection)
    bodies: list[Markup] = []
    specs: dict[str, Any] = {}
    for section in sections:
        level = 3 if bodies else 2  # the first section's heading is that of the page
        drawn = {
            chart.name: Markup(figure.render(chart=chart, drawings=_drawings(chart), level=level))
            for chart in section.charts
        }
        specs |= {chart.name: charts.fitted(chart.spec) for chart in section.charts}
        template = templates.get_template(f"{section.name}.html.j2")
        bodies.append(Markup(template.render(charts=drawn, links=links, **section.values)))
    scripts = [assets.inline_script(text) for text in _beside([section.name for section in sections], "js", "page")]
    bundle = assets.inline_script(charts.browser_bundle())
    html = templates.get_template("page.html.j2").render(
        policy=assets.policy([*scripts, bundle]),
        style=Markup(palette.style() + "\n".join(_beside([section.name for section in sections], "css", "style"))),
        sections=list(zip(sections, bodies, strict=True)),
        notes=collection.notes,
        links=links,
        payloads={section.name: assets.payload(section.payload) for section in sections if section.payload is not None},
        specs=assets.payload({"theme": charts.theme(BROWSER_FONT), "charts": specs}),
        scripts=scripts,
        bundle=bundle,
    )
    return Page(html, {path: content for section in sections for path, content in sorted(section.files.items())})


def _drawings(chart: Chart) -> list[tuple[str, Markup]]:
    """Return the static drawings of a chart, each with the class by which the style sheet shows it."""
    widths = {"narrow": charts.NARROW, "wide": charts.WIDE}
    return [(name, Markup(charts.static_svg(chart, width))) for name, width in widths.items()]


def _beside(names: list[str], suffix: str, first: str) -> list[str]:
    """Return the styles or scripts of the page and of those sections that have some, parts (NAME_PART) before NAME."""
    there = sorted(path.name for path in _TEMPLATES.iterdir() if path.name.endswith(f".{suffix}"))
    found = [one for name in (first, *names) for one in (*_parts(there, name), f"{name}.{suffix}") if one in there]
    return [(_TEMPLATES / one).read_text("utf-8") for one in found]


def _parts(there: list[str], name: str) -> list[str]:
    return [one for one in there if one.startswith(f"{name}_")]
