"""The recorded results of the accuracy benchmark, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nnkernels.accuracy.errors import kept_networks
from nnkernels.accuracy.record import read_accuracy_run, run_folders
from nnkernels.accuracy.summary import AccuracySummary, RecipeResult, summarise_accuracy
from nnkernels.interchange import Network
from nnkernels.measure.asv_driver.workspace import find_root

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("seeds", "accuracy", "low", "high", "seconds"),
    *("keras", "difference", "difference low", "difference high", "verdict"),
]


@dataclass(frozen=True)
class RecordedAccuracy:
    """A recorded accuracy run.

    Attributes
    ----------
    summary : AccuracySummary
        The summary of the run.
    """

    summary: AccuracySummary

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.summary.run.record.run_id

    @property
    def recipes(self) -> pd.DataFrame:
        """One row per accurate recipe, by name.

        ``accuracy`` and ``keras`` are means over the seeds in percent, ``low`` and ``high`` the ends of the 95 %
        interval of the former; ``seconds`` is the median time of a training on one thread. ``difference`` is that to
        Keras in percentage points, paired by seed, with the ends of its interval. NaN where Keras has no result.
        """
        return _table(self.summary.recipes, "recipe", [result.recipe.name for result in self.summary.recipes])

    @property
    def widths(self) -> pd.DataFrame:
        """One row per number of hidden units, with the columns of :attr:`recipes`."""
        return _table(self.summary.widths, "hidden units", [result.recipe.hidden for result in self.summary.widths])

    @cached_property
    def networks(self) -> dict[str, Network]:
        """The kept networks of the recipe ``best``, by seed."""
        return kept_networks(self.summary.run)


def recorded_accuracy() -> RecordedAccuracy | None:
    """Return the newest recorded run of ``nnkernels bench --profile accuracy`` in this checkout.

    Returns
    -------
    recorded : RecordedAccuracy or None
        None if no run is recorded.

    Raises
    ------
    ResultsError
        If the run is damaged.
    ConfigurationError
        If neither the current folder nor the package is in a checkout.
    """
    folders = run_folders(find_root())
    return RecordedAccuracy(summarise_accuracy(read_accuracy_run(folders[-1]))) if folders else None


def _table(results: Sequence[RecipeResult], heading: str, names: Sequence[str | int]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for result in results:
        error, keras, difference = result.error, result.keras_error, result.difference
        row = {
            "seeds": error.samples,
            "accuracy": 100 * (1 - error.value),
            "low": 100 * (1 - error.high),
            "high": 100 * (1 - error.low),
            "seconds": result.seconds,
        }
        if keras and difference:
            row |= {
                "keras": 100 * (1 - keras.value),
                "difference": -100 * difference.value,
                "difference low": -100 * difference.high,
                "difference high": -100 * difference.low,
            }
        rows.append(row | {"verdict": result.verdict or ""})
    return pd.DataFrame(rows, pd.Index(names, name=heading), COLUMNS)
