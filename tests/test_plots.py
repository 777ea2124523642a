"""Figures show the given data, and their texts are legible, inside the figure and do not overlap."""

from collections import Counter
from itertools import combinations, product
from unittest.mock import patch

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from nnkernels import plots
from nnkernels.accuracy.calibration import reliability
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.parameters import initial_parameters
from nnkernels.plots.confusion import confusions
from nnkernels.plots.hidden import raised_and_lowered_digits
from nnkernels.plots.lines import spread
from nnkernels.plots.saving import settle
from nnkernels.plots.style import fix_layout
from nnkernels.plots.text import percent, shortened, text_width, wrapped
from nnkernels.statistics import Estimate
from tests.processes import python

SUBTITLE = "MNIST: 50,000 training images, tested on 10,000; recipe adam, batches of 32, learning rate 0.001"
PLUGIN = "a-very-long-name-of-a-contender-that-a-plugin-brings"


# Made-up data


def history(epochs=20, seconds=0.3, seed=0, **changes):
    rng = np.random.default_rng(seed)
    fall = np.exp(-np.arange(epochs) / 6)
    table = pd.DataFrame(
        {
            "epoch": np.arange(1, epochs + 1),
            "seconds": np.full(epochs, seconds),
            "elapsed_seconds": seconds * np.arange(1, epochs + 1),
            "train_loss": 0.08 + 0.4 * fall + 0.01 * rng.random(epochs),
            "train_error_rate": 0.03 + 0.1 * fall + 0.003 * rng.random(epochs),
            "validation_loss": 0.14 + 0.35 * fall + 0.01 * rng.random(epochs),
            "validation_error_rate": 0.045 + 0.09 * fall + 0.003 * rng.random(epochs),
        }
    )
    return table.assign(**changes)


def without_validation(table):
    return table.assign(validation_loss=np.nan, validation_error_rate=np.nan)


def diverged(table, epoch):
    late = table["epoch"] >= epoch
    return table.assign(
        train_loss=table["train_loss"].mask(late, np.inf), validation_loss=table["validation_loss"].mask(late)
    )


def probabilities(images, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(10, 0.2), images)


def predicted_labels(y, wrong, seed=0):
    """Return predicted labels that differ from the true ones exactly at the indices ``wrong``."""
    predicted = np.array(y, np.int64)
    predicted[wrong] = (predicted[wrong] + np.random.default_rng(seed).integers(1, 10, len(wrong))) % 10
    return predicted


def mistakes_figure(digits, number, total_wrong=444):
    y = digits.y_test[:number]
    sure = np.random.default_rng(1).uniform(0.5, 1, number)
    return plots.mistakes(
        digits.X_test[:number],
        y,
        predicted_labels(y, np.arange(number)),
        sure,
        (1 - sure) / 2,
        total_wrong,
        10_000,
        SUBTITLE,
    )


def confusion_counts(errors, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 10, 5000)
    return pytest.importorskip("sklearn.metrics").confusion_matrix(
        y, predicted_labels(y, np.arange(errors)), labels=range(10)
    )


def claim_table(recipes=("gradient-descent", "adam"), contenders=("numba", "keras-graph")):
    rows = [
        (hidden, recipe, contender, accuracy + 0.0004 * number, accuracy - 0.001, accuracy + 0.0015)
        for (hidden, recipe), accuracy in zip(
            [(hidden, recipe) for hidden in (20, 128) for recipe in recipes], (0.913, 0.962, 0.917, 0.979), strict=True
        )
        for number, contender in enumerate(contenders)
    ]
    return pd.DataFrame(rows, columns=["hidden", "recipe", "contender", "accuracy", "ci_low", "ci_high"])


def disagreements_figure(digits, names=("numba", "keras-graph"), first=(0, 2, 4, 9), second=(1, 3, 9)):
    y = digits.y_test[:60]
    predicted = {
        names[0]: predicted_labels(y, np.array(first, int)),
        names[1]: predicted_labels(y, np.array(second, int), seed=1),
    }
    return plots.disagreements(digits.X_test[:60], y, predicted, subtitle=SUBTITLE)


def sweep_rows(names=("fused", "keras-graph"), widths=(10, 16, 20, 32, 64, 128, 256), seeds=5, judge="test"):
    """Return made-up results of a sweep, as in the table that it writes."""
    rng = np.random.default_rng(0)
    rows = []
    for name, hidden, seed in product(names, widths, range(seeds)):
        rates = 0.4 / hidden + np.array([0.05, 0.02, 0.015]) + 0.003 * rng.random(3)
        curve = {"epoch": [4, 8, 10], "error_rate": rates.tolist(), "train_error_rate": (rates / 2).tolist()}
        rows.append(
            {
                "contender": name,
                "seed": seed,
                "recipe": {"name": "adam", "hidden": hidden, "learning_rate": 0.001},
                "judge": judge,
                "data": {"name": "mnist"},
                "curve": curve,
                "error_rate": curve["error_rate"][-1],
                "train_error_rate": curve["train_error_rate"][-1],
                "seconds": 1.0,
            }
        )
    return rows


def drift(epochs, seed=0):
    rng = np.random.default_rng(seed)
    return {name: np.exp(np.cumsum(rng.random(epochs))) * 1e-7 for name in ("W1", "b1", "W2", "b2")}


def confidence_bins(networks=10, images=10_000, **kind):
    """Return the bins of networks that are surer than they are right, most of them of nearly everything."""
    rng = np.random.default_rng(0)
    confidence = 1 - 0.5 * rng.random((networks, images)) ** 12
    right = rng.random((networks, images)) < confidence - 0.1 * (confidence < 0.9)
    probs = np.stack([np.where(right, confidence, 1 - confidence), np.where(right, 1 - confidence, confidence)], axis=2)
    return reliability(probs, np.zeros(images, int), **kind).to_frame()


def estimates(values, margin=0.003):
    return [None if value is None else Estimate(value, value - margin, value + margin, 10) for value in values]


def shared_mistakes_figure(digits, number, networks=10):
    y = digits.y_test[:number]
    predicted = np.stack([predicted_labels(y, np.arange(number), seed % 3) for seed in range(networks)])
    return plots.shared_mistakes(
        digits.X_test[:number], y, predicted, np.geomspace(1e-6, 0.4, number), 10_000, SUBTITLE
    )


