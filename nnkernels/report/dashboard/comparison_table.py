"""The numbers of the section that compares, formatted: those of a run for the page's script, and the default view."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.report import formats
from nnkernels.report.dashboard.kinds import kind
from nnkernels.report.ratios import BASELINE, PairedRatios
from nnkernels.report.tidy import SCENARIO_UNITS
from nnkernels.statistics import Estimate

UNITS = {"seconds_per_epoch": "time per epoch", "seconds_per_call": "time per call"}
# An estimate for the script: value, ends of the interval, both formatted, number of samples.
Cell = tuple[float, float | None, float | None, str, str, int]


@dataclass(frozen=True)
class Line:
    """A line of the comparison with a reference.

    Attributes
    ----------
    name, kind, threads : str
        The contender, its kind, and its thread setting.
    ratio, seconds : Estimate or None
        How many times as fast it is as the reference, and its time.
    star : bool
        Whether the reference is at its slower thread setting, because no process timed both at the faster one.
    """

    name: str
    kind: str
    threads: str
    ratio: Estimate | None
    seconds: Estimate | None
    star: bool


def default_work(ratios: PairedRatios) -> str:
    """Return the scenario that is shown first.

    Parameters
    ----------
    ratios : PairedRatios
        The paired ratios of a run.

    Returns
    -------
    work : str
        The epoch if it was measured; empty if nothing was.
    """
    works = ratios.scenarios()
    return EPOCH if EPOCH in works else next(iter(works), "")


def default_reference(names: Sequence[str]) -> str:
    """Return the contender with which others are compared first.

    Parameters
    ----------
    names : sequence of str
        The contenders.

    Returns
    -------
    name : str
        NumPy if it was timed, otherwise the first one.
    """
    return BASELINE if BASELINE in names else names[0]


def lines(ratios: PairedRatios, work: str, reference: str) -> list[Line]:
    """Compare all contenders with a reference, each at its faster thread setting.

    Parameters
    ----------
    ratios : PairedRatios
        The paired ratios of a run.
    work : str
        The scenario.
    reference : str
        The name of the reference.

    Returns
    -------
    lines : list of Line
        The fastest first; those without a ratio last.
    """
    found = []
    for name in ratios.contenders(work):
        threads = str(ratios.faster_setting(work, name))
        ratio = ratios.against(work, (name, threads), reference)
        seconds = ratios.seconds(work, name, threads)
        star = ratio is not None and not ratio.is_faster
        found.append(Line(name, kind(name), threads, ratio and ratio.estimate, seconds, star))
    return sorted(found, key=lambda line: -line.ratio.value if line.ratio else math.inf)


def run_payload(ratios: PairedRatios) -> dict[str, Any]:
    """Return all comparisons of a run for the page's script.

    Parameters
    ----------
    ratios : PairedRatios
        The paired ratios of the run.

    Returns
    -------
    payload : dict
        ``threads``, the thread settings, and ``works``, the scenarios, that of :func:`default_work` first. Each has the
        ``seconds`` of each label, such as ``fused@1``, and the ``ratios`` of each label by the label of the reference:
        those at equal settings, and those of each contender at its faster setting.
    """
    first = default_work(ratios)
    works = sorted(ratios.scenarios(), key=lambda work: work != first)
    settings = {threads for work in works for _name, threads in ratios.labels(work)}
    return {"threads": sorted(settings), "works": [_work(ratios, work) for work in works if ratios.labels(work)]}


def unit(work: str) -> str:
    """Return what the seconds of a scenario are.

    Parameters
    ----------
    work : str
        The scenario.

    Returns
    -------
    unit : str
        For example ``time per epoch``.
    """
    return UNITS.get(SCENARIO_UNITS.get(work, ""), "time")


def cell(estimate: Estimate, write: Callable[[Estimate], str]) -> Cell:
    """Format an estimate for the page's script.

    Parameters
    ----------
    estimate : Estimate
        The estimate.
    write : callable
        Formats it, with its interval in brackets.

    Returns
    -------
    cell : tuple
        Value, low and high with five digits (None if there is no interval), the formatted value, the formatted
        interval, and the number of samples.
    """
    text, _bracket, interval = write(estimate).partition(" [")
    known = bool(interval)
    low, high = (_rounded(end) if known else None for end in (estimate.low, estimate.high))
    return _rounded(estimate.value), low, high, text, f"[{interval}" if known else "", estimate.samples


def _work(ratios: PairedRatios, work: str) -> dict[str, Any]:
    names, labels = ratios.contenders(work), ratios.labels(work)
    faster = {name: ratios.faster_setting(work, name) for name in names}
    seconds = {label: ratios.seconds(work, *label) for label in labels}
    pairs = {
        ours: {
            theirs: ratio
            for theirs in labels
            if (ours[1] == theirs[1] or ours[1] == faster[ours[0]]) and (ratio := ratios.at(work, ours, theirs))
        }
        for ours in labels
    }
    return {
        "id": work,
        "label": work,
        "unit": unit(work),
        "reference": default_reference(names),
        "contenders": [{"name": name, "kind": kind(name), "faster": faster[name]} for name in names],
        "seconds": {"@".join(label): cell(found, formats.time) for label, found in seconds.items() if found},
        "ratios": {
            "@".join(ours): {"@".join(theirs): cell(ratio, formats.ratio) for theirs, ratio in others.items()}
            for ours, others in pairs.items()
        },
    }


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")
