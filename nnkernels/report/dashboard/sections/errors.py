"""The section on errors: by digit, by how sure the networks are, and the images that all of them get wrong."""

from __future__ import annotations

from typing import Any

from nnkernels.errors import ResultsError
from nnkernels.report import formats
from nnkernels.report.dashboard import palette
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.digit_strip import digit_strip
from nnkernels.report.dashboard.mistakes import probability_text
from nnkernels.report.dashboard.recorded_errors import RecordedErrors, SharedMistake, read_errors
from nnkernels.report.dashboard.section import Section
from nnkernels.report.layout import Column

DIGITS = 24  # the page has to stay small; the record and the walkthrough have all of them
READINGS = 3  # of each class


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs; the errors are those of the newest accuracy run in the same checkout.

    Returns
    -------
    section : Section
        If they are not recorded, it names the command that records them.
    """
    try:
        found = read_errors(collection.root)
    except ResultsError as error:
        return Section("errors", "Errors", {"found": None, "missing": str(error)})
    values = {
        "found": found,
        "introduction": _introduction(found),
        "class_columns": _class_columns(found),
        "bin_columns": _bin_columns(found),
        "shared_sentence": _shared_sentence(found),
        "digits": [_cell(found, digit) for digit in found.digits[:DIGITS]],
        "strip": digit_strip(found.sprite, found.columns, DIGITS) if found.digits else "",
    }
    return Section("errors", "Errors", values, (_reliability_chart(found),))


def _introduction(found: RecordedErrors) -> str:
    networks = "One network" if found.networks == 1 else f"{found.networks} networks, trained with different seeds"
    return (
        f"{networks}: error {formats.percent(found.error)} on {found.images:,} {found.judge} images of "
        f"{found.dataset} (run `{found.run_id}`). Intervals are over the networks."
    )


def _reliability_chart(found: RecordedErrors) -> Chart:
    difference = found.overconfidence.value
    surer = "higher" if difference > 0 else "lower"
    return Chart(
        name="errors-reliability",
        title="Is the network as often right as it is sure?",
        sentence=(
            f"Expected calibration error {formats.percent(found.calibration_error)} ({_widths(found)}): the mean "
            f"probability of an answer is {100 * abs(difference):.2f} points {surer} than the share of right answers."
        ),
        alternative=(
            "Share of right answers in percent by probability of the answer, with 95 % intervals, and the diagonal on "
            "which both are equal. The values are in the table below."
        ),
        spec=_reliability_spec(found),
    )


def _widths(found: RecordedErrors) -> str:
    return f"{round(1 / (found.bins[0].up_to - found.bins[0].above))} bins of equal width"


def _reliability_spec(found: RecordedErrors) -> dict[str, Any]:
    import altair as alt

    values = [
        {
            "confidence": round(100 * one.confidence, 2),
            "accuracy": round(100 * one.accuracy.value, 2),
            "low": round(100 * one.accuracy.low, 2),
            "high": round(100 * one.accuracy.high, 2),
            "count": one.count,
        }
        for one in found.bins
    ]
    scale = alt.Scale(domain=[0, 100])
    axis = alt.Axis(values=[0, 25, 50, 75, 100], grid=False)  # the diagonal is the only line that is needed
    x = alt.X("confidence:Q", scale=scale, title="probability of the answer (%)", axis=axis)
    title = "right answers (%)"
    y = alt.Y("accuracy:Q", scale=scale, title=title, axis=axis)
    base = alt.Chart(alt.InlineData(values=values))
    ends = [{"confidence": end, "accuracy": end} for end in (0, 100)]
    diagonal = alt.Chart(alt.InlineData(values=ends)).mark_line(strokeDash=[4, 4], color=palette.SOFT, aria=False)
    ranges = base.mark_rule(strokeWidth=2, aria=False, color=palette.SCRATCH)
    dots = base.mark_point(aria=False, filled=True, opacity=1)
    tooltip = [
        alt.Tooltip("confidence:Q", title="probability (%)"),
        alt.Tooltip("accuracy:Q", title="right (%)"),
        alt.Tooltip("count:Q", title="answers", format=","),
    ]
    layers = [
        diagonal.encode(x=x, y=y),
        ranges.encode(x=x, y=alt.Y("low:Q", scale=scale, title=title), y2="high:Q"),
        dots.encode(x=x, y=y, tooltip=tooltip),
    ]
    return dict(alt.layer(*layers).properties(height=260).to_dict())


def _class_columns(found: RecordedErrors) -> list[Column]:
    names = found.class_names
    readings = {
        true: [
            f"{names[predicted]} ({times:.3g})" for of_class, predicted, times in found.confusions if of_class == true
        ]
        for true in range(len(names))
    }
    return [
        Column("digit", names, identity=True),
        Column("images", [f"{images:,}" for images, _ in found.by_class], right=True),
        Column("error", [formats.percent(error) for _, error in found.by_class], right=True),
        Column("most read as (images)", [", ".join(readings[true][:READINGS]) or "-" for true in range(len(names))]),
    ]


def _bin_columns(found: RecordedErrors) -> list[Column]:
    bins = found.bins
    return [
        Column("probability", [f"{100 * one.above:.1f} to {100 * one.up_to:.1f} %" for one in bins], identity=True),
        Column("answers", [f"{one.count:,}" for one in bins], right=True),
        Column("mean probability", [formats.rate(one.confidence) for one in bins], right=True),
        Column("right", [formats.percent(one.accuracy) for one in bins], right=True),
    ]


def _shared_sentence(found: RecordedErrors) -> str:
    if not found.wrong_in_all:
        return f"No image is misclassified by all networks; {found.wrong_in_any:,} are by at least one."
    shown = min(len(found.digits), DIGITS)
    which = "" if shown == found.wrong_in_all else f" These are the {shown} whose labels they find least probable."
    return (
        f"{found.wrong_in_all:,} images are misclassified by all networks, {found.wrong_in_any:,} by at least one."
        f"{which} The arrow leads from the label to what most networks read; below it is the mean probability of the "
        "label."
    )


def _cell(found: RecordedErrors, digit: SharedMistake) -> dict[str, str]:
    names = found.class_names
    votes = ", ".join(f"{names[reading]} by {times}" for reading, times in digit.readings)
    return {
        "answer": f"{names[digit.true]} → {names[digit.readings[0][0]]}",
        "probability": probability_text(digit.true_probability),
        "title": f"Image {digit.index}: {names[digit.true]}, read as {votes}",
    }
