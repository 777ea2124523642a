"""What a run looks like on a terminal while it goes on: a bar, the time, and the benchmark that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from nnkernels.measure.asv_driver.run import Progress, ShowProgress

BENCHMARK_WORDS = {
    "accuracy.": "accuracy: training every contender from ten starts",
    "inference.": "inference: single images",
    "kernels.": "kernels: forward, backward and step",
    "training.": "training: whole epochs, and the preparation",
    "startup.": "start-up: imports and first calls",
    "memory.": "memory: the peak of an epoch",
    "scaling.": "scaling: batch, width, images, threads",
    "limits.": "limits: what this machine could do",
    "large_data.": "large data: from a memory map",
    "ratios.": "ratios: all contenders in turns",
    "other_work.": "ratios: other work, all contenders in turns",
    "Setting up accuracy": "accuracy: training every contender from ten starts",
    "Setting up ratios": "ratios: all contenders in turns",
    "Setting up other_work": "ratios: other work, all contenders in turns",
}


@contextmanager
def bench_progress(console: Console) -> Iterator[ShowProgress]:
    """Show a progress bar; yield the function that moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with rich_progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("discovering the benchmarks", total=1.0)

        def show(progress: Progress) -> None:
            description = bar.tasks[task].description
            words = next((text for head, text in BENCHMARK_WORDS.items() if progress.what.startswith(head)), None)
            if words:
                description = f"pass {progress.pass_number} of {progress.passes}, {words}"
            # A log gets a line whenever something new begins, instead of a bar.
            if not console.is_terminal and description != bar.tasks[task].description:
                console.print(f"{100 * progress.fraction:3.0f} %  {description}", highlight=False)
            bar.update(task, completed=progress.fraction, description=description)

        yield show
