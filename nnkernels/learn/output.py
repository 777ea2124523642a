"""What all commands of a learner leave behind in the same way: a folder, pictures, and where the numbers come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, one_line
from nnkernels.measure.asv_driver import workspace
from nnkernels.measure.records import provenance
from nnkernels.plots import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def make_folder(folder: Path) -> None:
    """Make a folder before the work whose results it will hold, not after.

    Raises
    ------
    ConfigurationError
        If there can be no such folder: a file is in its place, say.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be a folder ({one_line(error)}); choose another one (--out)"
        ) from error


def save_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each figure as a PNG of its name."""
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")


def origin(dataset: Dataset) -> dict[str, Any]:
    """Return where numbers made here and now come from: machine, versions, data, and the commit of the code."""
    return provenance.collect(dataset) | workspace.code_state()


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it, which has no NaN: what a training that blew up has not is None."""
    return value if math.isfinite(value) else None
