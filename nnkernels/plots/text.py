"""Text in figures: numbers and names as text, its width, and breaking or shortening what is too wide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from nnkernels.statistics import Estimate


def percent(fraction: float, decimals: int = 1) -> str:
    """Format a fraction as a percentage. Only exactly 0 and 1 become 0 % and 100 %.

    Parameters
    ----------
    fraction : float
        A fraction.
    decimals : int, default: 1
        The number of decimals.

    Returns
    -------
    text : str
        For example ``96.2 %``, ``<0.1 %`` or ``>99.9 %``; ``NaN`` for NaN and infinity.
    """
    if not math.isfinite(fraction):
        return "NaN"
    if fraction in (0, 1):
        return f"{100 * fraction:.0f} %"
    step = 10.0**-decimals
    if abs(fraction) <= step / 200:
        return f"<{step:g} %"
    if 1 - step / 200 <= fraction < 1:
        return f">{100 - step:g} %"
    return f"{100 * fraction:.{decimals}f} %"


def estimated_percent(found: Estimate, decimals: int = 2) -> str:
    """Format an estimated fraction as a percentage with its interval.

    Parameters
    ----------
    found : Estimate
        A fraction. An interval of NaN is left out.
    decimals : int, default: 2
        The number of decimals.

    Returns
    -------
    text : str
        For example ``2.48 % [2.40, 2.56]``.
    """
    text = percent(found.value, decimals)
    if not math.isfinite(found.low):
        return text
    return f"{text} [{100 * found.low:.{decimals}f}, {100 * found.high:.{decimals}f}]"


def class_labels(class_names: Sequence[str] | None, classes: int) -> list[str]:
    """Return the labels of classes in a figure.

    Parameters
    ----------
    class_names : sequence of str or None
        The name of each class, if known.
    classes : int
        The number of classes.

    Returns
    -------
    labels : list of str
        The names, or by default the numbers.
    """
    return [str(number) for number in range(classes)] if class_names is None else list(class_names)


def plain(text: str) -> str:
    """Escape dollar signs, so that matplotlib does not interpret a text as mathematics.

    Parameters
    ----------
    text : str
        The text.

    Returns
    -------
    text : str
        The escaped text.
    """
    return text.replace("$", r"\$")


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a line of text.

    Parameters
    ----------
    text : str
        The text.
    size : float
        The font size in points.
    bold : bool, default: False
        Whether the font is bold.

    Returns
    -------
    width : float
        The width in inches.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    if not text.strip():
        return 0.0
    # Measuring the text is about a hundred times as fast as creating the outlines of its glyphs.
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    width, _height, _descent = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def wrapped(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    """Break a text into lines at spaces.

    Parameters
    ----------
    text : str
        The text. Its own line breaks are kept.
    size : float
        The font size in points.
    width : float
        The maximum width of a line in inches. A single word may be wider.
    bold : bool, default: False
        Whether the font is bold.

    Returns
    -------
    lines : list of str
        The lines.
    """
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and text_width(longer, size, bold) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines


def shortened(text: str, size: float, width: float) -> str:
    """Truncate a text that is too wide.

    Parameters
    ----------
    text : str
        The text.
    size : float
        The font size in points.
    width : float
        The maximum width in inches.

    Returns
    -------
    text : str
        The text, or its beginning followed by an ellipsis.
    """
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"
