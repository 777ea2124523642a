"""The report of a comparison: metrics, histories and figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels import plots
from nnkernels.comparing.pair import Comparison
from nnkernels.data import Dataset
from nnkernels.evaluation import evaluate
from nnkernels.files import write_json, write_text
from nnkernels.learn.output import finite, origin, save_figures
from nnkernels.training import recipe_images

METRICS, HISTORY = "comparison.json", "histories.csv"
VERSION = 1
DRIFT_LABELS = {"maximum": "largest\ndifference", "relative": "relative to\nthe weights"}


@dataclass(frozen=True)
class Row:
    """The final results of one contender. Error rates are fractions.

    Attributes
    ----------
    contender : str
        The name of the contender.
    train_error_rate, test_error_rate : float
        The error rates on the training and test images.
    test_loss : float
        The mean cross-entropy on the test images, in nats.
    seconds : float
        The time of the training alone. It includes compilation in the first call, so it is only indicative.
    only_wrong : int
        The number of test images that only this contender misclassifies.
    """

    contender: str
    train_error_rate: float
    test_error_rate: float
    test_loss: float
    seconds: float
    only_wrong: int


@dataclass(frozen=True)
class Report:
    """The results of a comparison.

    Attributes
    ----------
    rows : list of Row
        One per contender.
    drift : float
        The largest absolute difference of any parameter between the first two contenders after the last epoch.
    different_answers : int
        The number of test images that not all contenders classify alike.
    test_images : int
        The number of test images.
    """

    rows: list[Row]
    drift: float
    different_answers: int
    test_images: int

    def sentence(self) -> str:
        """Describe how similar the contenders are after the last epoch.

        Returns
        -------
        sentence : str
            A sentence with the drift and the number of different answers.
        """
        return (
            f"After training, the parameters of {self.rows[0].contender} and {self.rows[1].contender} differ by at "
            f"most {self.drift:.2g}; {self.different_answers:,} of {self.test_images:,} test images are classified "
            "differently."
        )


def write_report(comparison: Comparison, dataset: Dataset, folder: Path) -> Report:
    """Evaluate all contenders on the test images, and write numbers and figures.

    Parameters
    ----------
    comparison : Comparison
        The training runs.
    dataset : Dataset
        The data.
    folder : Path
        An existing folder.

    Returns
    -------
    report : Report
        The results.
    """
    predicted = {name: np.argmax(side.probs, axis=1) for name, side in comparison.sides.items()}
    wrong = np.stack([answers != dataset.y_test for answers in predicted.values()])
    only = wrong & (wrong.sum(axis=0) == 1)
    rows = [_row(comparison, dataset, name, int(only[i].sum())) for i, name in enumerate(comparison.sides)]
    first, second = list(comparison.sides)[:2]
    answers = np.stack(list(predicted.values()))
    different = int(np.count_nonzero((answers != answers[0]).any(axis=0)))
    report = Report(rows, comparison.drift(first, second)["maximum"][-1], different, len(dataset.X_test))
    write_json(folder / METRICS, _metrics(comparison, dataset, report))
    write_text(folder / HISTORY, _histories(comparison))
    _draw(comparison, dataset, predicted, folder)
    return report


def _row(comparison: Comparison, dataset: Dataset, name: str, only_wrong: int) -> Row:
    side = comparison.sides[name]
    test = recipe_images(comparison.recipe, dataset.test)
    test_loss, test_error_rate = evaluate(side.trajectory[-1], test.X, test.y)
    train_error_rate = side.history.final.train_error_rate
    return Row(name, train_error_rate, test_error_rate, test_loss, side.history.seconds, only_wrong)


def _metrics(comparison: Comparison, dataset: Dataset, report: Report) -> dict[str, Any]:
    names = list(comparison.sides)
    return {
        "version": VERSION,
        "recipe": asdict(comparison.recipe),
        "seed": comparison.seed,
        "contenders": [asdict(row) | {"test_loss": finite(row.test_loss)} for row in report.rows],
        "different_answers": report.different_answers,
        "drift": {
            f"{first} and {second}": {
                kind: [finite(value) for value in values] for kind, values in comparison.drift(first, second).items()
            }
            for first, second in pairwise(names)
        },
        "provenance": origin(dataset),
    }


def _histories(comparison: Comparison) -> str:
    import pandas as pd

    frames = {name: side.history.to_frame() for name, side in comparison.sides.items()}
    text: str = pd.concat(frames, names=["contender"]).reset_index(level=0).to_csv(index=False)
    return text


def _draw(comparison: Comparison, dataset: Dataset, predicted: dict[str, Any], folder: Path) -> None:
    subtitle = f"{comparison.recipe.name}, width {comparison.recipe.hidden}, {dataset.name}, seed {comparison.seed}"
    names = list(comparison.sides)
    epochs = [record.epoch for record in comparison.sides[names[0]].history.epochs]
    figures = {
        "curves": plots.comparison_curves(
            {name: side.history.to_frame() for name, side in comparison.sides.items()}, subtitle
        ),
        "drift": plots.parameter_drift(
            epochs,
            {DRIFT_LABELS[kind]: values for kind, values in comparison.drift(names[0], names[1]).items()},
            f"{names[0]} and {names[1]}: {subtitle}",
            measure="difference",
        ),
        "disagreements": plots.disagreements(
            dataset.X_test,
            dataset.y_test,
            {name: predicted[name] for name in names[:2]},
            subtitle=subtitle,
            class_names=dataset.class_names,
        ),
    }
    save_figures(figures, folder)
