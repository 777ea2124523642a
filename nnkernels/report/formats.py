"""Formatting of numbers for people."""

from __future__ import annotations

import math

from nnkernels.statistics import Estimate

PERCENT = ("error_rate", "share_of_limit")  # units of fractions that are shown as percentages


def duration(seconds: float) -> str:
    """Format a time with three significant digits, in the unit that suits its size.

    Parameters
    ----------
    seconds : float
        The time in seconds.

    Returns
    -------
    text : str
        For example ``18.9 ms``; a dash for NaN.
    """
    if math.isnan(seconds):
        return "-"
    factor, unit = _time_unit(seconds)
    return f"{significant(seconds * factor)} {unit}"


def time(estimate: Estimate | None, interval: bool = True) -> str:
    """Format an estimate of a time.

    Parameters
    ----------
    estimate : Estimate or None
        Seconds.
    interval : bool, default: True
        Whether to append the 95 % interval, in the same unit, if the estimate has one.

    Returns
    -------
    text : str
        For example ``18.9 ms [18.1, 19.7]``; a dash for None.
    """
    if estimate is None:
        return "-"
    factor, _unit = _time_unit(estimate.value)
    return duration(estimate.value) + _interval(estimate, factor, interval)


def ratio(estimate: Estimate | None, interval: bool = True) -> str:
    """Format an estimate of a ratio.

    Parameters
    ----------
    estimate : Estimate or None
        The ratio.
    interval : bool, default: True
        Whether to append the 95 % interval, if the estimate has one.

    Returns
    -------
    text : str
        For example ``9.57 [9.41, 9.73]``; a dash for None.
    """
    if estimate is None:
        return "-"
    return significant(estimate.value) + _interval(estimate, 1, interval and estimate.low != estimate.high)


def percent(estimate: Estimate | None, interval: bool = True) -> str:
    """Format an estimate of a fraction as a percentage.

    Parameters
    ----------
    estimate : Estimate or None
        A fraction, such as an error rate.
    interval : bool, default: True
        Whether to append the 95 % interval, in percent, if the estimate has one.

    Returns
    -------
    text : str
        For example ``8.70 % [8.61, 8.79]``; a dash for None.
    """
    if estimate is None:
        return "-"
    text = rate(estimate.value)
    if not interval or math.isnan(estimate.low):
        return text
    return f"{text} [{100 * estimate.low:.2f}, {100 * estimate.high:.2f}]"


def quantity(value: float, unit: str) -> str:
    """Format the value of a tidy row with its unit.

    Parameters
    ----------
    value : float
        The value.
    unit : str
        The unit of the row: ``seconds`` (optionally with a suffix), one of :data:`PERCENT`, or any other.

    Returns
    -------
    text : str
        The formatted value; empty for NaN.
    """
    if math.isnan(value):
        return ""
    if unit.startswith("seconds"):
        return duration(value)
    if unit in PERCENT:
        return rate(value)
    return f"{significant(value)} {unit}"


def estimate(found: Estimate, unit: str, interval: bool = True) -> str:
    """Format the estimate of a tidy row with its unit.

    Parameters
    ----------
    found : Estimate
        The estimate.
    unit : str
        The unit of the row, as for :func:`quantity`.
    interval : bool, default: True
        Whether to append the 95 % interval, if the estimate has one.

    Returns
    -------
    text : str
        The formatted estimate.
    """
    if unit.startswith("seconds"):
        return time(found, interval)
    if unit in PERCENT:
        return percent(found, interval)
    return quantity(found.value, unit) + _interval(found, 1, interval)


def epochs(count: float | None) -> str:
    """Format the number of epochs after which a contender breaks even.

    Parameters
    ----------
    count : float or None
        The number of epochs. NaN means undecided, infinity never, and None unknown.

    Returns
    -------
    text : str
        A number, ``undecided``, ``never``, or a dash for None.
    """
    if count is None:
        return "-"
    if math.isnan(count):
        return "undecided"
    return "never" if math.isinf(count) else f"{count:.2g}" if count < 100 else f"{count:,.0f}"


def rate(value: float) -> str:
    """Format a fraction as a percentage with two decimals.

    Parameters
    ----------
    value : float
        A fraction, such as an error rate.

    Returns
    -------
    text : str
        For example ``8.70 %``.
    """
    return f"{100 * value:.2f} %"


def percentage(share: float) -> str:
    """Format a fraction as a percentage with three significant digits.

    Parameters
    ----------
    share : float
        A fraction.

    Returns
    -------
    text : str
        For example ``3.14 %``; a dash for infinity.
    """
    return "-" if math.isinf(share) else f"{significant(100 * share)} %"


def significant(value: float) -> str:
    """Format a number with three significant digits, but with all digits before the decimal point.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    text : str
        For example ``9.57``, ``106`` or ``12,345``.
    """
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
