"""Figures of recorded numbers, which are drawn anew only if the numbers have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nnkernels import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_unless_same(path: Path, numbers: str, draw: Callable[[], Figure]) -> Path:
    """Draw a figure, unless the file there shows the same numbers.

    Another version of Matplotlib draws other pixels. So the file carries a digest of its numbers, and is left as it is
    if they have not changed; to draw it anew, delete it.

    Parameters
    ----------
    path : Path
        The PNG file.
    numbers : str
        All that the figure shows, as text.
    draw : callable
        Returns the figure.

    Returns
    -------
    path : Path
        The file.
    """
    comment = f"numbers {hashlib.sha256(numbers.encode()).hexdigest()}"
    if not (path.is_file() and comment.encode() in path.read_bytes()):
        plots.save_figure(draw(), path, comment=comment)
    return path