ERRORS_BY_DIGIT = (0.011, 0.009, 0.027, 0.024, 0.021, 0.03, 0.018, 0.025, 0.036, 0.033)

FIGURES = {
    "training": lambda digits: plots.training_curves(history(), SUBTITLE),
    "training, one epoch": lambda digits: plots.training_curves(history(1), SUBTITLE),
    "training, 300 epochs": lambda digits: plots.training_curves(history(300)),
    "training, no validation": lambda digits: plots.training_curves(without_validation(history()), SUBTITLE),
    "training, diverged": lambda digits: plots.training_curves(diverged(history(), 12), SUBTITLE),
    "training, diverged at once": lambda digits: plots.training_curves(diverged(history(), 1), SUBTITLE),
    "training, huge losses": lambda digits: plots.training_curves(history(train_loss=np.geomspace(1, 1e30, 20))),
    "curves": lambda digits: plots.comparison_curves({"numba": history(), "keras-graph": history()}, SUBTITLE),
    "curves, four": lambda digits: plots.comparison_curves(
        {name: history(seconds=s) for name, s in [("numba", 0.1), ("numpy", 0.3), ("keras-fit", 5), ("keras-graph", 1)]}
    ),
    "curves, one epoch": lambda digits: plots.comparison_curves(
        {"numba": history(1), PLUGIN: history(1, 20)}, SUBTITLE
    ),
    "curves, diverged": lambda digits: plots.comparison_curves({"numba": history(), "b": diverged(history(300), 3)}),
    "drift": lambda digits: plots.parameter_drift(range(1, 11), drift(10), SUBTITLE),
    "drift, one epoch": lambda digits: plots.parameter_drift([1], drift(1), SUBTITLE),
    "drift, all equal": lambda digits: plots.parameter_drift([1, 2], {"W1": [0, 0], "b1": [0, 0]}, SUBTITLE),
    "drift, zeros and NaN": lambda digits: plots.parameter_drift(
        [1, 2, 3], {"largest of all": [0, 1e-7, np.nan], "relative root mean square": [0, 0, 0.2]}, SUBTITLE
    ),
    "samples": lambda digits: plots.sample_predictions(
        digits.X_test[:12], probabilities(12), digits.y_test[:12], SUBTITLE
    ),
    "samples, one": lambda digits: plots.sample_predictions(digits.X_test[:1], probabilities(1), digits.y_test[:1]),
    "samples, no answer": lambda digits: plots.sample_predictions(
        digits.X_test[:8], np.full((8, 10), np.nan), digits.y_test[:8]
    ),
    "samples, none": lambda digits: plots.sample_predictions(digits.X_test[:0], probabilities(0), digits.y_test[:0]),
    "mistakes": lambda digits: mistakes_figure(digits, 28),
    "mistakes, 40": lambda digits: mistakes_figure(digits, 40),
    "mistakes, one": lambda digits: mistakes_figure(digits, 1, 1),
    "mistakes, none": lambda digits: mistakes_figure(digits, 0, 0),
    "confusion": lambda digits: plots.confusion_matrix(confusion_counts(500), SUBTITLE),
    "confusion, none": lambda digits: plots.confusion_matrix(confusion_counts(0), SUBTITLE),
    "confusion, one": lambda digits: plots.confusion_matrix(confusion_counts(1)),
    "confusion, one answer": lambda digits: plots.confusion_matrix(
        np.outer(np.full(10, 6000), np.eye(10)[3]).astype(int)
    ),
    "hidden": lambda digits: plots.hidden_units(initial_parameters(0).W1, initial_parameters(0).W2, SUBTITLE),
    "hidden, no digits": lambda digits: plots.hidden_units(initial_parameters(0).W1),
    "hidden, one": lambda digits: plots.hidden_units(*initial_parameters(0, hidden=1)[::2], SUBTITLE),
    "hidden, 40": lambda digits: plots.hidden_units(*initial_parameters(0, hidden=40)[::2], SUBTITLE),
    "hidden, 130": lambda digits: plots.hidden_units(*initial_parameters(0, hidden=130)[::2], SUBTITLE),
    "disagreements": disagreements_figure,
    "disagreements, long name": lambda digits: disagreements_figure(digits, (PLUGIN, "numba"), range(0, 40, 2), [1]),
    "disagreements, one side": lambda digits: disagreements_figure(digits, first=(4, 5), second=()),
    "disagreements, none": lambda digits: disagreements_figure(digits, first=(4, 5), second=(4, 5)),
    "reliability": lambda digits: plots.reliability_diagram(confidence_bins(), SUBTITLE),
    "reliability, equal mass": lambda digits: plots.reliability_diagram(confidence_bins(by="mass")),
    "reliability, one answer": lambda digits: plots.reliability_diagram(confidence_bins(1, 1)),
    "class errors": lambda digits: plots.class_errors(
        estimates(ERRORS_BY_DIGIT), Estimate(0.0235, 0.023, 0.024, 10), SUBTITLE
    ),
    "class errors, few images": lambda digits: plots.class_errors(
        estimates([0.0, 1.0, None], np.nan), Estimate(0.5, np.nan, np.nan, 1), class_names=["aleph", "bet", "gimel"]
    ),
    "class errors, letters": lambda digits: plots.class_errors(
        estimates(np.linspace(0.01, 0.2, 26)), Estimate(0.1, 0.1, 0.1, 3), SUBTITLE, [f"letter {n}" for n in range(26)]
    ),
    "shared mistakes": lambda digits: shared_mistakes_figure(digits, 48),
    "shared mistakes, one": lambda digits: shared_mistakes_figure(digits, 1, 1),
    "shared mistakes, none": lambda digits: shared_mistakes_figure(digits, 0, 2),
    "claim": lambda digits: plots.claim_table_figure(claim_table(), SUBTITLE, {"from scratch": 0.913, "Keras": 0.979}),
    "claim, no intervals": lambda digits: plots.claim_table_figure(
        claim_table().assign(ci_low=np.nan, ci_high=np.nan)[:-1]
    ),
    "widths": lambda digits: plots.accuracy_by_width(sweep_rows(), references={"a write-up's Keras": 0.979}),
    "widths, one contender": lambda digits: plots.accuracy_by_width(sweep_rows(["fused"]), SUBTITLE),
    "widths, one seed": lambda digits: plots.accuracy_by_width(sweep_rows(["fused"], widths=[20], seeds=1)),
    "widths, many": lambda digits: plots.accuracy_by_width(
        sweep_rows([*"abcdefghi", PLUGIN], widths=(*range(20, 30), 1000), seeds=2)
    ),
    "sweep": lambda digits: plots.sweep_curves(sweep_rows(["fused"])),
    "sweep, many": lambda digits: plots.sweep_curves(sweep_rows([PLUGIN, "fused"]), SUBTITLE),
    "sweep, one": lambda digits: plots.sweep_curves(sweep_rows(["fused"], widths=[20], seeds=1)),
    "reading": lambda digits: plots.digit_reading(
        np.full((300, 200, 3), 200, np.uint8), digits.X_test[0], probabilities(1)[0], subtitle="IMG_20240203_112233.jpg"
    ),
    "reading, wide": lambda digits: plots.digit_reading(
        np.full((90, 400), 0.5), digits.X_test[0] / 255, np.full(10, np.nan), title="photo.png: no answer"
    ),
}


