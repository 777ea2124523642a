"""The section on accuracy: who agrees, errors by recipe, curves, time to accuracy, and what a gap is due to."""

from __future__ import annotations

from nnkernels.comparing.claim import WIDTHS
from nnkernels.errors import ResultsError
from nnkernels.report import formats
from nnkernels.report.accuracy_runs import published_accuracy
from nnkernels.report.dashboard import marks
from nnkernels.report.dashboard.accurate_recipes import AccurateRecipes, accurate_recipes
from nnkernels.report.dashboard.agreement import Agreement, agreement, points
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.kinds import kind
from nnkernels.report.dashboard.learning import Claim, Combination, RecordedTraining, read_claim, read_training
from nnkernels.report.dashboard.marks import Point
from nnkernels.report.dashboard.section import Section
from nnkernels.report.dashboard.time_to_accuracy import TimesToAccuracy, paired_text, times_to_accuracy
from nnkernels.report.layout import Column
from nnkernels.statistics import Estimate

BENCHMARK = "SGD"
RECIPES = {"gradient-descent": "gradient descent", "adam": "Adam"}
PARTS = {"recipe": "recipe", "width": "width", "framework": "framework"}
NO_ERROR = "No recorded run has error rates; `nnkernels bench` measures them."
NO_RECIPES = "No run of the accurate recipes is recorded; `nnkernels bench --profile accuracy` measures them."
NO_TIMES = "No recorded run has times to accuracy; `nnkernels bench --profile standard` measures them."


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        What is not recorded is named, with the command that records it.
    """
    agreements = [(machine, agreement(machine.shown)) for machine in collection.machines]
    agreed = [(machine, found) for machine, found in agreements if found]
    times = [found for one in collection.machines if (found := times_to_accuracy(collection, one))]
    missing = [] if agreed else [NO_ERROR]
    missing += [] if times else [NO_TIMES]
    claim: Claim | None = None
    training: RecordedTraining | None = None
    try:
        claim = read_claim(collection.root)
    except ResultsError as error:
        missing.append(str(error))
    try:
        training = read_training(collection.root)
    except ResultsError as error:
        missing.append(str(error))
    accurate: AccurateRecipes | None = None
    try:
        measured = published_accuracy(collection.root)
        accurate = accurate_recipes(measured) if measured else None
        missing += [] if measured else [NO_RECIPES]
    except ResultsError as error:
        missing.append(str(error))
    charts = [_recipes_chart(claim, agreed[0][1] if agreed else None)] if claim else []
    charts += [accurate.chart] if accurate else []
    charts += _curves(training) if training else []
    charts += [_times_chart(times[0])] if times else []
    charts += [_parts_chart(claim)] if claim else []
    return Section(
        name="accuracy",
        title="Accuracy",
        values={
            "agreements": [(machine.label, found.sentence, _error_columns(found)) for machine, found in agreed],
            "accurate": accurate,
            "claim": claim,
            "claim_columns": _claim_columns(claim) if claim else [],
            "training_columns": _training_columns(training) if training else [],
            "times": [(found, _times_columns(found)) for found in times],
            "missing": missing,
        },
        charts=tuple(charts),
    )


def _error_columns(found: Agreement) -> list[Column]:
    return [
        Column("contender", [one.contender for one in found.errors], identity=True),
        Column("test error", [formats.percent(one.error) for one in found.errors], right=True),
        Column(f"points from {found.reference}", [points(one.difference) for one in found.errors], right=True),
        Column("seeds", [str(one.error.samples) for one in found.errors], right=True),
    ]


def _recipe_label(combination: Combination) -> str:
    return f"{RECIPES.get(combination.recipe, combination.recipe)}, {combination.hidden}"


def _recipes_chart(claim: Claim, benchmark: Agreement | None) -> Chart:
    drawn = [
        _error_point(_recipe_label(one), one.contender, one.error)
        for one in sorted(claim.combinations, key=lambda one: -one.error.value)
    ]
    if benchmark:
        label = f"{BENCHMARK}, {WIDTHS[0]}"
        drawn += [_error_point(label, one.contender, one.error) for one in benchmark.errors]
        drawn.sort(key=lambda point: -point.estimate.value)
    best, worst = drawn[-1], drawn[0]
    overlap = " In every row, the intervals of all contenders overlap." if _rows_overlap(drawn) else ""
    return Chart(
        name="accuracy-recipes",
        title="The recipe and the width decide the error, not the framework",
        sentence=(
            "Each row is a recipe and a number of hidden units, with 95 % intervals over seeds: "
            f"from {worst.text} ({worst.row}) down to {best.text} "
            f"({best.row}).{overlap}"
        ),
        alternative=(
            "Test error in percent with 95 % intervals over seeds, a row for each recipe and number of hidden units, "
            "a point for each contender. The values are in the tables below."
        ),
        spec=marks.intervals(drawn, "test error (%)", apart=True),
        legend=marks.group_legend(drawn),
    )


def _error_point(row: str, contender: str, error: Estimate) -> Point:
    return Point(row, kind(contender), _scaled(error, 100), formats.percent(error), f"{contender}: {row}")


def _rows_overlap(drawn: list[Point]) -> bool:
    rows: dict[str, list[Estimate]] = {}
    for point in drawn:
        rows.setdefault(point.row, []).append(point.estimate)
    return all(max(one.low for one in found) <= min(one.high for one in found) for found in rows.values())


def _scaled(found: Estimate, factor: float) -> Estimate:
    return Estimate(factor * found.value, factor * found.low, factor * found.high, found.samples)


def _claim_columns(claim: Claim) -> list[Column]:
    return [
        Column("recipe and width", [_recipe_label(one) for one in claim.combinations], identity=True),
        Column("contender", [one.contender for one in claim.combinations]),
        Column("test error", [formats.percent(one.error) for one in claim.combinations], right=True),
        Column("seeds", [str(one.error.samples) for one in claim.combinations], right=True),
    ]


def _curves(training: RecordedTraining) -> list[Chart]:
    values = [
        {
            "epoch": epoch.number,
            "seconds": round(epoch.seconds, 4),
            "error": round(100 * error, 3),
            "images": images,
        }
        for epoch in training.epochs
        for images, error in (("training", epoch.train_error), ("validation", epoch.validation_error))
        if error is not None
    ]
    first, last = training.epochs[0], training.epochs[-1]
    ends = [formats.rate(one.validation_error) if one.validation_error is not None else "-" for one in (first, last)]
    name = str(training.recipe["name"])
    recipe = f"{RECIPES.get(name, name)} with {training.recipe['hidden']} hidden units ({training.kernels})"
    return [
        Chart(
            name="accuracy-epochs",
            title="Learning curve by epoch",
            sentence=(
                f"{recipe}: the validation error falls from {ends[0]} after epoch {first.number} to {ends[1]} after "
                f"epoch {last.number}; the test error is {formats.rate(training.test_error)}."
            ),
            alternative="Training and validation error in percent by epoch. The values are in the table below.",
            spec=marks.curves(values, ("epoch", "epoch"), ("error", "error (%)"), "images"),
            legend=marks.curve_legend(values, "images"),
        ),
        Chart(
            name="accuracy-seconds",
            title="Learning curve by time",
            sentence=(
                f"The same training: {last.number} epochs take {formats.duration(last.seconds)} without evaluation; "
                f"the first ends after {formats.duration(first.seconds)}, which includes the compilation or loading of "
                "the kernels."
            ),
            alternative="The same errors against seconds of training. The values are in the table below.",
            spec=marks.curves(values, ("seconds", "seconds of training"), ("error", "error (%)"), "images"),
            legend=marks.curve_legend(values, "images"),
        ),
    ]


def _training_columns(training: RecordedTraining) -> list[Column]:
    def rates(errors: list[float | None]) -> list[str]:
        return ["-" if error is None else formats.rate(error) for error in errors]

    epochs = training.epochs
    return [
        Column("epoch", [str(one.number) for one in epochs], identity=True),
        Column("time", [formats.duration(one.seconds) for one in epochs], right=True),
        Column("training error", rates([one.train_error for one in epochs]), right=True),
        Column("validation error", rates([one.validation_error for one in epochs]), right=True),
    ]


def _times_chart(times: TimesToAccuracy) -> Chart:
    drawn = [
        Point(row.contender, kind(row.contender), row.seconds, formats.time(row.seconds), row.contender)
        for row in times.rows
    ]
    return Chart(
        name="accuracy-time",
        title=times.scenario.capitalize(),
        sentence=times.sentence,
        alternative=(
            f"Seconds with 95 % intervals on a logarithmic axis, from images in memory to {times.scenario}, a row for "
            "each contender, the fastest first. The values are in the table below."
        ),
        spec=marks.intervals(drawn, "seconds (log)", log=True),
        legend=marks.group_legend(drawn),
    )


def _times_columns(times: TimesToAccuracy) -> list[Column]:
    rows = times.rows
    best = f"x best Keras ({times.best_keras})" if times.best_keras else "x best Keras"
    return [
        Column("contender", [row.contender for row in rows], identity=True),
        Column("threads", [row.threads for row in rows], right=True),
        Column("time", [formats.time(row.seconds) for row in rows], right=True),
        Column("x NumPy", [paired_text(row.to_numpy) for row in rows], right=True),
        Column(best, [paired_text(row.to_best_keras) for row in rows], right=True),
        Column("n", [str(row.seconds.samples) for row in rows], right=True),
    ]


def _parts_chart(claim: Claim) -> Chart:
    names = [*(name for name in PARTS if name in claim.parts), *(name for name in claim.parts if name not in PARTS)]
    drawn = [
        Point(name, "part of the gap", claim.parts[name], f"{points(claim.parts[name], 2)} points", name)
        for name in names
    ]
    listed = "; ".join(f"{name} {points(claim.parts[name], 2)}" for name in names)
    return Chart(
        name="accuracy-parts",
        title="What a gap of accuracy is due to",
        sentence=f"Of {claim.gap.value:.2f} percentage points: {listed}.",
        alternative="Contribution of recipe, width and framework in percentage points with 95 % intervals.",
        spec=marks.intervals(
            drawn,
            "percentage points",
            reference=0,
            styles={"part of the gap": ("var(--scratch)", "circle")},
        ),
    )
