"""Presentation of the mutation score: on the terminal, and as the generated part of ``bench/README.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from nnkernels.measure.mutants.gates import CHECKS
from nnkernels.measure.mutants.record import Score
from nnkernels.measure.mutants.score import Judged
from nnkernels.report.blocks import NOT_RECORDED, Block
from nnkernels.report.layout import Column, markdown, show

BLOCK = Block("mutants", "nnkernels verify --mutants --record")
# Descriptions of the checks, for tables and sentences.
CHECK_LABELS = {
    "parameters": "parameters after training",
    "predictions": "predictions",
    "functions": "single functions",
    "file": "training from a file",
    "evaluation": "evaluation of parameters",
    "extremes": "extreme inputs",
    "threads": "same bits for any number of threads",
    "breaks down": "crash or time-out",
}
COLUMNS_NOTE = (
    "Deviation: difference found by the first check, at the gate where it is smallest. Gates: number of gates at which "
    "the mutant was judged."
)


@contextmanager
def mutants_progress(console: Console, total: int) -> Iterator[Callable[[Judged], None]]:
    """Show the progress of a mutation test: a bar on a terminal, one line per mutant in a log.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    total : int
        The number of mutants.

    Yields
    ------
    show : callable
        ``show(judged)``, to be called after each mutant with its :class:`Judged`.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with rich_progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("unchanged kernels", total=total)

        def show_progress(judged: Judged) -> None:
            if not console.is_terminal:
                label = f"{judged.code}: {judged.name}"
                console.print(f"{label}: {outcome(judged)}, {judged.seconds:.0f} s", highlight=False, soft_wrap=True)
            bar.update(task, advance=1, description=f"{judged.code}: {judged.name}")

        yield show_progress


def show_mutants(console: Console, judged: Sequence[Judged], planned: int) -> None:
    """Print a table of the judged mutants, and the score.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    judged : sequence of Judged
        The mutants that were judged.
    planned : int
        The number of mutants of the test. If it was interrupted, fewer were judged.
    """
    notes = [score_text(judged), *reasons(judged), COLUMNS_NOTE]
    if len(judged) < planned:
        notes.insert(0, f"Interrupted: {len(judged)} of {planned} mutants were judged.")
    show(console, "Mutants: kernels with one deliberate mistake each", columns(judged), notes)


def block(score: Score | None) -> str:
    """Return the generated part of ``bench/README.md``.

    Parameters
    ----------
    score : Score or None
        The recorded score; None if nothing is recorded.

    Returns
    -------
    block : str
        Markdown, with the markers.
    """
    if score is None:
        return BLOCK.around(NOT_RECORDED)
    dataset, packages = score.provenance["dataset"]["name"], score.provenance["packages"]
    source = (
        f"Recorded {score.recorded_at[:10]} at commit `{score.commit[:8]}` on {dataset}; "
        f"{score.provenance['cpu']} ({score.provenance['microarchitecture']}), "
        f"Python {score.provenance['python']}, NumPy {packages['numpy']}, Numba {packages['numba']}."
    )
    notes = "\n".join(f"- {reason}" for reason in reasons(score.mutants))
    every = markdown(columns(score.mutants))
    table = f"<details><summary>All mutants</summary>\n\n{COLUMNS_NOTE}\n\n{every}\n\n</details>"
    return BLOCK.around("\n\n".join(filter(None, [score_text(score.mutants), notes, source, table])))


def score_text(judged: Sequence[Judged]) -> str:
    """Describe the score: how many mutants were caught, and by which check.

    Parameters
    ----------
    judged : sequence of Judged
        The mutants that were judged.

    Returns
    -------
    text : str
        A few sentences.
    """
    backends = Counter(one.backend for one in judged)
    caught = [one for one in judged if one.caught]
    survived = sum(one.survived for one in judged)
    by = Counter(_checks(one)[0] for one in caught)
    counts = [f"{CHECK_LABELS[check]} {by[check]}" for check in CHECKS if by[check]]
    extremes_alone = sum(_checks(one) == ["extremes"] for one in caught)
    text = (
        f"{len(judged)} mutants ({', '.join(f'{count} of {name}' for name, count in backends.items())}): "
        f"{len(caught)} caught, {survived} survived, {len(judged) - len(caught) - survived} equivalent (no timed input "
        "distinguishes it from the kernel)."
    )
    if caught:
        text += f" Caught first by: {', '.join(counts)}. Caught only by extreme inputs: {extremes_alone}."
    return text


def outcome(judged: Judged) -> str:
    """Describe the outcome of a mutant.

    Parameters
    ----------
    judged : Judged
        The mutant.

    Returns
    -------
    text : str
        What caught it, ``equivalent``, or which gates it survived.
    """
    if judged.caught:
        return f"caught by {_check_labels(judged)}"
    return "equivalent" if judged.equivalent else f"SURVIVED {_passed_gates(judged)}"


def columns(judged: Sequence[Judged]) -> list[Column]:
    """Return the columns of the table of mutants.

    Parameters
    ----------
    judged : sequence of Judged
        The mutants that were judged.

    Returns
    -------
    columns : list of Column
        One row per mutant.
    """
    return [
        Column("backend", [one.code for one in judged], identity=True),
        Column("mutant", [one.name for one in judged], identity=True),
        Column("caught by", [_check_labels(one) if one.caught else outcome(one) for one in judged]),
        Column("deviation", [_deviation(one) for one in judged], right=True),
        Column("gates", [str(len(one.verdicts)) for one in judged], right=True),
    ]


def reasons(judged: Sequence[Judged]) -> list[str]:
    """Explain the mutants that were not caught, or that contradict the catalogue.

    Parameters
    ----------
    judged : sequence of Judged
        The mutants that were judged.

    Returns
    -------
    reasons : list of str
        One line per such mutant.
    """
    lines = []
    for one in judged:
        label = f"{one.code}, {one.name}"
        if one.survived:
            lines.append(f"{label}: survived {_passed_gates(one)}. {one.tolerated}".strip())
        elif one.equivalent and one.caught:
            lines.append(f"{label}: caught, although the catalogue calls it equivalent: {one.equivalent}")
        elif one.equivalent:
            lines.append(f"{label}: equivalent. {one.equivalent}")
    return lines


def _passed_gates(judged: Judged) -> str:
    return ", ".join(verdict.gate for verdict in judged.verdicts if verdict.passed)


def _checks(judged: Judged) -> list[str]:
    """Return the checks that caught a mutant at any of its gates, those on real images first."""
    found = {check for verdict in judged.verdicts for check in verdict.checks}
    return [check for check in CHECKS if check in found]


def _check_labels(judged: Judged) -> str:
    return ", ".join(CHECK_LABELS[check] for check in _checks(judged))


def _deviation(judged: Judged) -> str:
    """Return the deviation found by the first check that caught the mutant, at the gate where it is smallest."""
    checks = _checks(judged)
    if not judged.caught or not checks:
        return ""
    found = [verdict.checks[checks[0]] for verdict in judged.verdicts if checks[0] in verdict.checks]
    numbers = [deviation for deviation in found if isinstance(deviation, float | int)]
    if numbers:
        return f"{min(numbers):.1e}"
    return "NaN" if found[0] in ("nan", "inf") else ""