def drawn_texts(figure):
    """Return the visible texts of a figure, without computing a layout."""
    fix_layout(figure)
    drawn, draw = [], Text.draw

    def draw_and_note(text, renderer, *arguments):
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        return draw(text, renderer, *arguments)

    with patch.object(Text, "draw", draw_and_note):
        figure.draw_without_rendering()
    return drawn


def texts(figure):
    return [text.get_text() for text in drawn_texts(figure)]


def heading(figure):
    return " ".join(text.get_text() for text in figure.texts)


def lines_of(axes):
    """Return the labelled curves of axes, by label."""
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


# All figures


# Of these figures, minor variants of other ones. They are tested only with `-m slow`.
MINOR_VARIANTS = (
    "training, 300 epochs",
    "training, no validation",
    "training, diverged at once",
    "curves, four",
    "curves, one epoch",
    "drift, one epoch",
    "drift, all equal",
    "samples, one",
    "samples, no answer",
    "samples, none",
    "mistakes",
    "mistakes, none",
    "mistakes, one",
    "confusion, none",
    "confusion, one",
    "hidden, no digits",
    "hidden, 40",
    "disagreements, one side",
    "disagreements, none",
    "claim, no intervals",
    "widths, one contender",
    "widths, one seed",
    "sweep",
    "sweep, one",
    "reliability, equal mass",
    "class errors, few images",
    "shared mistakes, one",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in MINOR_VARIANTS else name for name in FIGURES]
)
def test_texts_are_inside_figure_without_overlap_and_large_enough(name, digits):
    figure = FIGURES[name](digits)
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches()
    assert width == 10
    assert height < 9.2
    settle(figure, figure.dpi)
    drawn = [(text, text.get_window_extent()) for text in drawn_texts(figure)]
    assert drawn
    for text, box in drawn:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} extends beyond the figure: {box}"
        assert text.get_size() >= 10, text.get_text()
    for (left, left_box), (right, right_box) in combinations(drawn, 2):
        apart = (
            left_box.x1 <= right_box.x0 + 1
            or right_box.x1 <= left_box.x0 + 1
            or left_box.y1 <= right_box.y0 + 1
            or right_box.y1 <= left_box.y0 + 1
        )
        assert apart, f"{left.get_text()!r} overlaps {right.get_text()!r}"


@pytest.mark.parametrize(
    "name", ["training", "curves", "drift", "confusion", "claim", "widths", "sweep", "reading", "hidden", "mistakes"]
)
def test_figures_are_dark_on_white_under_dark_style(name, digits):
    with matplotlib.style.context("dark_background"):
        figure = FIGURES[name](digits)
        drawn = drawn_texts(figure)
        assert to_rgb(figure.get_facecolor()) == (1, 1, 1)
        for axes in figure.axes:
            assert to_rgb(axes.get_facecolor()) == (1, 1, 1) or not axes.axison
        for text in drawn:
            assert max(to_rgb(text.get_color())) < 0.75, text.get_text()


def test_figures_do_not_change_state_of_matplotlib(digits):
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    FIGURES["curves"](digits)
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_importing_plots_loads_neither_matplotlib_nor_pandas():
    code = "import sys, nnkernels.plots; sys.exit('matplotlib' in sys.modules or 'pandas' in sys.modules)"
    python("-c", code)


def test_dollars_in_names_are_not_parsed_as_mathematics():
    figure = plots.comparison_curves({"a$\\x$": history(), "b": history()}, "costs $5 or $6")
    drawn_texts(figure)  # mathtext would fail on \x
    assert heading(figure).endswith(r"costs \$5 or \$6")


# Training curves


def test_training_curves_show_values_of_history():
    table = history()
    figure = plots.training_curves(table, SUBTITLE)
    accuracy, loss = (lines_of(axes) for axes in figure.axes)
    shown = texts(figure)
    for part in ("train", "validation"):
        for line, expected in (
            (accuracy[part], [100 - 100 * error for error in table[f"{part}_error_rate"]]),
            (loss[part], table[f"{part}_loss"]),
        ):
            np.testing.assert_array_equal(line.get_xdata(), table["epoch"])
            np.testing.assert_allclose(line.get_ydata(), expected)
        assert any(f"{100 - 100 * table[f'{part}_error_rate'].iloc[-1]:.1f} %" in text for text in shown)
    assert accuracy["train"].get_linestyle() == "-"
    assert accuracy["validation"].is_dashed()
    assert accuracy["train"].get_color() != accuracy["validation"].get_color()
    assert SUBTITLE in heading(figure)


@pytest.mark.parametrize("epochs", [1, 5, 300])
def test_axis_limits_include_all_points(epochs):
    for axes in plots.training_curves(history(epochs)).axes:
        for line in lines_of(axes).values():
            for limits, values in ((axes.get_xlim(), line.get_xdata()), (axes.get_ylim(), line.get_ydata())):
                assert limits[0] <= min(values) <= max(values) <= limits[1]


def test_accuracy_axis_stays_within_0_and_100_percent():
    perfect = history(train_error_rate=0.0, validation_error_rate=0.0)
    assert plots.training_curves(perfect).axes[0].get_ylim()[1] == 100
    hopeless = history(train_error_rate=1.0, validation_error_rate=1.0)
    assert plots.training_curves(hopeless).axes[0].get_ylim()[0] == 0


