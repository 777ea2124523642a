"""Mean error rates of the combinations of a sweep, the best first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from nnkernels.statistics import Estimate, student
from nnkernels.sweep.results import Row


class Rank(NamedTuple):
    """One combination of a sweep.

    Attributes
    ----------
    recipe, contender : str
        The names.
    hidden : int
        The width of the hidden layer.
    learning_rate : float
        The learning rate.
    judge : str
        ``validation`` or ``test``, the images of ``error_rate``.
    error_rate : Estimate
        The mean over the seeds, with its 95 % interval.
    train_error_rate : float
        The mean over the seeds.
    seconds : float
        Mean seconds of a training, without evaluation.
    """

    recipe: str
    contender: str
    hidden: int
    learning_rate: float
    judge: str
    error_rate: Estimate
    train_error_rate: float
    seconds: float


def ranking(rows: Iterable[Row]) -> list[Rank]:
    """Return the combinations by their mean error rate over the seeds.

    Parameters
    ----------
    rows : iterable of dict
        The results.

    Returns
    -------
    ranks : list of Rank
        The lowest error rate first.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        same = json.dumps([row["recipe"], row["contender"], row["judge"], row["data"]], sort_keys=True)
        groups.setdefault(same, []).append(row)
    ranks = [
        Rank(
            group[0]["recipe"]["name"],
            group[0]["contender"],
            group[0]["recipe"]["hidden"],
            group[0]["recipe"]["learning_rate"],
            group[0]["judge"],
            student([row["error_rate"] for row in group]),
            sum(row["train_error_rate"] for row in group) / len(group),
            sum(row["seconds"] for row in group) / len(group),
        )
        for group in groups.values()
    ]
    return sorted(ranks, key=lambda rank: (rank.judge, rank.error_rate.value))
