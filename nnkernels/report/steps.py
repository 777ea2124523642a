"""Report of the steps from naive to fast: seconds per epoch, and how many times as fast each is as another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from nnkernels import plots, steps
from nnkernels.errors import ConfigurationError
from nnkernels.report import formats
from nnkernels.report.kept_figures import draw_unless_same
from nnkernels.report.layout import Column, show
from nnkernels.report.recorded_steps import COMMAND, StepTimes
from nnkernels.steps import Step

if TYPE_CHECKING:
    import pandas as pd

FIGURE = Path("figures", "steps", "steps.png")
_COLORS = {"+": "green", "-": "red", "@": "cyan"}


def show_steps(console: Console, times: StepTimes | None) -> None:
    """Print one row per step: its idea, its time, and how many times as fast it is as other steps.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    times : StepTimes or None
        The times; None if no run has timed the steps.
    """
    columns = [
        Column("step", steps.names(), identity=True),
        Column("idea", [step.idea for step in steps.STEPS]),
        Column("builds on", [step.builds_on for step in steps.STEPS]),
    ]
    title = "From naive to fast: the same training in steps"
    if times is None:
        note = f"No recorded run has timed the steps. Time them with `{COMMAND}`."
        show(console, title, columns, [note])
        return
    first = steps.STEPS[0]
    above = [None, *steps.STEPS[:-1]]

    def ratios(others: Sequence[Step | None], interval: bool) -> list[str]:
        found = [other and times.times_as_fast(step, other) for step, other in zip(steps.STEPS, others, strict=True)]
        return [formats.ratio(ratio, interval) if ratio else "" for ratio in found]

    columns += [
        Column.of_estimates(
            "epoch", lambda interval: [formats.time(times.seconds(step), interval) for step in steps.STEPS]
        ),
        Column.of_estimates("x row above", lambda interval: ratios(above, interval)),
        Column.of_estimates("x builds on", lambda interval: ratios([_base(step) for step in steps.STEPS], interval)),
        Column(f"x {first.name}", ratios([None, *[first] * (len(steps.STEPS) - 1)], False), right=True),
    ]
    factors = f"x: how many times as fast as the row above, as the step that it builds on, and as {first.name}."
    show(console, title, columns, [_source(times), _EXTRAPOLATION, factors, *_failures(times)])


_EXTRAPOLATION = (
    "epoch: time of an epoch, extrapolated from the time per image. In each turn, a step trains on a part of an epoch: "
    + ", ".join(f"{step.timed_images:,} images for {step.name}" for step in steps.STEPS if step.timed_images < 15_000)
    + ", and a quarter of an epoch for the others."
)


def show_step(console: Console, times: StepTimes | None, name: str, against: str = "") -> None:
    """Print the lines that differ between two steps, below the time and the speed-up of the first.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    times : StepTimes or None
        The times; None if no run has timed the steps.
    name : str
        Name of the step.
    against : str
        Name of the other step; if empty, the one that the step builds on. The first step builds on none, so its file is
        printed whole.

    Raises
    ------
    UnknownNameError
        If there is no such step.
    ConfigurationError
        If both are the same step.
    """
    step = steps.step(name)
    if against == name:
        raise ConfigurationError(f"cannot compare {name} with itself; name two different steps")
    base = steps.step(against) if against else _base(step)
    facts = [step.idea]
    if times and (seconds := times.seconds(step)):
        facts.append(f"{formats.time(seconds)} per epoch")
    if times and base and (ratio := times.times_as_fast(step, base)):
        facts.append(f"{formats.ratio(ratio)} times as fast as {base.name}")
    console.print(Text(f"{step.name}: {', '.join(facts)}", "bold"), soft_wrap=True)
    for line in steps.changes(name, against) or step.source.splitlines():
        console.print(Text(line, _COLORS.get(line[:1], "") if base else ""), soft_wrap=True)
    if times:
        console.print(Text(_source(times)), soft_wrap=True)


def draw_steps(results: Path, times: StepTimes) -> Path:
    """Draw the steps into a results folder, unless the figure there shows the same numbers.

    Parameters
    ----------
    results : Path
        The results folder.
    times : StepTimes
        The times.

    Returns
    -------
    path : Path
        The figure.
    """
    record = times.run.record
    cpu = record.provenance["cpu"]
    subtitle = f"{record.dataset}, SGD, batches of 32, {cpu}, run {record.run_id}. Bars: 95 % intervals over processes."
    table = rows(times)
    # Nine digits, because the last ones of a mean differ from one CPU to another.
    numbers = table.to_csv(index=False, float_format="%.9g")
    return draw_unless_same(results / FIGURE, f"{subtitle} {numbers}", lambda: plots.step_times(table, subtitle))


def rows(times: StepTimes) -> pd.DataFrame:
    """Return a table of the steps that were timed.

    Parameters
    ----------
    times : StepTimes
        The times.

    Returns
    -------
    table : DataFrame
        One row per step: ``step``, ``idea``, ``threads``, ``seconds`` (per epoch), ``ci_low``, ``ci_high``, ``ratio``
        (how many times as fast as the row above), ``builds_on``, ``ratio_to_base`` (as the step it builds on). Missing
        values are NaN.
    """
    import pandas as pd

    table = []
    above: Step | None = None
    for step in steps.STEPS:
        seconds = times.seconds(step)
        if seconds is None:
            continue
        base = _base(step)
        ratio = times.times_as_fast(step, above) if above else None
        to_base = times.times_as_fast(step, base) if base else None
        table.append(
            {
                "step": step.name,
                "idea": step.idea,
                "threads": step.threads,
                "seconds": seconds.value,
                "ci_low": seconds.low,
                "ci_high": seconds.high,
                "ratio": ratio.value if ratio else float("nan"),
                "builds_on": step.builds_on,
                "ratio_to_base": to_base.value if to_base else float("nan"),
            }
        )
        above = step
    return pd.DataFrame(table)


def _base(step: Step) -> Step | None:
    return steps.step(step.builds_on) if step.builds_on else None


def _source(times: StepTimes) -> str:
    record = times.run.record
    processes = len(times.processes)
    return (
        f"Run {record.run_id} on {record.dataset}, {processes} process{'es' * (processes != 1)}. Brackets: 95 % "
        "confidence intervals over processes."
    )


def _failures(times: StepTimes) -> list[str]:
    failures = {name: reason for measured in times.processes for name, reason in measured.failures.items()}
    return [f"{name} was not timed: {reason}" for name, reason in failures.items()]