def test_isolated_point_has_marker_even_in_long_training():
    line = lines_of(plots.training_curves(diverged(history(300), 2)).axes[1])["train"]
    assert line.get_marker() == "o"
    assert line.get_markevery() == [0]


def test_training_curves_without_training_values_show_only_validation():
    table = history(train_loss=np.nan, train_error_rate=np.nan)
    figure = plots.training_curves(table)
    assert list(lines_of(figure.axes[0])) == ["validation"]
    assert not any("Diverged" in text for text in texts(figure))
    with pytest.raises(DataError, match="train with validation images"):
        plots.training_curves(without_validation(table))


def test_training_curves_without_validation_show_only_training():
    for table in (without_validation(history()), history().drop(columns=["validation_loss", "validation_error_rate"])):
        figure = plots.training_curves(table)
        assert [list(lines_of(axes)) for axes in figure.axes] == [["train"], ["train"]]
        assert not any("validation" in text for text in texts(figure))


def test_diverged_training_has_gap_and_note():
    table = diverged(history(), 12)
    figure = plots.training_curves(table)
    gap = np.isnan(lines_of(figure.axes[1])["train"].get_ydata())
    np.testing.assert_array_equal(gap, table["epoch"] >= 12)
    assert "from epoch 12 on" in heading(figure)
    assert "iverged" not in heading(plots.training_curves(history()))


def test_losses_of_many_magnitudes_have_logarithmic_axis():
    assert plots.training_curves(history(train_loss=np.geomspace(1, 1e9, 20))).axes[1].get_yscale() == "log"
    assert plots.training_curves(history()).axes[1].get_yscale() == "linear"


@pytest.mark.parametrize(
    ("table", "message"),
    [(history()[:0], "no epoch"), (history().drop(columns="train_loss"), "no column train_loss")],
)
def test_history_without_epochs_or_required_column_is_rejected(table, message):
    with pytest.raises(DataError, match=message):
        plots.training_curves(table)
    with pytest.raises(DataError, match=message):
        plots.comparison_curves({"numba": table})


# Comparison curves and parameter drift


def test_comparison_curves_show_values_of_histories():
    tables = {"numba": history(seed=1), "keras-fit": history(seed=2, seconds=2)}
    figure = plots.comparison_curves(tables, SUBTITLE)
    panels = np.array(figure.axes).reshape(2, 2)
    for name, table in tables.items():
        for column, times in enumerate(("epoch", "elapsed_seconds")):
            for row, expected in enumerate((100 - 100 * table["validation_error_rate"], table["validation_loss"])):
                line = lines_of(panels[row, column])[name]
                np.testing.assert_array_equal(line.get_xdata(), table[times])
                np.testing.assert_allclose(line.get_ydata(), expected)
        error, seconds = table["validation_error_rate"].iloc[-1], table["elapsed_seconds"].iloc[-1]
        assert f"{name}: {100 - 100 * error:.1f} % after {seconds:.3g} s" in texts(figure)


def test_equal_curves_stay_visible():
    figure = plots.comparison_curves({"first": history(), "second": history(), "third": history()})
    for axes in figure.axes:
        first, second, third = lines_of(axes).values()
        assert first.get_linewidth() > second.get_linewidth()
        assert (first.is_dashed(), second.is_dashed(), third.is_dashed()) == (False, True, True)
        assert len({line.get_color() for line in (first, second, third)}) == 3
        assert len({line.get_marker() for line in (first, second, third)}) == 3
        assert first.get_zorder() <= second.get_zorder() <= third.get_zorder()


@pytest.mark.parametrize(("seconds", "scale"), [(0.2, "linear"), (3.5, "log")])
def test_time_axis_is_logarithmic_if_times_differ_more_than_tenfold(seconds, scale):
    figure = plots.comparison_curves({"numba": history(seconds=0.3), "keras-fit": history(seconds=seconds)})
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", scale, "linear", scale]


def test_comparison_shows_training_accuracy_if_one_history_lacks_validation():
    tables = {"numba": history(), "numpy": without_validation(history(seed=3))}
    figure = plots.comparison_curves(tables)
    for name, table in tables.items():
        np.testing.assert_allclose(lines_of(figure.axes[0])[name].get_ydata(), 100 - 100 * table["train_error_rate"])
    assert "training accuracy\nin percent" in texts(figure)


def test_comparison_without_histories_or_times_is_rejected():
    with pytest.raises(DataError, match="no history"):
        plots.comparison_curves({})
    with pytest.raises(DataError, match="numba has no column elapsed_seconds"):
        plots.comparison_curves({"numba": history().drop(columns="elapsed_seconds")})


def test_drift_shows_distances_and_zeros_below_them():
    given_drift = {"W1": [0, 2e-7, 4e-6], "b1": [0, 0, np.nan]}
    figure = plots.parameter_drift([1, 2, 3], given_drift, "numba against numpy")
    (axes,) = figure.axes
    curves = {name: line.get_ydata() for name, line in lines_of(axes).items()}
    assert axes.get_yscale() == "log"
    np.testing.assert_array_equal(curves["W1"][1:], [2e-7, 4e-6])
    zero = curves["W1"][0]
    np.testing.assert_array_equal(curves["b1"], [zero, zero, np.nan])
    assert axes.get_ylim()[0] < zero < 1e-7
    labels = {place: label.get_text() for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)}
    assert labels[zero] == "0, equal"
    assert {labels[place] for place in labels if place != zero} == {"$10^{-7}$", "$10^{-6}$", "$10^{-5}$"}
    for place, label in labels.items():
        assert place == zero or float(label.replace("$10^{", "1e").replace("}$", "")) == pytest.approx(place)
    assert "Not drawn where not finite: b1" in heading(figure)


def test_drift_of_equal_parameters_has_note():
    figure = plots.parameter_drift([1, 2], {"W1": [0, 0]})
    assert "Equal to the last bit" in heading(figure)
    assert "Equal" not in heading(plots.parameter_drift([1, 2], {"W1": [0, 1e-9]}))
    assert "Equal" not in heading(plots.parameter_drift([1, 2], {"W1": [0, np.nan]}))


