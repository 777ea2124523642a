"""Strip plots of samples: a static one of the main contenders, and specifications for those drawn on demand."""

from __future__ import annotations

from typing import Any

from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.report import keras_forms
from nnkernels.report.dashboard import palette
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import MachineRuns
from nnkernels.report.dashboard.legend import Entry, of_groups
from nnkernels.report.dashboard.marks import log_ticks
from nnkernels.report.dashboard.samples import (
    COUNTED,
    KEPT,
    LEFT_OUT,
    contender_text,
    quartile_text,
    samples_of,
)
from nnkernels.report.ratios import BASELINE, PairedRatios

MAIN = ("fused", "numba", BASELINE)
STATES = {COUNTED: (palette.SCRATCH, "circle"), LEFT_OUT: (palette.WORSE, "cross"), KEPT: (palette.LIMIT, "square")}
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "triangle-right", "triangle-left", "cross")
ROW_HEIGHT, STRIP_HEIGHT = 44, 18  # pixels for a contender, and for a process
DATA = "samples"


def overview(machine: MachineRuns) -> Chart | None:
    """Return the strip plot of an epoch of the main contenders, in the newest of the shown runs.

    Parameters
    ----------
    machine : MachineRuns
        The machine.

    Returns
    -------
    chart : Chart or None
        None if no main contender trained.
    """
    import altair as alt

    run = machine.shown
    ratios = PairedRatios(run.interleaved)
    names = [*MAIN, keras_forms.best(keras_forms.tried(ratios, EPOCH))]
    settings = {name: ratios.faster_setting(EPOCH, name) for name in names if name}
    samples = samples_of(run, EPOCH)
    labels = [label for name, threads in settings.items() if (label := f"{name}@{threads}") in samples]
    if not labels:
        return None
    rows = [
        {
            "contender": contender_text(label),
            "process": one.process,
            "seconds": float(f"{one.seconds:.4g}"),
            "state": one.state,
        }
        for label in labels
        for one in samples[label]
    ]
    of_labels = [one for label in labels for one in samples[label]]
    left_out = sum(one.state == LEFT_OUT for one in of_labels)
    used = [state for state in STATES if any(one.state == state for one in of_labels)]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_point(aria=False, filled=True, size=20)
        .encode(
            x=_seconds_axis([one.seconds for one in of_labels]),
            y=alt.Y("contender:N", sort=[contender_text(label) for label in labels], title=None),
            yOffset=alt.YOffset("process:O"),
            color=_state_scale(alt.Color, used, 0),
            shape=_state_scale(alt.Shape, used, 1),
        )
        .properties(height=ROW_HEIGHT * len(labels))
    )
    return Chart(
        name="samples-overview",
        title="Every segment of an epoch, of the main contenders",
        sentence=(
            f"Run {run.record.run_id} on {machine.label}. "
            + "; ".join(
                f"{contender_text(label)}: {quartile_text(samples[label])}" for label in (labels[0], labels[-1])
            )
            + f". {_disturbed(left_out, len(of_labels))}"
        ),
        alternative=(
            "Seconds per epoch on a logarithmic axis, a point for each segment, a row for each contender, within a row "
            "one line for each process. "
            + " ".join(f"{contender_text(label)}: {quartile_text(samples[label])}." for label in labels)
        ),
        spec=dict(chart.to_dict()),
        legend=of_groups(used, STATES),
    )


def specifications() -> dict[str, dict[str, Any]]:
    """Return the specifications for the samples of one contender, without data.

    The script adds the rows as the data set ``samples``, and the height.

    Returns
    -------
    specs : dict of str to dict
        ``seconds`` (a strip for each process), ``order`` (seconds in order of measurement), and ``quartiles`` (of each
        process).
    """
    import altair as alt

    states = list(STATES)
    seconds: dict[str, Any] = {"scale": alt.Scale(type="log", nice=False, padding=12), "title": "seconds (log)"}
    few_ticks = alt.Axis(tickCount=5, labelOverlap=True)
    process = alt.Y("process:O", title="process")
    tooltip = [alt.Tooltip(f"{name}:N") for name in ("process", "round", "segment", "text", "state")]
    points = (
        alt.Chart(alt.NamedData(DATA))
        .mark_point(aria=False, filled=True, opacity=0.8, size=40)
        .encode(color=_state_scale(alt.Color, states, 0), tooltip=tooltip)
    )
    shapes = alt.Shape("process:N", scale=alt.Scale(range=list(SHAPES)), legend=None)
    by_seconds = points.encode(x=alt.X("seconds:Q", axis=few_ticks, **seconds), y=process, shape=shapes)
    in_order = points.encode(
        x=alt.X("turn:Q", title="turn, in order of measurement", scale=alt.Scale(nice=False, padding=6)),
        y=alt.Y("seconds:Q", axis=few_ticks, **seconds),
        shape=shapes,
    ).properties(height=260)
    base = alt.Chart(alt.NamedData(DATA)).encode(y=process)
    ranges = base.mark_rule(strokeWidth=3, aria=False, color=palette.SCRATCH).encode(
        x=alt.X("low:Q", axis=few_ticks, **seconds), x2="high:Q"
    )
    medians = base.mark_point(aria=False, filled=True, color=palette.INK).encode(
        x=alt.X("median:Q", axis=few_ticks, **seconds)
    )
    specs = {"seconds": by_seconds, "order": in_order, "quartiles": alt.layer(ranges, medians)}
    return {name: dict(chart.to_dict()) for name, chart in specs.items()}


def states_legend() -> tuple[Entry, ...]:
    """Return the legend of :func:`specifications`, whose shapes tell processes apart.

    Returns
    -------
    legend : tuple of Entry
        An entry for each state of a sample.
    """
    return tuple(Entry(state, colour) for state, (colour, _shape) in STATES.items())


def _disturbed(left_out: int, segments: int) -> str:
    if not left_out:
        return f"None of these {segments:,} segments was in a turn that others disturbed."
    return f"{left_out:,} of these {segments:,} segments were in turns that others disturbed, and are left out."


def _seconds_axis(values: list[float]) -> Any:
    import altair as alt

    return alt.X(
        "seconds:Q",
        title="seconds per epoch (log)",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(values=log_ticks(values), labelOverlap=True),
    )


def _state_scale(channel: Any, states: list[str], style: int) -> Any:
    import altair as alt

    scale = alt.Scale(domain=states, range=[STATES[state][style] for state in states])
    return channel("state:N", scale=scale, legend=None)
