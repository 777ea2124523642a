"""The commands for regression checks: check, selftest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.status import Status

from nnkernels.cli.shared import DataOption, app, err, note, out, split_names
from nnkernels.errors import NNKernelsError

BackendsOption = Annotated[str, typer.Option("--backends", metavar="A,B", help="Backends; numpy, numba and fused.")]
ResolveOption = Annotated[float, typer.Option(metavar="PERCENT", help="The slowdown that has to be found.")]
MinutesEachOption = Annotated[float, typer.Option(metavar="MINUTES", help="Measure for no longer than that.")]


@app.command(rich_help_panel="Measure")
def check(
    base: Annotated[str, typer.Argument(help="A commit, branch or tag to compare with.")] = "HEAD",
    data: DataOption = None,
    backends: BackendsOption = "",
    scenarios: Annotated[
        str,
        typer.Option(metavar="A,B", help="epoch, epoch-adam, one-image, 10000-images; all, if none."),
    ] = "",
    resolve: ResolveOption = 3.0,
    minutes: MinutesEachOption = 2.0,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    budget: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML: ratios between backends that must not be exceeded.")
    ] = None,
    record: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep all samples as JSON.")] = None,
) -> None:
    """Check whether the working tree is slower than a commit.

    The exit status is 0 if nothing is worse, 1 if something is, and 2 if that could not be measured.

    The working tree is that of the current folder, including uncommitted changes. It is measured on one CPU with one
    thread. `git bisect run` needs 125 (skip) instead of 2:

    git bisect run sh -c 'nnkernels check GOOD; s=$?; [ $s -eq 2 ] && exit 125; exit $s'

    Run this in a separate git worktree, so that the nnkernels that measures stays the same.
    """
    with _could_not_measure():
        from nnkernels.data import load_mnist
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
            measured = run_check(find_root(), base, load_mnist(data), comparisons, plan, limits, tell=_telling(status))
        if record:
            write_record(record, measured)
        outcome = outcome_of(measured, limits)
        if markdown:
            typer.echo(check_markdown(measured, outcome))
        else:
            show_check(out, measured, outcome)
    raise typer.Exit(outcome.status)


@app.command(rich_help_panel="Measure")
def selftest(
    minutes: Annotated[float, typer.Option(metavar="MINUTES", help="Begin no further check after that.")] = 30.0,
    neighbour: Annotated[bool, typer.Option("--neighbour", help="Beside a process that is busy in bursts.")] = False,
    unchanged: Annotated[bool, typer.Option("--unchanged", help="Inject no slowdown in any check.")] = False,
    data: DataOption = None,
    backends: BackendsOption = "",
    resolve: ResolveOption = 3.0,
    minutes_each: MinutesEachOption = 2.0,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the checks are kept; results/selftest.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Measure nothing; print the figures of all machines as Markdown.")
    ] = False,
    page: Annotated[
        bool,
        typer.Option("--page", help="Measure nothing; write the figures of the checkout into bench/README.md."),
    ] = False,
) -> None:
    """Measure the false-alarm rate and the power of the check itself.

    Each check compares HEAD with HEAD, with or without an injected slowdown of known size. It is saved when it ends,
    and the next self-test continues from there.
    """
    from nnkernels.data import load_mnist
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
        of_machine = run_selftest(
            root,
            results,
            load_mnist(data),
            split_names(backends),
            plan,
            minutes,
            neighbour,
            unchanged,
            _telling(status),
        )
    report.show_selftest(out, load_records(of_machine))
    note(f"the checks are in {of_machine}")


def _telling(status: Status) -> Callable[[str], None]:
    return lambda text: status.update(escape(text))


@contextmanager
def _could_not_measure() -> Iterator[None]:
    """Exit with status 2 after any error, because status 1 means that a regression was measured."""
    from nnkernels.measure.regression.outcome import NOT_MEASURED

    try:
        yield
    except NNKernelsError as error:
        err.print(f"[bold red]could not measure:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    except Exception:
        err.print_exception()
    else:
        return
    raise typer.Exit(NOT_MEASURED)
