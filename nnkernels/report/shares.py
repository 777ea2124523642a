"""How much of what the machine allows each contender reaches, with an interval that holds the noise of both.

A limit and a contender's time come from different processes, so they are no pairs. The interval of one run is Welch's,
on logarithms: it holds what varies between the processes of the limit and between those of the contender. Of pooled
runs, each run gives one share, and the interval is Student's over the runs.
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
# By scenario, the benchmark that has the seconds that it takes at least.
LIMITS = {EPOCH: "limits.Bound.track_epoch", TEN_THOUSAND: "limits.Bound.track_inference"}


def shares_of_limits(run: Run, ratios: PairedRatios) -> Iterator[dict[str, Any]]:
    """Return a row for each bound, contender and thread setting: the bound's seconds over the contender's.

    Parameters
    ----------
    run : Run
        Without rows where it did not measure what the machine allows.
    ratios : PairedRatios
        Those of the run.
    """
    for work, benchmark in LIMITS.items():
        limits: dict[tuple[str, str], dict[int, Floats]] = {}
        for index, one in enumerate(run.each):
            for row, logs in log_values(one, benchmark):
                limits.setdefault((row["bound"], row["threads"]), {})[index] = logs
        for (bound, threads), of_runs in limits.items():
            for name, setting in ratios.labels(work):
                if setting != threads:
                    continue
                times = ratios.log_seconds(work, name, threads)
                pairs = [(logs, times[index]) for index, logs in of_runs.items() if len(times[index])]
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
    """Return the share from the logarithms of the limit's and the contender's seconds, a pair of samples a run."""
    if not pooled:
        return welch(*pairs[0]).exp()
    return student([limit.mean() - time.mean() for limit, time in pairs]).exp()
