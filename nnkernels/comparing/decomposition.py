"""Decomposition of a gap in accuracy into the contributions of width, recipe and framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from nnkernels.comparing.claim import RECIPES, WIDTHS
from nnkernels.statistics import Estimate, student
from nnkernels.sweep.ranking import combinations, ranking
from nnkernels.sweep.results import Row

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


def accuracies(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the mean accuracies of each combination of width, recipe and contender.

    Parameters
    ----------
    rows : sequence of dict
        The results, as :func:`~nnkernels.comparing.claim.run_claim` returns them.

    Returns
    -------
    cells : DataFrame
        One row per combination, with the columns ``hidden``, ``recipe``, ``contender``, ``accuracy`` (on test images,
        the mean over seeds), ``ci_low``, ``ci_high``, ``train_accuracy`` and ``seeds``. Accuracies are fractions.
    """
    import pandas as pd

    ranks = [rank for group in combinations(rows) for rank in ranking(group)]
    return pd.DataFrame(
        {
            "hidden": rank.hidden,
            "recipe": rank.recipe,
            "contender": rank.contender,
            "accuracy": 1 - rank.error_rate.value,
            "ci_low": 1 - rank.error_rate.high,
            "ci_high": 1 - rank.error_rate.low,
            "train_accuracy": 1 - rank.train_error_rate,
            "seeds": rank.error_rate.samples,
        }
        for rank in sorted(ranks, key=lambda rank: rank.hidden)
    )


def decompose(rows: Sequence[Row], ours: str, framework: str) -> Decomposition:
    """Decompose the gap in accuracy into the contributions of the three factors.

    The gain from a factor depends on the factors that were changed before: a greater width gains less with gradient
    descent than with Adam. So the contribution of a factor is its Shapley value, the mean of its gains over all six
    orders in which the factors can be changed [1]_. The contributions add up to the gap. They are computed for each
    seed, and the intervals are over the seeds.

    Parameters
    ----------
    rows : sequence of dict
        The results of all combinations with the same seeds, as :func:`~nnkernels.comparing.claim.run_claim` returns
        them.
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
    seeds = sorted({row["seed"] for row in rows})
    accuracy: dict[tuple[int, str, str, int], float] = {
        (row["recipe"]["hidden"], row["recipe"]["name"], row["contender"], row["seed"]): 100 * (1 - row["error_rate"])
        for row in rows
    }
    contenders = (ours, framework)

    def at(changed: frozenset[str], seed: int) -> float:
        recipe, contender = RECIPES["recipe" in changed], contenders["framework" in changed]
        return accuracy[WIDTHS["width" in changed], recipe, contender, seed]

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
