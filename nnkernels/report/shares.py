"""Shares of limits: the fraction of the speed that the machine allows which each contender reaches.

A limit and a contender's time come from different processes, so they are not paired. For a single run, the interval is
Welch's on logarithms. It includes the variation between the processes of the limit and between those of the contender.
Pooled runs give one share each, and the interval is Student's over the runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnkernels.measure.timing.scenarios import EPOCH, TEN_THOUSAND
from nnkernels.report.asv_rows import estimate_columns, log_values
from nnkernels.report.ratios import PairedRatios
from nnkernels.report.runs import Run
from nnkernels.statistics import Estimate, Floats, student, welch

SHARES = "shares of limits"
UNIT = "share_of_limit"
# For each scenario, the benchmark that measures a lower bound of its time.
LIMITS = {EPOCH: "limits.Bound.track_epoch", TEN_THOUSAND: "limits.Bound.track_inference"}


def shares_of_limits(run: Run, ratios: PairedRatios) -> Iterator[dict[str, Any]]:
    """Return the tidy rows of the shares: the time of a bound over that of a contender.

    Parameters
    ----------
    run : Run
        The run. If it did not measure the limits, there are no rows.
    ratios : PairedRatios
        The paired ratios of the run.

    Yields
    ------
    row : dict of str to str, float or int
        One for each bound, contender and thread setting.
    """
    for work, benchmark in LIMITS.items():
        limits: dict[tuple[str, str], dict[int, Floats]] = {}
        for index, one in enumerate(run.each):
            for row, logs in log_values(one, benchmark):
                limits.setdefault((row["bound"], row["threads"]), {})[index] = logs
        for (bound, threads), logs_by_run in limits.items():
            for name, setting in ratios.labels(work):
                if setting != threads:
                    continue
                times = ratios.log_seconds(work, name, threads)
                pairs = [(logs, times[index]) for index, logs in logs_by_run.items() if len(times[index])]
                if pairs:
                    yield {
                        "benchmark": SHARES,
                        "contender": name,
                        "work": work,
                        "bound": bound,
                        "threads": threads,
                        "unit": UNIT,
                        **estimate_columns(_share(pairs, pooled=len(run.each) > 1)),
                    }


def _share(pairs: list[tuple[Floats, Floats]], pooled: bool) -> Estimate:
    """Return the share, given the logarithms of the times of the limit and of the contender for each run."""
    if not pooled:
        return welch(*pairs[0]).exp()
    return student([limit.mean() - time.mean() for limit, time in pairs]).exp()