@pytest.mark.parametrize(
    ("distances", "message"),
    [({}, "no distance"), ({"W1": [1.0]}, "W1 have shape"), ({"W1": [1.0, -1.0]}, "W1 is negative")],
)
def test_drift_rejects_missing_or_invalid_distances(distances, message):
    with pytest.raises(DataError, match=message):
        plots.parameter_drift([1, 2], distances)


# Digits


def test_samples_show_images_probabilities_and_verdicts(digits):
    probs, y = probabilities(12), digits.y_test[:12]
    figure = plots.sample_predictions(digits.X_test[:12], probs, y)
    (axes,) = figure.axes
    for image, pixels in zip(axes.images, digits.X_test, strict=False):
        np.testing.assert_array_equal(image.get_array(), pixels.reshape(28, 28))
    whole, shares = axes.containers[::2], axes.containers[1::2]
    heights = [
        [bar.get_height() / full.get_height() for bar, full in zip(digit_bars, full_bars, strict=True)]
        for digit_bars, full_bars in zip(shares, whole, strict=True)
    ]
    np.testing.assert_allclose(heights, probs, atol=1e-12)
    predicted = [max(range(10), key=row.__getitem__) for row in probs.tolist()]
    shown = texts(figure)
    expected = [f"says {c}: {100 * row[c]:.1f} %" for c, row in zip(predicted, probs, strict=True)]
    assert Counter(text for text in shown if text.startswith("says")) == Counter(expected)
    verdicts = [f"{'✓' if c == label else '✗'} true {label}" for c, label in zip(predicted, y, strict=True)]
    assert Counter(text for text in shown if "true " in text and len(text) == 8) == Counter(verdicts)
    boxed = [text.get_text() for text in axes.texts if text.get_bbox_patch() is not None]
    assert boxed == [str(label) for label in y]


def test_pixels_and_features_look_the_same(digits):
    probs, y = probabilities(2), digits.y_test[:2]
    shown = []
    for X in (digits.X_test[:2], digits.X_test[:2] / 255):
        images = plots.sample_predictions(X, probs, y).axes[0].images
        shown.append([image.to_rgba(image.get_array(), bytes=True) for image in images])
    np.testing.assert_array_equal(shown[0], shown[1])


def test_right_and_wrong_samples_differ_in_colour(digits):
    probs = np.eye(10)[[digits.y_test[0], (digits.y_test[0] + 1) % 10]]
    figure = plots.sample_predictions(digits.X_test[[0, 0]], probs, digits.y_test[[0, 0]])
    says = [text.get_color() for text in figure.axes[0].texts if text.get_text().startswith("says")]
    assert says[0] != says[1]


def test_nan_probabilities_are_shown_as_no_answer(digits):
    figure = plots.sample_predictions(digits.X_test[:2], np.full((2, 10), np.nan), digits.y_test[:2])
    assert texts(figure).count("no answer (NaN)") == 2


def test_mistakes_are_sorted_worst_first(digits):
    y = digits.y_test[:20]
    predicted = predicted_labels(y, np.arange(20))
    sure = np.random.default_rng(0).permutation(np.linspace(0.3, 0.99, 20))
    left = (1 - sure) / 3
    figure = plots.mistakes(digits.X_test[:20], y, predicted, sure, left, 431, 10_000)
    (axes,) = figure.axes
    order = sorted(range(20), key=lambda index: -sure[index])
    shown = [text.get_text() for text in axes.texts]
    assert shown[::2] == [f"{y[index]} read as {predicted[index]}" for index in order]
    assert shown[1::2] == [f"{100 * sure[index]:.1f} / {100 * left[index]:.1f} %" for index in order]
    for image, index in zip(axes.images, order, strict=True):
        np.testing.assert_array_equal(image.get_array().ravel(), digits.X_test[index])
    assert "431 of 10,000 digits misclassified (4.3 %): the worst 20" in heading(figure)


def test_figure_without_mistakes_has_note(digits):
    assert "None: all 256 digits are recognised." in texts(
        plots.mistakes(digits.X_test[:0], *np.zeros((4, 0)), total_wrong=0, total=256)
    )


def test_correct_predictions_are_rejected_as_mistakes(digits):
    y = digits.y_test[:3]
    with pytest.raises(DataError, match="correctly classified"):
        plots.mistakes(digits.X_test[:3], y, predicted_labels(y, np.array([0, 1])), np.ones(3), np.zeros(3), 3, 10)


def test_disagreements_are_digits_that_exactly_one_contender_gets_wrong(digits):
    y = digits.y_test[:50]
    predicted = {
        "numba": predicted_labels(y, np.array([1, 5, 30])),
        "keras-fit": predicted_labels(y, np.array([5, 8]), seed=2),
    }
    figure = plots.disagreements(digits.X_test[:50], y, predicted)
    (axes,) = figure.axes
    for image, index in zip(axes.images, (1, 30, 8), strict=True):
        np.testing.assert_array_equal(image.get_array().ravel(), digits.X_test[index])
    labelled = [text.get_text() for text in axes.texts if ":" in text.get_text()]
    assert labelled == [
        f"{'✓' if labels[index] == y[index] else '✗'} {name}: {labels[index]}"
        for index in (1, 30, 8)
        for name, labels in predicted.items()
    ]
    assert "Of 50 digits, only numba errs on 2, only keras-fit errs on 1; both err on 1." in heading(figure)


def test_only_first_disagreements_are_shown_if_many(digits):
    y = digits.y_test[:60]
    predicted = {"numba": predicted_labels(y, np.arange(50)), "numpy": y}
    figure = plots.disagreements(digits.X_test[:60], y, predicted, counts="fifty", most=7)
    assert len(figure.axes[0].images) == 7
    assert "fifty" in heading(figure)
    assert "Only numba errs, the first 7" in texts(figure)


def test_disagreements_of_three_contenders_are_rejected(digits):
    with pytest.raises(DataError, match="3 are given"):
        plots.disagreements(digits.X_test[:1], digits.y_test[:1], dict.fromkeys("abc", digits.y_test[:1]))


@pytest.mark.parametrize(
    "draw", [plots.sample_predictions, lambda X, probs, y: plots.disagreements(X, y, {"a": y, "b": probs})]
)
def test_arrays_of_different_lengths_are_rejected(draw, digits):
    with pytest.raises(DataError, match="differ in length"):
        draw(digits.X_test[:3], probabilities(3), digits.y_test[:2])


