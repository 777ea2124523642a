"""Progress of `nnkernels bench` on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from nnkernels.measure.asv_driver.bench_files import bench_file
from nnkernels.measure.asv_driver.progress import Progress, ShowProgress
from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.report.headline import preliminary


@contextmanager
def bench_progress(console: Console) -> Iterator[ShowProgress]:
    """Show a progress bar on a terminal or lines in a log, and a preliminary result after each process.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.

    Yields
    ------
    show : callable
        ``show(progress)``, to be called with each :class:`Progress`.
    """
    import_module("scipy.special")  # needed for the intervals; imported now, so that it does not disturb the timing
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with rich_progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("discovering benchmarks", total=1.0)
        shown = 0

        def show(progress: Progress) -> None:
            nonlocal shown
            description = bar.tasks[task].description
            if measured := bench_file(progress.what):
                description = f"pass {progress.pass_number} of {progress.passes}, {measured.description}"
            # A log gets a line for each new benchmark, instead of a bar.
            if not console.is_terminal and description != bar.tasks[task].description:
                console.print(f"{100 * progress.fraction:3.0f} %  {description}", highlight=False)
            processes = sum(EPOCH in measured.seconds for measured in progress.interleaved)
            if processes > shown and (text := preliminary(progress.interleaved)):
                console.print(f"preliminary, {text}", highlight=False, soft_wrap=True)
            shown = processes
            bar.update(task, completed=progress.fraction, description=description)

        yield show
