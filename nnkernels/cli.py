"""The command line: parse and dispatch, nothing else."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from nnkernels.errors import NNKernelsError

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


UNRECORDED = Path(".asv", "unrecorded")


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
) -> None:
    """Measure speed and accuracy by asv, record the run, and show who is how many times as fast."""
    from nnkernels.data import load_mnist
    from nnkernels.measure import checkout, runner
    from nnkernels.report.publish import publish as publish_run
    from nnkernels.report.runs import load_run
    from nnkernels.report.summary import summarise
    from nnkernels.report.tables import summary_table
    from nnkernels.report.terminal import bench_progress

    tree = checkout.read_checkout(checkout.find_root())
    if tree.dirty:
        err.print(f"[yellow]not recorded as history[/]: uncommitted changes in {escape(', '.join(tree.dirty[:5]))}")
    asked = [name.strip() for name in contenders.split(",") if name.strip()]
    dataset = load_mnist(data)
    try:
        with bench_progress(err) as progress:
            outcome = runner.run(tree, dataset, asked, progress, tree.root / UNRECORDED)
    except KeyboardInterrupt:
        err.print("interrupted before the first pass was complete; nothing is kept")
        raise typer.Exit(INTERRUPTED) from None
    run = load_run(outcome.folder)
    page = publish_run(tree.root, run)
    summary = summarise(run)
    out.print(summary_table(summary, out.width))
    out.print(f"[bold]{summary.headline()}[/]", highlight=False)
    out.print(f"run   {outcome.folder}\npage  {page}", highlight=False, soft_wrap=True)
    if outcome.interrupted:
        err.print(f"interrupted; kept the {outcome.record.passes} complete passes")
        raise typer.Exit(INTERRUPTED)


@app.command(rich_help_panel="Publish")
def results(
    format_name: Annotated[str, typer.Option("--format", help="table, json, csv or md.")] = "table",
) -> None:
    """Print the newest run as a tidy table: a row a benchmark, contender and set of parameters."""
    from nnkernels.measure.checkout import find_root
    from nnkernels.report import tables
    from nnkernels.report.runs import newest_run
    from nnkernels.report.tidy import tidy

    tables.check_format(format_name)
    rows = tidy(newest_run(find_root() / "results" / "runs"))
    if format_name == "table":
        out.print(tables.rows_table(rows))
    else:
        typer.echo(tables.export(rows, format_name))


@app.command(rich_help_panel="Publish")
def publish() -> None:
    """Build the pages in results/html/ from the recorded results."""
    from nnkernels.measure.checkout import find_root
    from nnkernels.report.publish import publish as publish_run
    from nnkernels.report.runs import newest_run

    root = find_root()
    page = publish_run(root, newest_run(root / "results" / "runs"))
    out.print(f"page  {page}", highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line: status 1 for our own errors, 130 after Ctrl-C."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except NNKernelsError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_where: object) -> None:
    err.print(f"[yellow]{category.__name__}:[/] {escape(str(message))}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
