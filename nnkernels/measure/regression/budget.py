"""Budgets: upper limits of a backend's time, relative to another backend's time in the same turns."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.regression import rule
from nnkernels.measure.regression.comparisons import SCENARIOS, Comparison
from nnkernels.measure.regression.pairs import Pair

FIELDS = {"scenario": str, "backend": str, "against": str, "at_most": (int, float)}


@dataclass(frozen=True)
class Limit:
    """An upper limit of the ratio of two backends' times.

    Attributes
    ----------
    scenario : str
        Name of the scenario.
    backend, against : str
        The backends of the numerator and of the denominator.
    at_most : float
        The largest allowed ratio.
    """

    scenario: str
    backend: str
    against: str
    at_most: float


@dataclass(frozen=True)
class BudgetVerdict:
    """The measured ratio of a limit in the working tree.

    Attributes
    ----------
    limit : Limit
        The limit.
    ratio, low, high : float
        The ratio and its two-sided 95 % interval.
    at_least : float
        One-sided lower bound of the ratio. The limit is exceeded if this bound is above it.
    """

    limit: Limit
    ratio: float
    low: float
    high: float
    at_least: float

    @property
    def exceeded(self) -> bool:
        """Whether the ratio is significantly above the limit."""
        return self.at_least > self.limit.at_most

    @property
    def kept(self) -> bool:
        """Whether the whole interval is within the limit. A limit that is neither kept nor exceeded is undecided."""
        return self.high <= self.limit.at_most


def read_budget(path: Path) -> list[Limit]:
    """Read a budget file.

    Parameters
    ----------
    path : Path
        A TOML file of tables ``[[limit]]`` with the fields ``scenario``, ``backend``, ``against`` and ``at_most``.

    Returns
    -------
    limits : list of Limit
        The limits, in the file's order.

    Raises
    ------
    ConfigurationError
        If the file is missing or invalid.
    UnknownNameError
        If a limit names an unknown scenario.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: invalid TOML: {error}") from error
    found = tables.get("limit")
    if set(tables) != {"limit"} or not isinstance(found, list) or not found:
        raise ConfigurationError(f"{path}: expected only [[limit]] tables, found {', '.join(tables) or 'none'}")
    return [_limit(path, i, table) for i, table in enumerate(found, start=1)]


def _limit(path: Path, number: int, table: object) -> Limit:
    where = f"{path}, limit {number}"
    if not isinstance(table, dict) or set(table) != set(FIELDS):
        raise ConfigurationError(f"{where}: expected exactly the keys {', '.join(FIELDS)}")
    for name, kind in FIELDS.items():
        if not isinstance(table[name], kind) or isinstance(table[name], bool):  # type: ignore[arg-type]
            expected = "a string" if kind is str else "a number"
            raise ConfigurationError(f"{where}: {name} is {table[name]!r}; expected {expected}")
    if not (np.isfinite(table["at_most"]) and table["at_most"] > 0):
        raise ConfigurationError(f"{where}: at_most is {table['at_most']}; expected a positive ratio")
    if table["scenario"] not in SCENARIOS:
        raise UnknownNameError("scenario", table["scenario"], tuple(SCENARIOS))
    if table["backend"] == table["against"]:
        raise ConfigurationError(f"{where}: {table['backend']} is compared with itself")
    return Limit(**{**table, "at_most": float(table["at_most"])})


def require_measured(limits: Sequence[Limit], comparisons: Sequence[Comparison]) -> None:
    """Check that each limit concerns backends and scenarios that are measured.

    Parameters
    ----------
    limits : sequence of Limit
        The limits.
    comparisons : sequence of Comparison
        What is measured.

    Raises
    ------
    ConfigurationError
        If a limit concerns something that is not measured.
    """
    names = {comparison.name for comparison in comparisons}
    for limit in limits:
        for backend in (limit.backend, limit.against):
            if f"{backend} {limit.scenario}" not in names:
                raise ConfigurationError(
                    f"the budget has a limit for {backend} in {limit.scenario}, which is not measured: add it with "
                    "--backends and --scenarios"
                )


def judge_budget(
    limits: Sequence[Limit], comparisons: Sequence[Comparison], pairs: Sequence[Pair], error: float
) -> list[BudgetVerdict]:
    """Compare the limits with the working tree's times.

    Parameters
    ----------
    limits : sequence of Limit
        The limits.
    comparisons : sequence of Comparison
        What was measured, with the units per segment.
    pairs : sequence of Pair
        The pairs of processes. A limit uses those that measured both of its backends.
    error : float
        Significance level of the one-sided bound.

    Returns
    -------
    verdicts : list of BudgetVerdict
        One per limit.
    """
    units = {comparison.name: comparison.units for comparison in comparisons}
    return [_judged(limit, units, pairs, error) for limit in limits]


def _judged(limit: Limit, units: dict[str, int], pairs: Sequence[Pair], error: float) -> BudgetVerdict:
    first, second = (f"{backend} {limit.scenario}" for backend in (limit.backend, limit.against))
    values = [
        np.median(np.log(pair.nanoseconds[first]["tree"]) - np.log(pair.nanoseconds[second]["tree"]))
        - np.log(units[first] / units[second])
        for pair in pairs
        if first in pair.nanoseconds and second in pair.nanoseconds
    ]
    found = rule.judge(np.array(values), error)
    return BudgetVerdict(limit, found.ratio, found.low, found.high, found.at_least)
