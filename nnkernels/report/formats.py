"""Numbers as people write them."""

from __future__ import annotations

import math

from nnkernels.report.statistics import Estimate


def duration(seconds: float) -> str:
    """Return a time with three significant digits and the unit that suits it."""
    if math.isnan(seconds):
        return "-"
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{_significant(seconds * factor)} {unit}"
    return f"{_significant(seconds * 1e9)} ns"


def ratio(estimate: Estimate | None) -> str:
    """Return a ratio with its interval, where it has one."""
    if estimate is None:
        return "-"
    text = f"{_significant(estimate.value)} x"
    if math.isnan(estimate.low):
        return text
    return f"{text} [{_significant(estimate.low)}, {_significant(estimate.high)}]"


def percent(estimate: Estimate | None) -> str:
    """Return a rate as a percentage with its interval, where it has one."""
    if estimate is None:
        return "-"
    text = f"{100 * estimate.value:.2f} %"
    return text if math.isnan(estimate.low) else f"{text} [{100 * estimate.low:.2f}, {100 * estimate.high:.2f}]"


def _significant(value: float) -> str:
    digits = 2 - math.floor(math.log10(abs(value))) if value else 2
    return f"{value:,.{max(0, digits)}f}"
