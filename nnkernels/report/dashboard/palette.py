"""The colours of the page as CSS variables, in light and dark: charts name a variable, the style sheet its colour.

Series and kinds take Okabe and Ito's colours, which people with colour-blindness can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

PAGE, PANEL = "var(--page)", "var(--panel)"
INK, SOFT, LINE = "var(--ink)", "var(--soft)", "var(--line)"
SCRATCH, FRAMEWORK, LIMIT = "var(--scratch)", "var(--framework)", "var(--limit)"
BETTER, WORSE, BAND = "var(--better)", "var(--worse)", "var(--band)"
# Kinds of contenders and bounds differ by shape as well as by colour.
KINDS = {
    "from scratch": (SCRATCH, "circle"),
    "framework": (FRAMEWORK, "square"),
    "limit": (LIMIT, "diamond"),
    "only predicts": ("var(--series-4)", "triangle-up"),
    "other": (SOFT, "triangle-down"),
}
_SERIES = 7
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])

# Each variable in light and in dark.
VARIABLES = {
    "page": ("#ffffff", "#101418"),
    "panel": ("#f6f7f8", "#181d23"),
    "ink": ("#14181d", "#e8ebee"),
    "soft": ("#57606a", "#a3adb8"),
    "line": ("#dde1e6", "#303842"),
    "edge": ("#7f8892", "#77828e"),
    "accent": ("#005a8f", "#7cc4f0"),
    "scratch": ("#0072b2", "#56b4e9"),
    "framework": ("#c14f00", "#f0a63c"),
    "limit": ("#00805e", "#2fc79b"),
    "better": ("#0072b2", "#56b4e9"),
    "worse": ("#c14f00", "#f0a63c"),
    "band": ("#e3ecf3", "#22303c"),
    "series-1": ("#0072b2", "#56b4e9"),
    "series-2": ("#c14f00", "#f0a63c"),
    "series-3": ("#00805e", "#2fc79b"),
    "series-4": ("#a8487f", "#dd8fbd"),
    "series-5": ("#7a6a00", "#e6d84a"),
    "series-6": ("#2f7fb5", "#9ad0f0"),
    "series-7": ("#4d5560", "#b4bcc5"),
}


def series(names: Sequence[str]) -> dict[str, tuple[str, list[int]]]:
    """Give each of some names a colour and a dash pattern, which repeat only together.

    Parameters
    ----------
    names : sequence of str
        The names, in the order in which they take the colours.

    Returns
    -------
    styles : dict of str to tuple
        For each name, the colour and the lengths of dashes and gaps in pixels; ``[1, 0]`` is a solid line.
    """
    return {
        name: (f"var(--series-{index % _SERIES + 1})", _DASHES[index // _SERIES % len(_DASHES)])
        for index, name in enumerate(names)
    }


def style() -> str:
    """Return the CSS rules that define the variables.

    Returns
    -------
    css : str
        Light colours, and dark ones for those who prefer them. Printed pages are light.
    """
    light, dark = (" ".join(f"--{name}: {pair[index]};" for name, pair in VARIABLES.items()) for index in range(2))
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )
