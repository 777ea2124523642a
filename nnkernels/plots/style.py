"""Common style of all figures: colours that are safe for colour-blind readers, sizes for slides, headings and axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from nnkernels.plots.text import plain, wrapped

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
    (INK, (0, (4, 1, 1, 1, 1, 1)), "X"),
    (MUTED, (0, (1, 3)), "*"),
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
