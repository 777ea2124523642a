"""The measuring commands: verify, bench, list, env."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Annotated

import typer
from rich.markup import escape

from nnkernels.cli.data_options import DEFAULT_DATA, DataRequest, takes_data
from nnkernels.cli.shared import INTERRUPTED, app, err, note, out, split_names
from nnkernels.errors import ConfigurationError

PROFILE_HELP = (
    "What to measure: quick (3 minutes), headline (5 minutes, for results pooled from several hours), standard "
    "(30 minutes), full (150 minutes, resumable) or accuracy (40 minutes, resumable: how accurate the network can "
    "be, and whether Keras reaches the same)."
)


@app.command(rich_help_panel="Measure")
@takes_data()
def verify(
    contenders: Annotated[
        list[str] | None, typer.Argument(help="Contenders to check (default: all that are installed).")
    ] = None,
    data: DataRequest = DEFAULT_DATA,
    mutants: Annotated[
        bool,
        typer.Option("--mutants", help="Run mutation tests instead: insert one mistake at a time into the kernels."),
    ] = False,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of mutants to check in parallel (only with --mutants).")
    ] = 2,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Save the score in results/selftest/ (only with --mutants; requires a clean commit)."
        ),
    ] = False,
) -> None:
    """Check contenders against the float64 oracle, without timing anything.

    With --mutants, test this check itself: it must reject kernels that contain one deliberate mistake each. CONTENDERS
    are then backends. This takes 33 minutes of CPU time on a Zen 4. Ctrl-C shows the results so far.
    """
    if mutants or record:
        _verify_mutants(contenders or [], data, mutants, jobs, record)
    from nnkernels.measure.asv_driver.request import choose_contenders
    from nnkernels.measure.correctness import verification
    from nnkernels.report.gate import show_gate

    names, not_installed = choose_contenders(contenders or [])
    dataset = data.load()
    with err.status("comparing every contender with the float64 oracle"):
        judged = verification.verify_all(names, dataset)
    show_gate(out, judged, not_installed, dataset.name)
    raise typer.Exit(0 if all(result.passed for result in judged) else 1)


def _verify_mutants(backends: list[str], data: DataRequest, mutants: bool, jobs: int, record: bool) -> None:
    """Check all mutants, and exit with a status that depends on the result."""
    from nnkernels.interrupts import exit_on_sigterm
    from nnkernels.measure.asv_driver.workspace import open_workspace
    from nnkernels.measure.mutants.catalogue import read_catalogue
    from nnkernels.measure.mutants.record import require_recordable, write_score
    from nnkernels.measure.mutants.score import Judged, run_mutants
    from nnkernels.report import mutants as report
    from nnkernels.report.method_page import PAGE

    if not mutants or (record and backends):
        raise ConfigurationError(
            "--record saves the score of all mutants, so it needs --mutants and no contenders: "
            "nnkernels verify --mutants --record"
        )
    workspace = open_workspace() if record else None
    if workspace:
        require_recordable(workspace)
    catalogue, dataset = read_catalogue(backends), data.load()
    judged: list[Judged] = []
    try:
        with exit_on_sigterm(), report.mutants_progress(err, len(catalogue)) as show_progress:
            for one in run_mutants(catalogue, dataset, jobs):
                judged.append(one)
                show_progress(one)
    except KeyboardInterrupt:
        report.show_mutants(out, judged, len(catalogue))
        raise typer.Exit(INTERRUPTED) from None
    report.show_mutants(out, judged, len(catalogue))
    if workspace:
        score = write_score(workspace, judged, dataset)
        page = workspace.root / PAGE
        if page.exists():
            report.BLOCK.update(page, report.block(score))
    raise typer.Exit(1 if any(one.unexplained for one in judged) else 0)


@app.command(rich_help_panel="Measure")
@takes_data()
def bench(
    contenders: Annotated[
        str,
        typer.Option(
            "--contenders",
            metavar="A,B",
            help="Contenders to measure (default: all installed ones of the profile).",
        ),
    ] = "",
    data: DataRequest = DEFAULT_DATA,
    profile: Annotated[str, typer.Option(help=PROFILE_HELP)] = "quick",
    rounds: Annotated[
        int | None,
        typer.Option(metavar="N", help="Number of fresh processes per paired ratio (default: set by the profile)."),
    ] = None,
    threads: Annotated[
        str,
        typer.Option(
            metavar="1,all", help="Thread settings of the frameworks (default: 1 in the profile quick, otherwise both)."
        ),
    ] = "",
    machine: Annotated[
        str,
        typer.Option(
            help="Name of this machine in the results (default: derived from the name of the processor, after "
            "$NNKERNELS_MACHINE_PREFIX and a hyphen if it is set)."
        ),
    ] = "",
) -> None:
    """Measure speed and accuracy with asv, record the run, and print the speed-up of each contender.

    The profiles full and accuracy can be interrupted with Ctrl-C: the same command, at the same commit, continues them.
    In the profile accuracy, the first Ctrl-C waits for the running trainings, and a second one ends them at once.
    """
    from nnkernels.measure.asv_driver import plan

    if profile == plan.ACCURACY:
        _bench_accuracy(data, machine, rounds, bool(contenders or threads))
        return
    from nnkernels.measure.asv_driver.request import Request
    from nnkernels.measure.asv_driver.run import run_benchmarks
    from nnkernels.measure.asv_driver.workspace import open_workspace
    from nnkernels.measure.records import environment
    from nnkernels.report.headline import headline
    from nnkernels.report.page import write_run_page
    from nnkernels.report.runs import load_run
    from nnkernels.report.summary import summarise
    from nnkernels.report.tables import show_summary
    from nnkernels.report.terminal import bench_progress

    chosen = plan.profile(profile)
    if rounds is not None:
        chosen = replace(chosen, ratio_passes=rounds)
    request = Request(split_names(contenders), profile, chosen, split_names(threads), machine)
    workspace = open_workspace()
    if workspace.unrecorded:
        note(f"not recorded in the history: {workspace.unrecorded}")
    if text := environment.removed_settings_note(environment.find_settings()):
        note(text)
    dataset = data.load()
    with bench_progress(err) as progress:
        outcome = run_benchmarks(workspace, dataset, request, progress)
    summary = summarise(load_run(outcome.folder))
    page = write_run_page(workspace.root, summary)
    show_summary(out, summary)
    out.print(f"[bold]{escape(headline(summary))}[/]", highlight=False, soft_wrap=not out.is_terminal)
    out.print(f"run   {outcome.folder}\npage  {page}", highlight=False, soft_wrap=True)
    if outcome.record.unrecorded != workspace.unrecorded:
        note(f"not recorded in the history: {outcome.record.unrecorded}")
    if outcome.interrupted:
        note(f"interrupted; complete passes: {outcome.record.passes}")
        raise typer.Exit(INTERRUPTED)


def _bench_accuracy(data: DataRequest, machine: str, processes: int | None, restricted: bool) -> None:
    """Run the accuracy benchmark, and print its tables."""
    from functools import partial

    from nnkernels.accuracy.design import standard_design
    from nnkernels.accuracy.errors import FOLDER, kept_networks
    from nnkernels.accuracy.run import run_accuracy
    from nnkernels.accuracy.summary import summarise_accuracy
    from nnkernels.learn.errors_report import write_report
    from nnkernels.learn.errors_terminal import sentences
    from nnkernels.learn.terminal import counting_progress
    from nnkernels.measure.asv_driver.workspace import open_workspace
    from nnkernels.measure.timing.threads import available_cpus
    from nnkernels.report.accuracy import show_accuracy

    if restricted:
        raise ConfigurationError(
            "the profile accuracy has its own contenders, on one thread each: leave out --contenders and --threads"
        )
    workspace = open_workspace()
    if workspace.unrecorded:
        note(f"not recorded, and not to be continued after Ctrl-C: {workspace.unrecorded}")
    dataset = data.load()
    design = standard_design(len(dataset.X_train))
    if processes is not None:
        design = replace(design, processes=processes)
    measured = run_accuracy(workspace, dataset, design, available_cpus(), partial(counting_progress, err), machine)
    show_accuracy(out, summarise_accuracy(measured))
    with err.status("predicting the images, drawing figures"):
        errors = write_report(kept_networks(measured), dataset, "test", measured.folder / FOLDER)
    for sentence in sentences(errors):
        out.print(sentence, highlight=False, markup=False)
    out.print(f"run   {measured.folder}", highlight=False, soft_wrap=True)
    if measured.record.unrecorded != workspace.unrecorded:
        note(f"not recorded: {measured.record.unrecorded}")


@app.command("list", rich_help_panel="Measure")
def list_() -> None:
    """List contenders, backends, recipes, profiles and benchmarks, and which contenders are installed."""
    from nnkernels.measure.asv_driver.workspace import benchmarks_folder
    from nnkernels.report import inventory

    inventory.show_contenders(out)
    inventory.show_backends(out)
    inventory.show_recipes(out)
    inventory.show_profiles(out)
    inventory.show_benchmarks(out, benchmarks_folder())


@app.command(rich_help_panel="Measure")
@takes_data()
def env(data: DataRequest = DEFAULT_DATA) -> None:
    """Print the provenance that a result measured now would have, as JSON.

    It includes the environment settings that affect times or results: those that `bench` hides from the measured
    processes (neutralised), and those that it passes on to them (kept). It also says whether the machine is quiet
    enough for typical results, and how to make it quieter.
    """
    from nnkernels.measure.records import provenance, quietness

    found = quietness.measure_quietness()
    state = {**asdict(found), "typical": found.typical}
    typer.echo(json.dumps({**provenance.collect(data.load(), timed=True), "quietness": state}, indent=1))
    note(quietness.verdict(found))
    for text in quietness.advice(found):
        note(text)
