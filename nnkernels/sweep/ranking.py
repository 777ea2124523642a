"""The combinations of a sweep: their results, their mean error rates, and what distinguishes them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from nnkernels.recipes import recipe_from_record
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


def combinations(rows: Iterable[Row], except_for: Collection[str] = ()) -> list[list[Row]]:
    """Group results by their combination: the same in everything but the seed.

    Parameters
    ----------
    rows : iterable of dict
        The results.
    except_for : collection of str, optional
        Attributes of the recipes in which the results of a group may differ as well, such as ``hidden``.

    Returns
    -------
    groups : list of list of dict
        The results of each combination, in the order of their first occurrence.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        record = asdict(recipe_from_record(row["recipe"]))  # results of older versions lack newer attributes
        recipe = {name: value for name, value in record.items() if name not in except_for}
        same = json.dumps([recipe, row["contender"], row["judge"], row["data"]], sort_keys=True)
        groups.setdefault(same, []).append(row)
    return list(groups.values())


def labels(groups: Sequence[Sequence[Row]], except_for: Collection[str] = ()) -> list[str]:
    """Return a label for each combination that says in what it differs from the others, in as few words as possible.

    Parameters
    ----------
    groups : sequence of sequence of dict
        The results of each combination.
    except_for : collection of str, optional
        As for :func:`combinations`.

    Returns
    -------
    labels : list of str
        For example ``adam, width 10``. A single combination has the name of its recipe.
    """
    described = [dict(_described(group[0], except_for)) for group in groups]
    told: list[str] = []
    for name in dict.fromkeys(name for texts in described for name in texts):
        if _different(described, [*told, name]) > _different(described, told):
            told.append(name)
    return [", ".join(texts[name] for name in told or ["name"] if name in texts) for texts in described]


def _described(row: Row, except_for: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the description of everything that distinguishes combinations, the most telling first."""
    recipe = row["recipe"]
    yield "name", recipe["name"]
    yield "contender", row["contender"]
    others = {"hidden": "width", "learning_rate": "rate"}
    for name in (*others, *(name for name in recipe if name not in others and name != "name")):
        if name in recipe and name not in except_for:
            yield name, f"{others.get(name, name.replace('_', ' '))} {_text(recipe[name])}"
    yield "judge", f"{row['judge']} images"
    yield "data", _text(row["data"])


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_text(part) for part in value.values())
    return str(value)


def _different(described: Iterable[dict[str, str]], names: Sequence[str]) -> int:
    return len({tuple(texts.get(name) for name in names) for texts in described})


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
        for group in combinations(rows)
    ]
    return sorted(ranks, key=lambda rank: (rank.judge, rank.error_rate.value))
