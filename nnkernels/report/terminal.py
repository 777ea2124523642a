"""What a run looks like on a terminal while it goes on: a bar, the time, and the benchmark that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

BENCHMARK_WORDS = {
    "accuracy.": "accuracy: training every contender from ten starts",
    "inference.": "inference: single images",
    "kernels.": "kernels: forward, backward and step",
    "training.": "training: whole epochs",
    "ratios.": "ratios: all contenders in turns",
    "Setting up accuracy": "accuracy: training every contender from ten starts",
    "Setting up ratios": "ratios: all contenders in turns",
}


@contextmanager
def bench_progress(console: Console) -> Iterator[Callable[[float, str], None]]:
    """Show a progress bar; yield the function that takes the fraction done and what runs, in asv's words."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("discovering the benchmarks", total=1.0)

        def show(fraction: float, what: str) -> None:
            words = next((text for head, text in BENCHMARK_WORDS.items() if what.startswith(head)), None)
            if words and not console.is_terminal and words != bar.tasks[task].description:
                console.print(f"{100 * fraction:3.0f} %  {words}", highlight=False)
            bar.update(task, completed=fraction, description=words or bar.tasks[task].description)

        yield show
