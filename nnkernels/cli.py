"""The command line: parse and dispatch, nothing else."""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from nnkernels.errors import Interruption, NNKernelsError

app = typer.Typer(
    help="How fast, and how right, is a neural network written from scratch, against a framework?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)

INTERRUPTED = 130  # as a shell reports a process that Ctrl-C ended

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="A folder of IDX files, an .npz, mnist or mnist-5k; else NNKERNELS_DATA, cache, download, embedded.",
    ),
]


@app.command(rich_help_panel="Measure")
def verify(
    contenders: Annotated[list[str] | None, typer.Argument(help="Contenders; all that are installed, if none.")] = None,
    data: DataOption = None,
) -> None:
    """Hold contenders against the float64 oracle, without timing anything."""
    from nnkernels.data import load_mnist
    from nnkernels.measure import gate
    from nnkernels.measure.runner import choose_contenders
    from nnkernels.report.tables import gate_table

    names, not_installed = choose_contenders(contenders or [])
    dataset = load_mnist(data)
    with err.status("training every contender beside the oracle"):
        judged = gate.verify_all(names, dataset)
    out.print(gate_table(judged, not_installed, dataset.name))
    raise typer.Exit(0 if all(result.passed for result in judged) else 1)


@app.command(rich_help_panel="Measure")
def bench(
    contenders: Annotated[
        str, typer.Option("--contenders", metavar="A,B", help="Contenders; all that are installed, if none.")
    ] = "",
    data: DataOption = None,
    profile: Annotated[str, typer.Option(help="quick (3 minutes), standard (15) or full (60, resumable).")] = "quick",
    rounds: Annotated[
        int | None, typer.Option(metavar="N", help="Fresh processes every paired ratio is taken over.")
    ] = None,
    threads: Annotated[str, typer.Option(metavar="1,all", help="Thread settings to measure.")] = "1,all",
    machine: Annotated[str, typer.Option(help="Name of this machine in the results.")] = "",
) -> None:
    """Measure speed and accuracy by asv, record the run, and show who is how many times as fast."""
    from nnkernels.data import load_mnist
    from nnkernels.measure import checkout, plan, runner
    from nnkernels.report.publish import publish as publish_run
    from nnkernels.report.runs import load_run
    from nnkernels.report.summary import summarise
    from nnkernels.report.tables import summary_table
    from nnkernels.report.terminal import bench_progress

    chosen = plan.profile(profile)
    if rounds is not None:
        chosen = replace(chosen, ratio_passes=rounds)
    request = runner.Request(_names(contenders), profile, chosen, _names(threads), machine)
    workspace = checkout.open_workspace()
    if workspace.unrecorded:
        _note(f"not recorded as history: {workspace.unrecorded}")
    dataset = load_mnist(data)
    with bench_progress(err) as progress:
        outcome = runner.run(workspace, dataset, request, progress)
    run = load_run(outcome.folder)
    published = publish_run(workspace.root, run)
    summary = summarise(run)
    out.print(summary_table(summary, out.width))
    out.print(f"[bold]{summary.headline()}[/]", highlight=False)
    out.print(f"run   {outcome.folder}\npage  {published.page}", highlight=False, soft_wrap=True)
    for note in published.notes if not workspace.unrecorded else ():
        _note(note)
    if outcome.interrupted:
        _note(f"interrupted; kept the {outcome.record.passes} complete passes")
        raise typer.Exit(INTERRUPTED)


@app.command("list", rich_help_panel="Measure")
def list_() -> None:
    """Show contenders, backends, recipes, profiles and benchmarks, and what of it is installed."""
    from nnkernels.measure.checkout import benchmarks_folder
    from nnkernels.report import inventory

    for table in (
        inventory.contenders_table(),
        inventory.backends_table(),
        inventory.recipes_table(),
        inventory.profiles_table(),
        inventory.benchmarks_table(benchmarks_folder()),
    ):
        out.print(table)


@app.command(rich_help_panel="Measure")
def env(data: DataOption = None) -> None:
    """Print the provenance that a result measured here and now would carry, as JSON."""
    from nnkernels.data import load_mnist
    from nnkernels.measure import provenance

    typer.echo(json.dumps(provenance.collect(load_mnist(data)), indent=1))


RunOption = Annotated[str, typer.Option("--run", metavar="RUN", help="newest, published, or the head of a run's id.")]


@app.command(rich_help_panel="Publish")
def results(
    run: RunOption = "newest",
    against: Annotated[str, typer.Option(metavar="RUN", help="Another run to set beside it, ratios first.")] = "",
    format_name: Annotated[str, typer.Option("--format", help="table, json, csv or md.")] = "table",
) -> None:
    """Print a run as a tidy table: a row a benchmark, contender and set of parameters."""
    from nnkernels.measure.checkout import find_root
    from nnkernels.report import side_by_side, tables
    from nnkernels.report.runs import find_run
    from nnkernels.report.tidy import tidy

    tables.check_format(format_name)
    folder = find_root() / "results"
    shown = find_run(folder, run)
    if against:
        other = find_run(folder, against)
        if format_name == "table":
            out.print(side_by_side.differences_table(shown, other))
            out.print(side_by_side.rows_table(shown, other))
        else:
            for what, here, there in side_by_side.differences(shown, other):
                _note(f"differs: {what}: {here} against {there}")
            typer.echo(tables.export(side_by_side.side_by_side(shown, other), format_name))
    elif format_name == "table":
        out.print(tables.rows_table(tidy(shown)))
    else:
        typer.echo(tables.export(tidy(shown), format_name))


@app.command(rich_help_panel="Publish")
def publish(
    run: RunOption = "newest",
    pin: Annotated[str, typer.Option(metavar="RUN", help="Make this run the published one, README included.")] = "",
) -> None:
    """Build the pages in results/html/ from the recorded results."""
    from nnkernels.measure.checkout import find_root
    from nnkernels.report import readme, runs
    from nnkernels.report.publish import publish as publish_run
    from nnkernels.report.summary import summarise

    root = find_root()
    shown = runs.find_run(root / "results", pin or run)
    if pin:
        readme.update(root / "README.md", summarise(shown))
        runs.pin(root / "results", shown)
    published = publish_run(root, shown)
    for note in published.notes:
        _note(note)
    out.print(f"page  {published.page}", highlight=False, soft_wrap=True)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _note(text: str) -> None:
    err.print(f"[yellow]note:[/] {escape(text)}", highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line: status 1 for our own errors, 130 after Ctrl-C."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except Interruption as error:
        _note(str(error))
        sys.exit(INTERRUPTED)
    except NNKernelsError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_where: object) -> None:
    err.print(f"[yellow]{category.__name__}:[/] {escape(str(message))}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
