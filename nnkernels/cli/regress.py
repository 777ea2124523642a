"""The commands for regression checks: check, selftest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.status import Status

from nnkernels.cli.data_options import DEFAULT_DATA, DataRequest, takes_data
from nnkernels.cli.shared import app, err, note, out, split_names
from nnkernels.errors import NNKernelsError

BackendsOption = Annotated[
    str, typer.Option("--backends", metavar="A,B", help="Backends to measure (default: numpy,numba,fused).")
]
ResolveOption = Annotated[float, typer.Option(metavar="PERCENT", help="Smallest slowdown to detect, in percent.")]
MinutesEachOption = Annotated[
    float, typer.Option(metavar="MINUTES", help="Maximum duration of the measurements of each check, in minutes.")
]


@app.command(rich_help_panel="Measure")
@takes_data()
def check(
    base: Annotated[str, typer.Argument(help="Commit, branch or tag to compare with.")] = "HEAD",
    data: DataRequest = DEFAULT_DATA,
    backends: BackendsOption = "",
    scenarios: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="Scenarios to measure: epoch, epoch-adam, one-image, 10000-images (default: all)."
        ),
    ] = "",
    resolve: ResolveOption = 3.0,
    minutes: MinutesEachOption = 5.0,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the result as Markdown, for a pull request.")
    ] = False,
    budget: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file with upper limits for the time ratios between backends."),
    ] = None,
    record: Annotated[Path | None, typer.Option(metavar="FILE", help="Save all samples to this JSON file.")] = None,
) -> None:
    """Check whether the working tree is slower than a commit.

    The exit status is 0 if nothing is slower, 1 if something is slower or exceeds the budget, and 2 if this could not
    be decided.

    The working tree is that of the current folder, including uncommitted changes. It is measured on one CPU with one
    thread. `git bisect run` needs 125 (skip) instead of 2:

    git bisect run sh -c 'nnkernels check GOOD; s=$?; [ $s -eq 2 ] && exit 125; exit $s'

    Run this in a separate git worktree, so that bisecting does not change the version of nnkernels that measures.
    """
    with _could_not_measure():
        from nnkernels.measure.asv_driver.workspace import find_root
        from nnkernels.measure.regression.budget import read_budget
        from nnkernels.measure.regression.check import run_check
        from nnkernels.measure.regression.comparisons import choose
        from nnkernels.measure.regression.measuring import Plan
        from nnkernels.measure.regression.outcome import outcome_of
        from nnkernels.measure.regression.record import write_record
        from nnkernels.report.regression import check_markdown, show_check

        limits = read_budget(budget) if budget else []
        comparisons = choose(split_names(backends), split_names(scenarios))
        plan = Plan(resolve=resolve / 100, minutes=minutes)
        with err.status("reading the data") as status:
            measured = run_check(
                find_root(), base, data.load(), comparisons, plan, limits, show_progress=_status_updater(status)
            )
        if record:
            write_record(record, measured)
        outcome = outcome_of(measured, limits)
        if markdown:
            typer.echo(check_markdown(measured, outcome))
        else:
            show_check(out, measured, outcome)
    raise typer.Exit(outcome.status)


@app.command(rich_help_panel="Measure")
@takes_data()
def selftest(
    minutes: Annotated[
        float, typer.Option(metavar="MINUTES", help="Time in minutes after which no further check is started.")
    ] = 30.0,
    neighbour: Annotated[
        bool,
        typer.Option("--neighbour", help="Run a second process that is busy in bursts, as on a shared machine."),
    ] = False,
    unchanged: Annotated[bool, typer.Option("--unchanged", help="Inject no slowdown in any check.")] = False,
    data: DataRequest = DEFAULT_DATA,
    backends: BackendsOption = "",
    resolve: ResolveOption = 3.0,
    minutes_each: MinutesEachOption = 5.0,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the saved checks (default: results/selftest).")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the results of all machines as Markdown, without measuring.")
    ] = False,
    page: Annotated[
        bool,
        typer.Option("--page", help="Write the recorded results into bench/README.md, without measuring."),
    ] = False,
) -> None:
    """Measure the false-alarm rate and the power of `nnkernels check`.

    Each check compares HEAD with itself, with or without an injected slowdown of known size. It is saved when it ends,
    and the next self-test continues after it.
    """
    from nnkernels.measure.asv_driver.workspace import find_root
    from nnkernels.measure.regression.measuring import Plan
    from nnkernels.measure.regression.selftest import FOLDER, load_machines, load_records, run_selftest
    from nnkernels.report import selftest as report
    from nnkernels.report.method_page import PAGE

    root = find_root()
    results = folder or root / FOLDER
    if page:
        report.BLOCK.update(root / PAGE, report.block(load_machines(root / FOLDER)))
        return
    if markdown:
        typer.echo(report.selftest_markdown(load_machines(results)))
        return
    plan = Plan(resolve=resolve / 100, minutes=minutes_each)
    with err.status("reading the data") as status:
        machine_folder = run_selftest(
            root,
            results,
            data.load(),
            split_names(backends),
            plan,
            minutes,
            neighbour,
            unchanged,
            _status_updater(status),
        )
    report.show_selftest(out, load_records(machine_folder))
    note(f"the checks are saved in {machine_folder}")


def _status_updater(status: Status) -> Callable[[str], None]:
    return lambda text: status.update(escape(text))


@contextmanager
def _could_not_measure() -> Iterator[None]:
    """Exit with status 2 after any error, because status 1 means that a regression was measured."""
    from nnkernels.measure.regression.outcome import UNDECIDED

    try:
        yield
    except NNKernelsError as error:
        err.print(f"[bold red]could not measure:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    except Exception:
        err.print_exception()
    else:
        return
    raise typer.Exit(UNDECIDED)
