"""How much of a gap in accuracy is width, how much recipe, and how much framework."""

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
    """The gap between the write-up's two models, and its parts, in points of test accuracy (percent).

    Attributes
    ----------
    gap : Estimate
        Wide, by Adam, in the framework, less narrow, by gradient descent, from scratch.
    parts : dict of str to Estimate
        ``width``, ``recipe``, ``framework``; their sum is the gap.
    """

    gap: Estimate
    parts: dict[str, Estimate]

    def sentence(self) -> str:
        """Say it in a sentence."""
        shares = "; ".join(f"{name} {_points(self.parts[name])}" for name in FACTORS)
        return (
            f"Of the {self.gap.value:.2f} points of test accuracy between gradient descent on {WIDTHS[0]} hidden units "
            f"from scratch and Adam on {WIDTHS[1]} in the framework, these are due to: {shares}."
        )


def accuracies(trainings: Sequence[Training]) -> pd.DataFrame:
    """Return a row a cell: mean test and training accuracy over the seeds, with intervals, as fractions of 1."""
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
    """Share the gap out among the three factors.

    What a factor brings depends on what was changed before it: width brings less by gradient descent than by Adam.
    A factor's part is its gain averaged over all six orders in which the three can be changed (Shapley's value),
    which makes the parts add up to the gap. It is computed seed by seed, and the interval is over the seeds.

    References
    ----------
    L. Shapley, "A value for n-person games", Contributions to the Theory of Games II, 1953.
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