def test_non_square_images_are_rejected(digits):
    with pytest.raises(DataError, match="783 pixels"):
        plots.sample_predictions(digits.X_test[:1, 1:], probabilities(1), digits.y_test[:1])


def test_digit_reading_shows_picture_pixels_and_probabilities(digits):
    probs = np.array([0, 0.02, 0, 0.9, 0, 0, 0.08, 0, 0, 0])
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    figure = plots.digit_reading(picture, digits.X_test[0], probs)
    photo, pixels, bars = figure.axes
    np.testing.assert_array_equal(photo.images[0].get_array(), picture)
    np.testing.assert_array_equal(pixels.images[0].get_array(), digits.X_test[0].reshape(28, 28))
    np.testing.assert_allclose([bar.get_width() for bar in bars.containers[1]], 100 * probs)
    shown = texts(figure)
    assert "predicted 3: 90.0 %" in shown
    assert {"90.0 %", "8.0 %", "2.0 %"} <= set(shown)


# The confusion matrix


def test_confusion_matrix_shows_counts_of_scikit_learn():
    counts = confusion_counts(500)
    matrix, ranking = plots.confusion_matrix(counts).axes
    written = np.zeros((10, 10), int)
    for text in matrix.texts:
        column, row = text.get_position()
        if text.get_text().isdigit():
            written[row, column] = int(text.get_text())
    np.testing.assert_array_equal(written, counts)
    (image,) = matrix.images
    np.testing.assert_array_equal(image.get_array().mask, np.eye(10, dtype=bool))
    off_diagonal = counts[~np.eye(10, dtype=bool)]
    assert image.get_clim() == (0, off_diagonal.max())
    recognised = [text.get_text() for text in matrix.texts if text.get_text().endswith("%")]
    assert recognised == [f"{100 * counts[c, c] / counts[c].sum():.1f} %" for c in range(10)]
    assert ranking.texts[0].get_text() == f"{off_diagonal.max()} times"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=60))
def test_confusions_are_ranked_by_count(pairs):
    counts = np.zeros((5, 5), np.int64)
    for true, predicted in pairs:
        counts[true, predicted] += 1
    counter = Counter(pair for pair in pairs if pair[0] != pair[1])
    expected = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    assert [((pair.true, pair.predicted), pair.times) for pair in confusions(counts)] == expected


def test_confusion_matrix_without_errors_has_note():
    figure = plots.confusion_matrix(np.diag(np.arange(1, 11)))
    assert "No image is\nmisclassified." in texts(figure)
    assert "0 errors in 55 (0 %)" in heading(figure)


@pytest.mark.parametrize(
    "counts", [np.zeros((2, 3), int), np.zeros(4, int), np.full((2, 2), 0.5), -np.eye(3, dtype=int)]
)
def test_invalid_confusion_matrix_is_rejected(counts):
    with pytest.raises(DataError, match="confusion matrix"):
        plots.confusion_matrix(counts)


# Hidden units


def test_hidden_units_show_weights_on_common_symmetric_scale():
    W1 = np.random.default_rng(0).normal(size=(784, 20))
    figure = plots.hidden_units(W1)
    images = figure.axes[0].images
    assert len(images) == 20
    for image, weights in zip(images, W1.T, strict=True):
        np.testing.assert_array_equal(image.get_array(), weights.reshape(28, 28))
    limits = {image.get_clim() for image in images}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high
    assert 0 < high <= np.abs(W1).max()


def test_only_strongest_units_of_wide_layer_are_shown():
    W1 = np.random.default_rng(0).normal(size=(784, 200)) * np.linspace(0.1, 1, 200)
    W2 = np.ones((200, 10))
    figure = plots.hidden_units(W1, W2)
    assert len(figure.axes[0].images) == 128
    np.testing.assert_array_equal(figure.axes[0].images[-1].get_array().ravel(), W1[:, 199])
    assert "the 128 strongest" in heading(figure)


def test_digits_of_unit_are_those_with_strongest_weights():
    assert raised_and_lowered_digits([0, 0, 0, 4, 0, 3, 0, -5, 0, 0]) == ([3, 5], [7])
    assert raised_and_lowered_digits([0, 9, 0, 0, 0, 0, 0, 0, 0, 0]) == ([1], [])
    assert raised_and_lowered_digits([2.0] * 10) == ([], [])
    assert raised_and_lowered_digits([np.nan] * 10) == ([], [])


@given(st.lists(st.integers(-100, 100), min_size=10, max_size=10), st.integers(-1000, 1000))
def test_digits_of_unit_ignore_number_added_to_all_weights(weights, shift):
    # Softmax ignores a number added to all weights of a unit. Multiples of 160 make the mean exact in float64.
    weights = np.array(weights, np.float64) * 16 * 10
    assert raised_and_lowered_digits(weights) == raised_and_lowered_digits(weights + shift * 16 * 10)


def test_hidden_units_are_labelled_with_digits(digits):
    W1, W2 = np.ones((784, 2)), np.zeros((2, 10))
    W2[0, [3, 5, 7]] = 4, 3, -5
    W2[1, 1] = 9
    shown = texts(plots.hidden_units(W1, W2))
    assert {"for 3 5", "against 7", "for 1", "against none"} <= set(shown)


def test_mismatched_layers_are_rejected():
    with pytest.raises(DataError, match="W1 has 4 hidden units, W2 5"):
        plots.hidden_units(np.zeros((784, 4)), np.zeros((5, 10)))


def test_nan_weights_are_drawn():
    params = initial_parameters(0)
    drawn_texts(plots.hidden_units(np.full_like(params.W1, np.nan), np.full_like(params.W2, np.nan)))


# The claim


