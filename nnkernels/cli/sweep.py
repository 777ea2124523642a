"""The command `sweep`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from nnkernels.cli.data_options import DEFAULT_DATA, DataRequest, takes_data
from nnkernels.cli.learn import PANEL
from nnkernels.cli.shared import INTERRUPTED, app, err, new_folder, note, numbers, out, split_names


@app.command(rich_help_panel=PANEL)
@takes_data()
def sweep(
    recipes: Annotated[
        str,
        typer.Option(
            metavar="A,B|FILE.toml",
            help="Recipes by name, or a file of tables [\\[recipe]] with a name, a base, and what differs from it.",
        ),
    ] = "adam",
    seeds: Annotated[int, typer.Option(help="Number of seeds.")] = 3,
    first_seed: Annotated[int, typer.Option(help="First of the seeds.")] = 0,
    contenders: Annotated[str, typer.Option(metavar="A,B", help="Contenders that train.")] = "fused",
    widths: Annotated[
        str, typer.Option(metavar="N,N", help="Numbers of hidden units (default: set by the recipes).")
    ] = "",
    learning_rates: Annotated[
        str, typer.Option(metavar="X,X", help="Initial learning rates (default: set by the recipes).")
    ] = "",
    judge: Annotated[
        str,
        typer.Option(
            metavar="validation|test",
            help="Images that judge. With test, all training images are used; choose nothing by it.",
        ),
    ] = "validation",
    workers: Annotated[
        int | None, typer.Option(help="Number of processes, with one thread each (default: the number of CPUs).")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on the workers of the Dask scheduler at this address, such as tcp://host:8786, instead of this "
            "machine. Start it with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`, all with "
            "the versions of this environment. Dask pickles: use only clusters that you trust, or TLS.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of the results (default: a new one in trained/)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Do what is missing in --out.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the trainings and their expected time, and train nothing.")
    ] = False,
    data: DataRequest = DEFAULT_DATA,
) -> None:
    """Train every combination of recipes, seeds, contenders, widths and learning rates, and rank them by accuracy."""
    from nnkernels.errors import ConfigurationError
    from nnkernels.learn.terminal import counting_progress
    from nnkernels.measure.timing.threads import available_cpus
    from nnkernels.recipes import named_recipe
    from nnkernels.sweep.cluster import cluster_pool
    from nnkernels.sweep.expected_time import expected_seconds
    from nnkernels.sweep.plan import JUDGES, make_plan, read_recipes
    from nnkernels.sweep.pool import local_pool
    from nnkernels.sweep.ranking import ranking
    from nnkernels.sweep.results import SweepFolder
    from nnkernels.sweep.run import missing, run
    from nnkernels.sweep.terminal import ranking_table

    if resume and folder is None:
        raise ConfigurationError("--resume needs --out DIR, the folder of the sweep to resume")
    if judge not in JUDGES:
        raise ConfigurationError(f"--judge is {judge!r}; expected one of: {', '.join(JUDGES)}")
    dataset = data.load()
    images = len(dataset.X_train if judge == "test" else dataset.validation_split().X_train)
    plan = make_plan(
        dataset,
        read_recipes(Path(recipes), images)
        if recipes.endswith(".toml")
        else [named_recipe(name, images) for name in split_names(recipes)],
        seeds=range(first_seed, first_seed + seeds),
        names=split_names(contenders),
        widths=[int(width) for width in numbers(widths, "--widths")] if widths else (),
        learning_rates=numbers(learning_rates, "--learning-rates") if learning_rates else (),
        judge=judge,
    )
    results = SweepFolder(folder or new_folder("sweep"))
    if scheduler is not None and (workers is not None or dry_run):
        raise ConfigurationError("--workers and --dry-run are for this machine; the cluster of --scheduler has its own")
    processes = available_cpus() if workers is None else workers
    open_pool = local_pool(processes) if scheduler is None else cluster_pool(scheduler)
    if dry_run:
        waiting = missing(plan, results)
        with err.status("measuring short trainings"):
            seconds = expected_seconds(plan, results, processes)
        for _key, training in waiting:
            out.print(training.text, highlight=False, soft_wrap=True)
        out.print(
            f"{len(waiting)} of {len(plan.trainings)} trainings are missing: about {timedelta(seconds=round(seconds))} "
            f"with {processes} processes",
            highlight=False,
        )
        return
    with counting_progress(err, "training") as show:
        finished = run(plan, results, open_pool, resume=resume, show=show)
    out.print(ranking_table(ranking(row for row in results.rows.values() if row["judge"] == plan.judge)))
    out.print(
        f"accuracy on the {plan.judge} images; {len(results.rows)} trainings  {results.path}",
        highlight=False,
        soft_wrap=True,
    )
    if not finished:
        note(f"stopped; do the rest with the same command, --resume and --out {results.path}")
        raise typer.Exit(INTERRUPTED)
