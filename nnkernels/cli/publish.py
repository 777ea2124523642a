"""The commands for recorded results: results, steps, publish, preview."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from nnkernels.cli.shared import app, err, note, out
from nnkernels.errors import ConfigurationError, ResultsError

RunOption = Annotated[
    str, typer.Option("--run", metavar="RUN", help="Run to show: newest, published, or the beginning of an id.")
]


@app.command(rich_help_panel="Publish")
def results(
    run: RunOption = "newest",
    against: Annotated[
        str,
        typer.Option(metavar="RUN", help="Compare with this run; the most significant differences come first."),
    ] = "",
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also show the numbers whose intervals overlap (only with --against)."),
    ] = False,
    recompute: Annotated[
        bool,
        typer.Option(
            help="Recompute every published number from the raw samples; the exit status is 1 if one differs."
        ),
    ] = False,
    format_name: Annotated[str, typer.Option("--format", help="Output format: table, json, csv or md.")] = "table",
) -> None:
    """Print a run as a tidy table, with one row for each benchmark, contender and set of parameters."""
    from nnkernels.measure.asv_driver.workspace import find_root
    from nnkernels.report import side_by_side, tables
    from nnkernels.report.runs import find_run
    from nnkernels.report.tidy import tidy

    tables.check_format(format_name)
    root = find_root()
    if recompute:
        _recompute(root, format_name)
        return
    folder = root / "results"
    shown = find_run(folder, run)
    if not against:
        rows = tidy(shown)
        if format_name == "table":
            tables.show_rows(out, rows)
        else:
            typer.echo(tables.export(rows, format_name))
        return
    other = find_run(folder, against)
    if format_name == "table":
        side_by_side.show_differences(out, shown, other)
        side_by_side.show_side_by_side(out, shown, other, everything)
    else:
        for what, here, there in side_by_side.differences(shown, other):
            note(f"differs: {what}: {here} against {there}")
        typer.echo(tables.export(side_by_side.side_by_side(shown, other), format_name))


def _recompute(root: Path, format_name: str) -> None:
    """Print the published numbers beside the recomputed ones, and exit with status 1 if one differs."""
    import pandas as pd

    from nnkernels.report import accuracy, method_page, recompute, tables
    from nnkernels.report.accuracy_runs import published_accuracy
    from nnkernels.report.layout import show
    from nnkernels.report.runs import PUBLISHED, find_run, pinned_accuracy
    from nnkernels.report.summary import summarise

    published = find_run(root / "results", PUBLISHED)
    text = (root / "README.md").read_text("utf-8")
    figures = recompute.recompute(text, summarise(published))
    if pinned_accuracy(root / "results"):
        section = accuracy.section(published_accuracy(root))
        figures += recompute.recompute_page(text, "README.md", [(accuracy.BLOCK, section)])
    page = root / method_page.PAGE
    if page.exists():
        generated = method_page.generated(root)
        figures += recompute.recompute_page(page.read_text("utf-8"), method_page.PAGE.as_posix(), generated)
    differ = sum(not figure.agrees for figure in figures)
    columns = recompute.columns(figures)
    result = f"{differ} of {len(figures)} numbers differ, recomputed from the raw samples of " + ", ".join(
        run.record.run_id for run in published.each
    )
    if format_name == "table":
        show(out, "published and recomputed numbers", columns, [result])
    else:
        rows = pd.DataFrame({column.heading: column.cells for column in columns})
        typer.echo(tables.export(rows, format_name))
        note(result)
    raise typer.Exit(1 if differ else 0)


@app.command("steps", rich_help_panel="Publish")
def show_steps(
    step: Annotated[
        str,
        typer.Argument(metavar="[STEP]", help="Show this step only: the lines that it changes, and its speed-up."),
    ] = "",
    diff: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Show the lines that change from step A to step B.")
    ] = None,
    run: RunOption = "newest",
) -> None:
    """Show eight steps from plain Python loops to threads, with the idea, the time and the speed-up of each."""
    from nnkernels.measure.asv_driver.workspace import find_root
    from nnkernels.report import recorded_steps, steps

    if step and diff:
        raise ConfigurationError("a step and --diff exclude each other; give one step, or --diff with two steps")
    times = recorded_steps.find_step_times(find_root() / "results", run)
    if diff:
        steps.show_step(out, times, diff[1], against=diff[0])
    elif step:
        steps.show_step(out, times, step)
    else:
        steps.show_steps(out, times)


@app.command(rich_help_panel="Publish")
def publish(
    pin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN",
            help="Publish this run, and update README.md. Repeat the option to pool several runs (at least five). "
            "An accuracy run is published beside them.",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of the site (default: results/html/ of the checkout)."),
    ] = None,
) -> None:
    """Build the dashboard and its further pages, and the figures of steps and accuracy, from the recorded results."""
    from nnkernels.measure.asv_driver.workspace import find_root
    from nnkernels.report.dashboard.site import check_publishing, default_folder, publish_site

    root = find_root()
    results = root / "results"
    folder = to or default_folder(root)
    check_publishing(root, folder)
    if pin:
        _pin(root, pin)
    published = publish_site(root, folder)
    for text in (*published.notes, *_draw_steps(results), *_draw_accuracy(root)):
        note(text)
    out.print(f"page  {published.page}", highlight=False, soft_wrap=True)


def _pin(root: Path, names: list[str]) -> None:
    """Write runs into the README, and make them the published ones: an accuracy run, others, or both."""
    from nnkernels.report import accuracy, readme, runs
    from nnkernels.report.accuracy_runs import find_accuracy_run, is_accuracy_run
    from nnkernels.report.summary import summarise

    accuracy_runs = [name for name in names if is_accuracy_run(root, name)]
    if len(accuracy_runs) > 1:
        raise ConfigurationError(
            f"{' and '.join(accuracy_runs)} are accuracy runs, which are not pooled; pin one of them"
        )
    found = [find_accuracy_run(root, name) for name in accuracy_runs]
    others = [name for name in names if name not in accuracy_runs]
    shown = runs.pooled(root / "results", others) if others else None
    if shown:
        readme.update(root / "README.md", summarise(shown))
        runs.pin(root / "results", shown)
    for summary in found:
        accuracy.BLOCK.update(root / "README.md", accuracy.section(summary))
        runs.pin_accuracy(root / "results", summary.run.record.run_id)


def _draw_steps(results: Path) -> list[str]:
    """Draw the figure of the steps; return a note if the results that it shows are damaged."""
    from nnkernels.report import recorded_steps, steps
    from nnkernels.report.runs import PUBLISHED, find_run

    published = (results / "published.json").exists()
    try:
        if published:
            times = recorded_steps.published_step_times(results, find_run(results, PUBLISHED))
        else:
            times = recorded_steps.find_step_times(results)
    except ResultsError as error:
        return [f"the figure of the steps was not drawn: {error}"]
    if times:
        steps.draw_steps(results, times)
    return []


def _draw_accuracy(root: Path) -> list[str]:
    """Draw the figures of the published accuracy run; return a note if its results are damaged."""
    from nnkernels.report.accuracy_figures import draw_accuracy
    from nnkernels.report.accuracy_runs import published_accuracy

    try:
        if measured := published_accuracy(root):
            draw_accuracy(root / "results", measured)
    except ResultsError as error:
        return [f"the figures of the accuracy run were not drawn: {error}"]
    return []


@app.command(rich_help_panel="Publish")
def preview(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Site to show, as publish wrote it (default: build one, and delete it)."),
    ] = None,
    port: Annotated[int, typer.Option(metavar="PORT", help="Port to serve on (default: a free one).")] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the site in the browser.")] = True,
    dashboard_only: Annotated[
        bool,
        typer.Option("--dashboard-only", help="Build neither asv's pages nor the walkthrough, which take longest."),
    ] = False,
) -> None:
    """Show the dashboard of the recorded results in the browser, until Ctrl-C.

    Only programs on this machine can reach the server.
    """
    from nnkernels.interrupts import exit_on_sigterm
    from nnkernels.report.dashboard.preview import SiteServer, serve

    with exit_on_sigterm(), _site(folder, dashboard_only) as site:
        server = SiteServer(site, port)
        out.print(f"serving  {server.url}  (Ctrl-C ends)", highlight=False, soft_wrap=True)
        serve(server, open_browser)


@contextmanager
def _site(folder: Path | None, dashboard_only: bool) -> Iterator[Path]:
    """Yield a folder with a site: the given one, or a new one that is deleted afterwards."""
    import tempfile

    if folder is not None:
        yield folder
        return
    from nnkernels.measure.asv_driver.workspace import find_root
    from nnkernels.report.dashboard.site import publish_site

    with tempfile.TemporaryDirectory(prefix="nnkernels-preview-") as temporary:
        with err.status("building the site"):
            published = publish_site(find_root(), Path(temporary) / "site", further_pages=not dashboard_only)
        for text in published.notes:
            note(text)
        yield published.page.parent
