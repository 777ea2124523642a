"""Common style of all figures: colours that are safe for colour-blind readers, sizes for slides, headings and axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The palette of Okabe and Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
INK, MUTED, GRID = "#222222", "#5a5a5a", "#dddddd"

OURS, FRAMEWORK = BLUE, ORANGE
RIGHT, WRONG = BLUE, VERMILION
# Colour, line style and marker of the first, second, ... line. Each of the three alone distinguishes the lines.
LINES = (
    (BLUE, "solid", "o"),
    (ORANGE, (0, (4, 2)), "s"),
    (GREEN, (0, (1, 1.2)), "^"),
    (VERMILION, (0, (6, 1.5, 1, 1.5)), "D"),
    (PURPLE, (0, (2, 1)), "v"),
    (SKY, (0, (8, 2)), "P"),
)

# Font sizes in points and lengths in inches, for a figure that fills a slide.
TITLE_SIZE, SUBTITLE_SIZE, LABEL_SIZE, TICK_SIZE, NOTE_SIZE = 14, 11.5, 12, 11, 10.5
WIDTH, BODY, MARGIN = 10.0, 5.3, 0.14

# Settings under which a figure has no layout engine by default, regardless of the user's configuration.
NO_ENGINE: dict[Any, Any] = {"figure.autolayout": False, "figure.constrained_layout.use": False}


# Darker shades of the light colours for text, which needs more contrast than a line.
_TEXT_COLORS = {ORANGE: "#8f6200", GREEN: "#00734f", PURPLE: "#9c4a79", SKY: "#1f7099", VERMILION: "#b84f00"}


def text_color(color: str) -> str:
    """Return the shade of a colour that is legible as text on white.

    Parameters
    ----------
    color : str
        A colour of the palette.

    Returns
    -------
    color : str
        A darker shade if the colour is too light, otherwise the colour itself.
    """
    return _TEXT_COLORS.get(color, color)


def line_look(index: int) -> tuple[str, str | tuple[float, tuple[float, ...]], str]:
    """Return the style of one of several lines.

    Parameters
    ----------
    index : int
        The index of the line. After :data:`LINES` is exhausted, the styles repeat.

    Returns
    -------
    color : str
        The colour.
    line_style : str or tuple
        The line style.
    marker : str
        The marker.
    """
    return LINES[index % len(LINES)]


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
    if abs(fraction) < step / 200:
        return f"<{step:g} %"
    if 1 - step / 200 < fraction < 1:
        return f">{100 - step:g} %"
    return f"{100 * fraction:.{decimals}f} %"


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


def new_figure(
    title: str, subtitle: str = "", body: float = BODY, width: float = WIDTH, strip: float = 0, warning: str = ""
) -> tuple[Figure, float]:
    """Create a figure with a bold title, a subtitle and an empty body.

    Parameters
    ----------
    title, subtitle : str
        Wrapped if they are too wide.
    body, width : float
        Height of the body and width of the figure in inches. The heading is added to the height.
    strip : float, default: 0
        Height in inches at the top of the body that the subplots leave free, for a legend.
    warning : str, optional
        A prominent text below the subtitle, for example about a diverged training run.

    Returns
    -------
    figure : Figure
        Its layout engine keeps subplots below the heading.
    body_fraction : float
        The height of the body as a fraction of the figure's height.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    blocks = [
        (line, size, weight, color)
        for text, size, weight, color in (
            (title, TITLE_SIZE, "bold", INK),
            (subtitle, SUBTITLE_SIZE, "normal", MUTED),
            (warning, SUBTITLE_SIZE, "bold", text_color(VERMILION)),
        )
        for line in wrapped(text, size, width - 2 * MARGIN, weight == "bold")
    ]
    heading = MARGIN + sum(1.45 * size / 72 for _, size, _, _ in blocks)
    height = body + heading
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, (body - strip) / height), w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    top = MARGIN
    for line, size, weight, color in blocks:
        figure.text(
            MARGIN / width, 1 - top / height, plain(line), size=size, weight=weight, color=color, va="top", ha="left"
        )
        top += 1.45 * size / 72
    return figure, body / height


def fix_layout(figure: Figure) -> None:
    """Remove the layout engine of a figure, so that nothing moves afterwards.

    The engine is set to None, not to ``"none"``: matplotlib would replace it by a placeholder that makes every saving
    draw the figure twice.

    Parameters
    ----------
    figure : Figure
        The figure.
    """
    import matplotlib

    with matplotlib.rc_context(NO_ENGINE):
        figure.set_layout_engine(None)


def tidy(axes: Axes, x_label: str = "", y_label: str = "", grid: Literal["x", "y", "both"] | None = "y") -> None:
    """Apply the common style to axes: two spines, a light grid in the background, legible labels.

    Parameters
    ----------
    axes : Axes
        The axes.
    x_label, y_label : str, optional
        The labels of the axes.
    grid : {"x", "y", "both"} or None, default: "y"
        The axis whose ticks have grid lines.
    """
    axes.set_facecolor("white")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(which="both", labelsize=TICK_SIZE, labelcolor=INK, color=MUTED)
    axes.set_axisbelow(True)
    axes.grid(False)
    if grid:
        axes.grid(axis=grid, which="major", color=GRID, linewidth=0.8)
    axes.set_xlabel(plain(x_label), size=LABEL_SIZE, color=INK)
    axes.set_ylabel(plain(y_label), size=LABEL_SIZE, color=INK)