@pytest.mark.parametrize("seeds", [1, 5])
def test_widths_show_means_and_students_intervals(seeds):
    rows = sweep_rows(seeds=seeds)
    figure = plots.accuracy_by_width(rows, references={"a write-up's Keras": 0.979})
    (axes,) = figure.axes
    curves = lines_of(axes)
    assert list(curves) == [f"{name}, {part}" for name in ("fused", "keras-graph") for part in ("test", "training")]
    widths = [10, 16, 20, 32, 64, 128, 256]
    bars = [np.array(bar.get_segments()) for bar in axes.collections]
    for (label, line), drawn in zip(curves.items(), bars, strict=True):
        name, part = label.split(", ")
        column = "error_rate" if part == "test" else "train_error_rate"
        samples = np.array(
            [
                [
                    100 - 100 * row[column]
                    for row in rows
                    if (row["contender"], row["recipe"]["hidden"]) == (name, width)
                ]
                for width in widths
            ]
        )
        np.testing.assert_allclose(line.get_xdata(), widths, rtol=0.03)
        np.testing.assert_allclose(line.get_ydata(), samples.mean(axis=1))
        if seeds > 1:
            expected = stats.t.interval(0.95, seeds - 1, samples.mean(axis=1), stats.sem(samples, axis=1))
            np.testing.assert_allclose(drawn[:, :, 1].T, expected)
        else:
            assert drawn.size == 0
        assert (line.get_linestyle() == "-") == (part == "test")
    assert axes.get_xscale() == "log"
    assert [text for text in texts(figure) if text.isdigit() and int(text) in widths] == [
        str(width) for width in widths
    ]
    assert "a write-up's Keras: 97.9 %" in texts(figure)
    said = "means of 5 seeds with 95 % intervals" if seeds > 1 else "one seed"
    assert heading(figure).endswith(f"mnist, adam; {said}")


def test_sweep_curves_show_means_and_students_intervals_by_epoch():
    rows = sweep_rows(["fused"], widths=[10, 20])
    figure = plots.sweep_curves(rows)
    for axes, column in zip(figure.axes, ("train_error_rate", "error_rate"), strict=True):
        assert list(lines_of(axes)) == ["width 10", "width 20"]
        for (label, line), band in zip(lines_of(axes).items(), axes.collections, strict=True):
            samples = np.array([row["curve"][column] for row in rows if f"width {row['recipe']['hidden']}" == label])
            means = 100 - 100 * samples.mean(axis=0)
            np.testing.assert_array_equal(line.get_xdata(), [4, 8, 10])
            np.testing.assert_allclose(line.get_ydata(), means)
            expected = stats.t.interval(0.95, 4, means, 100 * stats.sem(samples))
            edges = band.get_paths()[0].vertices
            for epoch, low, high in zip((4, 8, 10), *expected, strict=True):
                heights = edges[edges[:, 0] == epoch, 1]
                np.testing.assert_allclose((heights.min(), heights.max()), (low, high))
    assert len({line.get_color() for line in lines_of(axes).values()}) == 2


def test_curve_of_trainings_that_stopped_early_ends_with_the_first_of_them():
    first, second = sweep_rows(["fused"], widths=[20], seeds=2)
    second["curve"] = {name: values[:2] for name, values in second["curve"].items()}
    line = lines_of(plots.sweep_curves([first, second]).axes[1])["adam"]
    np.testing.assert_array_equal(line.get_xdata(), [4, 8])
    expected = np.mean([first["curve"]["error_rate"][:2], second["curve"]["error_rate"]], axis=0)
    np.testing.assert_allclose(line.get_ydata(), 100 - 100 * expected)


@pytest.mark.parametrize("draw", [plots.accuracy_by_width, plots.sweep_curves])
def test_only_the_best_of_many_combinations_are_drawn(draw):
    rows = [
        row | {"error_rate": 0.01 + 0.01 * "zyxabcdefg".index(row["contender"])} for row in sweep_rows("abcdefgxyz")
    ]
    rows = [row for row in rows if row["recipe"]["hidden"] == 20]
    figure = draw(rows)
    assert {label[0] for label in lines_of(figure.axes[0])} == set("abcdexyz")
    assert heading(figure).endswith("; the best 8 of 10 combinations")


@pytest.mark.parametrize("draw", [plots.accuracy_by_width, plots.sweep_curves])
def test_sweeps_without_results_or_with_two_judges_are_rejected(draw):
    with pytest.raises(DataError, match="no results"):
        draw([])
    with pytest.raises(DataError, match="judged by test and validation images"):
        draw(sweep_rows() + sweep_rows(judge="validation"))


def test_claim_shows_accuracies_and_intervals():
    table = claim_table()
    figure = plots.claim_table_figure(table, SUBTITLE, {"Keras": 0.979})
    (axes,) = figure.axes
    points = [line for line in axes.lines if line.get_label() in ("numba", "keras-graph")]
    assert sorted(100 * table["accuracy"]) == pytest.approx(sorted(line.get_xdata()[0] for line in points))
    bars = [line for line in axes.lines if line.get_linestyle() == "-" and len(set(line.get_ydata())) == 1]
    intervals = [tuple(line.get_xdata()) for line in bars if len(line.get_xdata()) == 2 and max(line.get_xdata()) > 1]
    expected = [(100 * low, 100 * high) for low, high in zip(table["ci_low"], table["ci_high"], strict=True)]
    assert np.array(intervals) == pytest.approx(np.array(expected))
    places = {line.get_ydata()[0] for line in points}
    assert len(places) == 8
    for name in ("numba", "keras-graph"):
        looks = {(line.get_color(), line.get_marker()) for line in points if line.get_label() == name}
        assert len(looks) == 1
    assert len({line.get_color() for line in points}) == len({line.get_marker() for line in points}) == 2
    shown = texts(figure)
    for row in table.itertuples():
        assert f"{row.contender}  {100 * row.accuracy:.1f} % [{100 * row.ci_low:.1f}, {100 * row.ci_high:.1f}]" in shown
    assert "Keras: 97.9 %" in shown


def test_claim_without_intervals_shows_none():
    assert not any("[" in text for text in texts(plots.claim_table_figure(claim_table().assign(ci_low=np.nan))))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (claim_table().drop(columns="ci_low"), "no column ci_low"),
        (claim_table()[:0], "empty"),
        (pd.concat([claim_table(), claim_table()[:1]]), "twice"),
        (claim_table(contenders=("a", "b", "c")), "has 3"),
    ],
)
def test_invalid_claim_table_is_rejected(table, message):
    with pytest.raises(DataError, match=message):
        plots.claim_table_figure(table)


# Formatting of text and numbers


@given(st.floats(0, 1))
@example(1e-9)
@example(0.0005)
@example(0.00051)
@example(0.9994)
@example(0.9995)
@example(0.9996)
@example(1 - 1e-9)
def test_percent_shows_0_or_100_only_if_exact(fraction):
    text = percent(fraction)
    assert (text == "0 %") == (fraction == 0)
    assert (text == "100 %") == (fraction == 1)
    if text[0] in "<>":
        assert fraction < 0.001 or fraction > 0.999
    else:
        assert float(text.removesuffix(" %")) == pytest.approx(100 * fraction, abs=0.0501)
        assert text not in ("0.0 %", "100.0 %")


