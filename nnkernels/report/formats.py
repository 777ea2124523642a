"""Numbers as people write them."""

from __future__ import annotations

import math

from nnkernels.statistics import Estimate


def duration(seconds: float) -> str:
    """Return a time with three significant digits and the unit that suits it."""
    if math.isnan(seconds):
        return "-"
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{significant(seconds * factor)} {unit}"
    return f"{significant(seconds * 1e9)} ns"


def ratio(estimate: Estimate | None, interval: bool = True) -> str:
    """Return a ratio with its interval, where it has one that is wanted."""
    if estimate is None:
        return "-"
    text = significant(estimate.value)
    if not interval or math.isnan(estimate.low) or estimate.low == estimate.high:
        return text
    return f"{text} [{significant(estimate.low)}, {significant(estimate.high)}]"


def percent(estimate: Estimate | None, interval: bool = True) -> str:
    """Return a rate as a percentage with its interval, where it has one that is wanted."""
    if estimate is None:
        return "-"
    text = rate(estimate.value)
    if not interval or math.isnan(estimate.low):
        return text
    return f"{text} [{100 * estimate.low:.2f}, {100 * estimate.high:.2f}]"


def quantity(value: float, unit: str) -> str:
    """Return a value of a tidy row with its unit; an empty text for NaN."""
    if math.isnan(value):
        return ""
    if unit.startswith("seconds"):
        return duration(value)
    if unit == "error_rate":
        return rate(value)
    return f"{significant(value)} {unit}"


def rate(value: float) -> str:
    """Return a fraction as a percentage with two decimals."""
    return f"{100 * value:.2f} %"


def significant(value: float) -> str:
    """Return a number with three significant digits, and never fewer before the point."""
    if not value or not math.isfinite(value):
        return f"{value:.2f}"
    rounded = float(f"{value:.3g}") if abs(value) < 1000 else value
    return f"{rounded:,.{max(0, 2 - math.floor(math.log10(abs(rounded))))}f}"
