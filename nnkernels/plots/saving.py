"""Saving of figures: atomically, and with the same bytes for the same figure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnkernels.errors import ConfigurationError
from nnkernels.files import atomic_write
from nnkernels.plots.style import NO_ENGINE, fix_layout

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Leave out the date and matplotlib's version, so that the same figure always gives the same file.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int = 150, comment: str = "") -> None:
    """Save a figure to a file. It is written to a temporary file first, so that it never exists half-written.

    The layout is computed once before saving and then fixed. Otherwise each drawing would move it by a rounding error.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : path-like
        A name that ends in ``.png`` or ``.svg``. Missing folders are created.
    dpi : int, default: 150
        Pixels per inch of a PNG, and of the images in an SVG.
    comment : str, optional
        A text that a PNG carries unseen.

    Raises
    ------
    ConfigurationError
        If the name has another suffix.
    """
    import matplotlib

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise ConfigurationError(f"cannot save a figure as {path.name}; the name must end in {' or '.join(_METADATA)}")
    settle(figure, dpi if suffix == ".png" else 72)
    metadata = _METADATA[suffix] | ({"Comment": comment} if comment and suffix == ".png" else {})
    # Without this salt, the identifiers in an SVG are random.
    with atomic_write(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "nnkernels", **NO_ENGINE}):
        figure.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=metadata)


def settle(figure: Figure, dpi: float) -> None:
    """Compute the layout of a figure for a resolution, and fix it.

    Parameters
    ----------
    figure : Figure
        The figure. If it has no constrained layout, it is left as it is.
    dpi : float
        Pixels per inch.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        return
    shown_dpi = figure.dpi
    figure.dpi = dpi  # glyphs are hinted to pixels, so text widths depend on the resolution
    try:
        # Axes with a fixed aspect need a second pass, which uses the sizes found by the first.
        for _ in range(2):
            engine.execute(figure)
    finally:
        figure.dpi = shown_dpi
    fix_layout(figure)