@given(st.text(st.sampled_from("ab W.,$"), max_size=120), st.floats(0.5, 5))
def test_wrapped_lines_contain_all_words_and_fit_width(text, width):
    lines = wrapped(text, 12, width)
    assert " ".join(lines).split() == text.split()
    for line in lines:
        assert text_width(line, 12) <= width or " " not in line


def test_shortened_names_fit():
    assert shortened("numba", 10, 2) == "numba"
    name = shortened(PLUGIN, 10, 2)
    assert name.endswith("…")
    assert PLUGIN.startswith(name[:-1])
    assert 1.5 < text_width(name, 10) <= 2


@given(st.lists(st.floats(0, 100), max_size=8).map(sorted), st.floats(1, 10))
def test_labels_are_spread_apart_within_the_limits(places, apart):
    moved = spread(places, apart, 0, 100)
    assert len(moved) == len(places)
    gaps = np.diff(moved)
    assert (gaps >= apart - 1e-9).all()
    assert all(-1e-9 <= place <= 100 + 1e-9 for place in moved)
    if (np.diff(places) >= apart + 1e-9).all():
        assert moved == pytest.approx(places)


# Calibration and errors of several networks


def test_reliability_diagram_shows_the_bins():
    bins = confidence_bins()
    upper, lower = plots.reliability_diagram(bins, SUBTITLE).axes
    filled = bins[bins["count"] > 0]
    assert 0 < len(filled) < len(bins)
    heights = [[bar.get_height() for bar in container] for container in upper.containers[:2]]
    np.testing.assert_allclose(heights[0], 100 * filled["accuracy"])
    np.testing.assert_allclose(heights[1], 100 * (filled["confidence"] - filled["accuracy"]))
    points, _, (bars,) = upper.containers[2]
    np.testing.assert_allclose(points.get_xdata(), 100 * filled["confidence"])
    np.testing.assert_allclose(points.get_ydata(), 100 * filled["accuracy"])
    ends = np.array([path[:, 1] for path in bars.get_segments()])
    np.testing.assert_allclose(ends, 100 * filled[["low", "high"]])
    np.testing.assert_allclose([bar.get_height() for bar in lower.containers[0]], filled["count"])
    (diagonal,) = [line for line in upper.lines if line.get_label() == "calibrated"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())


def test_reliability_diagram_without_bins_is_rejected():
    with pytest.raises(DataError, match="no column low"):
        plots.reliability_diagram(confidence_bins().drop(columns="low"))
    with pytest.raises(DataError, match="no answers"):
        plots.reliability_diagram(confidence_bins().assign(count=0))


def test_class_errors_are_bars_with_intervals_beside_the_overall_error():
    errors = [Estimate(0.01, 0.008, 0.012, 10), None, Estimate(0.03, np.nan, np.nan, 1)]
    figure = plots.class_errors(errors, Estimate(0.02, 0.019, 0.021, 10), SUBTITLE)
    (axes,) = figure.axes
    bars = axes.containers[0]
    drawn = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in bars]
    np.testing.assert_allclose(drawn, [(0, 1), (2, 3)], atol=1e-12)
    (segments,) = axes.containers[1][2]
    np.testing.assert_allclose([path[:, 1] for path in segments.get_segments()], [[0.8, 1.2], [3, 3]])
    assert {"1.0", "3.0", "all: 2.0 %"} <= set(texts(figure))


def test_shared_mistakes_name_label_majority_and_probability(digits):
    y = np.array([4, 7])
    predicted = np.array([[9, 1], [9, 2], [9, 2]])
    figure = plots.shared_mistakes(digits.X_test[:2], y, predicted, np.array([0.00004, 0.25]), 10_000, SUBTITLE)
    shown = texts(figure)
    assert shown[:4] == ["4 read as 9", "all: <0.1 %", "7 read as 2", "2 of 3: 25.0 %"]
    assert "2 of 10,000 digits that all 3 networks misclassify" in heading(figure)
    np.testing.assert_array_equal(figure.axes[0].images[1].get_array().ravel(), digits.X_test[1])
    with pytest.raises(DataError, match="correctly"):
        plots.shared_mistakes(digits.X_test[:2], y, np.array([[9, 7]]), np.array([0.1, 0.2]), 10_000)
    with pytest.raises(DataError, match="differ in length"):
        plots.shared_mistakes(digits.X_test[:3], y, predicted, np.array([0.1, 0.2]), 10_000)


# Files


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("training", ".png"),
        ("curves", ".svg"),
        pytest.param("confusion", ".png", marks=pytest.mark.slow),
        pytest.param("hidden", ".svg", marks=pytest.mark.slow),
    ],
)
def test_the_same_figure_gives_the_same_bytes(name, suffix, digits, tmp_path):
    first, again = FIGURES[name](digits), FIGURES[name](digits)
    paths = [tmp_path / f"{number}{suffix}" for number in range(3)]
    for figure, path in zip((first, again, first), paths, strict=True):
        plots.save_figure(figure, path, dpi=60)
    contents = [path.read_bytes() for path in paths]
    assert contents[0] == contents[1] == contents[2]
    assert sorted(tmp_path.iterdir()) == paths


def test_png_has_requested_size(tmp_path):
    from matplotlib.image import imread

    figure = plots.training_curves(history())
    plots.save_figure(figure, tmp_path / "new" / "folder" / "a.png", dpi=50)
    height, width, _ = imread(tmp_path / "new" / "folder" / "a.png").shape
    assert (width, height) == (500, round(50 * figure.get_figheight()))


def test_failed_save_keeps_old_file_and_no_temporary_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = plots.training_curves(history())

    def fail(stream, *arguments, **options):
        stream.write_bytes(b"half")
        raise OSError("disk full")

    with patch.object(figure, "savefig", fail), pytest.raises(OSError, match="disk full"):
        plots.save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_file_formats_are_rejected(tmp_path):
    with pytest.raises(ConfigurationError, match=r"figure as a\.gif; the name must end in \.png or \.svg"):
        plots.save_figure(plots.training_curves(history()), tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []
