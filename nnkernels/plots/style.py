"""What all figures share: colours that colour-blind people tell apart too, sizes for a slide, the heading, the axes."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design", 2008.
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
INK, MUTED, GRID = "#222222", "#5a5a5a", "#dddddd"

OURS, FRAMEWORK = BLUE, ORANGE
RIGHT, WRONG = BLUE, VERMILION
# Colour, dashes and marker of the first, second, ... of several lines: each alone tells them apart.
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

# Settings under which a figure without a layout engine gets none, whatever the user has set.
NO_ENGINE: dict[Any, Any] = {"figure.autolayout": False, "figure.constrained_layout.use": False}


# The lighter colours, darkened for text, which needs more contrast than a line.
_TEXT_COLORS = {ORANGE: "#8f6200", GREEN: "#00734f", PURPLE: "#9c4a79", SKY: "#1f7099", VERMILION: "#b84f00"}


def text_color(color: str) -> str:
    """Return the shade of one of our colours that is legible as text on white."""
    return _TEXT_COLORS.get(color, color)


def line_look(index: int) -> tuple[str, str | tuple[float, tuple[float, ...]], str]:
    """Return colour, line style and marker of the ``index``-th of several lines."""
    return LINES[index % len(LINES)]


def percent(fraction: float, decimals: int = 1) -> str:
    """Return a fraction as a percentage that never rounds to 0 or 100 what is neither; "NaN" for NaN."""
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


def plain(text: str) -> str:
    """Return text in which matplotlib finds no mathematics: a name with dollar signs stays itself."""
    return text.replace("$", r"\$")


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width in inches of a line of text at ``size`` points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    if not text.strip():
        return 0.0
    # Measured, not traced: the outlines of the letters would take a hundred times as long.
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    width, _height, _descent = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def wrapped(text: str, size: float, width: float, bold: bool = False) -> list[str]:
    """Return the lines of ``text``, broken between words so that none is wider than ``width`` inches."""
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
    """Return ``text``, its end replaced by an ellipsis if it is wider than ``width`` inches."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def new_figure(
    title: str, subtitle: str = "", body: float = BODY, width: float = WIDTH, strip: float = 0, warning: str = ""
) -> tuple[Figure, float]:
    """Start a figure: a bold title, under it what it is of (data set, recipe), and an empty body.

    Parameters
    ----------
    title, subtitle : str
        Broken into lines where they are too wide.
    body, width : float
        Inches. The heading's height is added to the body's.
    strip : float
        Inches at the top of the body that the subplots leave free, for a legend.
    warning : str
        What a reader must not miss (a diverged training), below the subtitle.

    Returns
    -------
    figure : Figure
        Its layout engine keeps subplots below the heading.
    body_fraction : float
        The body's height in fractions of the figure's: where the heading begins.
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
    """Leave everything where it is from now on.

    By None and not by "none": what that leaves in place of an engine makes each saving draw the figure twice.
    """
    import matplotlib

    with matplotlib.rc_context(NO_ENGINE):
        figure.set_layout_engine(None)


def tidy(axes: Axes, x_label: str = "", y_label: str = "", grid: Literal["x", "y", "both"] | None = "y") -> None:
    """Give axes the common look: two spines, a light grid behind, legible labels."""
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
