"""Numbers as people write them."""

from __future__ import annotations

import math

from nnkernels.statistics import Estimate

PERCENT = ("error_rate", "share_of_limit")  # units of fractions that are shown as percentages


def duration(seconds: float) -> str:
    """Return a time with three significant digits and the unit that suits it."""
    if math.isnan(seconds):
        return "-"
    factor, unit = _time_unit(seconds)
    return f"{significant(seconds * factor)} {unit}"


def time(estimate: Estimate | None, interval: bool = True) -> str:
    """Return a time with its interval, in the same unit, where it has one that is wanted."""
    if estimate is None:
        return "-"
    factor, _unit = _time_unit(estimate.value)
    return duration(estimate.value) + _interval(estimate, factor, interval)


def ratio(estimate: Estimate | None, interval: bool = True) -> str:
    """Return a ratio with its interval, where it has one that is wanted."""
    if estimate is None:
        return "-"
    return significant(estimate.value) + _interval(estimate, 1, interval and estimate.low != estimate.high)


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
    if unit in PERCENT:
        return rate(value)
    return f"{significant(value)} {unit}"


def estimate(found: Estimate, unit: str, interval: bool = True) -> str:
    """Return the value of a tidy row with its unit and its interval, where it has one that is wanted."""
    if unit.startswith("seconds"):
        return time(found, interval)
    if unit in PERCENT:
        return percent(found, interval)
    return quantity(found.value, unit) + _interval(found, 1, interval)


def epochs(count: float | None) -> str:
    """Return a number of epochs to break even; a dash for none."""
    if count is None:
        return "-"
    if math.isnan(count):
        return "undecided"
    return "never" if math.isinf(count) else f"{count:.2g}" if count < 100 else f"{count:,.0f}"


def rate(value: float) -> str:
    """Return a fraction as a percentage with two decimals."""
    return f"{100 * value:.2f} %"


def percentage(share: float) -> str:
    """Return a fraction as a percentage with three significant digits; a dash if it is infinite."""
    return "-" if math.isinf(share) else f"{significant(100 * share)} %"


def significant(value: float) -> str:
    """Return a number with three significant digits, and never fewer before the point."""
    if not value or not math.isfinite(value):
        return f"{value:.2f}"
    rounded = float(f"{value:.3g}") if abs(value) < 1000 else value
    return f"{rounded:,.{max(0, 2 - math.floor(math.log10(abs(rounded))))}f}"


def _time_unit(seconds: float) -> tuple[float, str]:
    units = ((1, "s"), (1e3, "ms"), (1e6, "us"))
    return next((found for found in units if seconds * found[0] >= 1), (1e9, "ns"))


def _interval(found: Estimate, factor: float, wanted: bool) -> str:
    if not wanted or math.isnan(found.low):
        return ""
    return f" [{significant(factor * found.low)}, {significant(factor * found.high)}]"
