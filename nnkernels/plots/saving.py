"""Figures to files: all or nothing, and the same bytes for the same figure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkernels.errors import ConfigurationError
from nnkernels.files import replacing
from nnkernels.plots.style import NO_ENGINE, fix_layout

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# No date and no version of matplotlib: the same figure gives the same file on any day.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int = 150) -> None:
    """Write a figure through a temporary neighbour, so that nobody ever sees half of it.

    Its layout is settled before, and stays as it is written: each drawing would move it by some rounding error.

    Parameters
    ----------
    figure : Figure
    path : path
        Ends in ``.png`` or ``.svg``; missing folders are made.
    dpi : int
        Pixels an inch of a PNG, and of the images within an SVG.

    Raises
    ------
    ConfigurationError
        If the name ends otherwise.
    """
    import matplotlib

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise ConfigurationError(f"{path.name} is no name of a figure; it must end in {' or '.join(_METADATA)}")
    settle(figure, dpi if suffix == ".png" else 72)
    # SVG takes the salt of its identifiers from here alone; else they are random.
    with replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "nnkernels", **NO_ENGINE}):
        figure.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=_METADATA[suffix])


def settle(figure: Figure, dpi: float) -> None:
    """Lay a figure out for a resolution, once and for all."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        return
    shown_dpi = figure.dpi
    figure.dpi = dpi  # letters are fitted to the pixels: their widths differ with the resolution
    try:
        # The second time for axes of a fixed shape, whose room the first finds.
        for _ in range(2):
            engine.execute(figure)
    finally:
        figure.dpi = shown_dpi
    fix_layout(figure)
