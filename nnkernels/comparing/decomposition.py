"""Decomposition of a gap in accuracy into the contributions of width, recipe and framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from nnkernels.comparing.claim import RECIPES, WIDTHS, Cell, Training
from nnkernels.statistics import Estimate, student

if TYPE_CHECKING:
    import pandas as pd

FACTORS = ("width", "recipe", "framework")


@dataclass(frozen=True)
class Decomposition:
    """The gap between the write-up's two models and its parts, in percentage points of test accuracy.

    Attributes
    ----------
    gap : Estimate
        The accuracy of the wide network trained by Adam in the framework, minus that of the narrow network trained by
        gradient descent from scratch.
    parts : dict of str to Estimate
        The contributions of ``width``, ``recipe`` and ``framework``. Their sum is the gap.
    """

    gap: Estimate
    parts: dict[str, Estimate]

    def sentence(self) -> str:
        """Describe the gap and its parts in a sentence.

        Returns
        -------
        sentence : str
            The sentence, with 95 % intervals.
        """
        shares = "; ".join(f"{name} {_points(self.parts[name])}" for name in FACTORS)
        return (
            f"Of the {self.gap.value:.2f} points of test accuracy between gradient descent on {WIDTHS[0]} hidden units "
            f"from scratch and Adam on {WIDTHS[1]} in the framework, these are due to: {shares}."
        )


def accuracies(trainings: Sequence[Training]) -> pd.DataFrame:
    """Return the mean accuracies of each combination of width, recipe and contender.

    Parameters
    ----------
    trainings : sequence of Training
        The results of the training runs.

    Returns
    -------
    cells : DataFrame
        One row per combination, with the columns ``hidden``, ``recipe``, ``contender``, ``accuracy`` (on test images,
        the mean over seeds), ``ci_low``, ``ci_high``, ``train_accuracy`` and ``seeds``. Accuracies are fractions.
    """
    import pandas as pd

    rows = []
    for cell in dict.fromkeys(training.cell for training in trainings):
        members = [training for training in trainings if training.cell == cell]
        test = student(np.array([1 - training.test_error_rate for training in members]))
        rows.append(
            {
                "hidden": cell.hidden,
                "recipe": cell.recipe,
                "contender": cell.contender,
                "accuracy": test.value,
                "ci_low": test.low,
                "ci_high": test.high,
                "train_accuracy": float(np.mean([1 - training.train_error_rate for training in members])),
                "seeds": len(members),
            }
        )
    return pd.DataFrame(rows)


def decompose(trainings: Sequence[Training], ours: str, framework: str) -> Decomposition:
    """Decompose the gap in accuracy into the contributions of the three factors.

    The gain from a factor depends on the factors that were changed before: a greater width gains less with gradient
    descent than with Adam. So the contribution of a factor is its Shapley value, the mean of its gains over all six
    orders in which the factors can be changed [1]_. The contributions add up to the gap. They are computed for each
    seed, and the intervals are over the seeds.

    Parameters
    ----------
    trainings : sequence of Training
        All combinations with the same seeds, as :func:`~nnkernels.comparing.claim.run_claim` returns them.
    ours, framework : str
        The names of the contenders.

    Returns
    -------
    decomposition : Decomposition
        The gap and its parts.

    References
    ----------
    .. [1] L. Shapley, "A value for n-person games", Contributions to the Theory of Games II, 1953.
    """
    seeds = sorted({training.seed for training in trainings})
    accuracy = {(training.cell, training.seed): 100 * (1 - training.test_error_rate) for training in trainings}
    contenders = (ours, framework)

    def at(changed: frozenset[str], seed: int) -> float:
        cell = Cell(WIDTHS["width" in changed], RECIPES["recipe" in changed], contenders["framework" in changed])
        return accuracy[cell, seed]

    orders = list(permutations(FACTORS))
    parts = {
        factor: [
            float(
                np.mean(
                    [
                        at(frozenset(order[: order.index(factor) + 1]), seed)
                        - at(frozenset(order[: order.index(factor)]), seed)
                        for order in orders
                    ]
                )
            )
            for seed in seeds
        ]
        for factor in FACTORS
    }
    gaps = [at(frozenset(FACTORS), seed) - at(frozenset(), seed) for seed in seeds]
    return Decomposition(student(np.array(gaps)), {factor: student(np.array(parts[factor])) for factor in FACTORS})


def _points(mean: Estimate) -> str:
    return f"{mean.value:+.2f} [{mean.low:+.2f}, {mean.high:+.2f}]"
