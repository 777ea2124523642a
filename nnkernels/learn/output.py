"""Common parts of the output of the learning commands: the folder, the figures and the provenance."""

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
    """Create the output folder. Call this before the work, so that an unusable folder is detected early.

    Parameters
    ----------
    folder : Path
        The folder. It may already exist.

    Raises
    ------
    ConfigurationError
        If the folder cannot be created, for example because there is a file of this name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot create the folder {folder} ({one_line(error)}); choose another one (--out)"
        ) from error


def save_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Save figures as PNG files.

    Parameters
    ----------
    figures : mapping of str to Figure
        The figures by name. The name becomes the file name.
    folder : Path
        Where to write them.
    """
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")


def origin(dataset: Dataset) -> dict[str, Any]:
    """Return the provenance of numbers computed in this process.

    Parameters
    ----------
    dataset : Dataset
        The data.

    Returns
    -------
    provenance : dict
        Machine, versions, data and the commit of the code.
    """
    return provenance.collect(dataset) | workspace.code_state()


def finite(value: float) -> float | None:
    """Convert a number for JSON, which has no NaN or infinity.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    value : float or None
        None if the number is not finite, as after a training run that diverged.
    """
    return value if math.isfinite(value) else None
