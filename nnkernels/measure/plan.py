"""What a run measures: passes over the benchmarks, each benchmark and parameter in a fresh process."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels import kernels

RATIO_PASSES = 4  # fresh processes a paired ratio is taken over: rule 4 of the measuring rules


@dataclass(frozen=True)
class Plan:
    """What a run measures.

    Attributes
    ----------
    passes : tuple of tuple of str
        For each pass, asv's regular expressions over benchmarks with their parameters.
    rounds : int
        Rounds of a panel, in each of which every contender trains for an epoch.
    """

    passes: tuple[tuple[str, ...], ...]
    rounds: int


def quick_plan(contenders: Sequence[str], dataset: str) -> Plan:
    """Return the plan that takes three minutes on two cores: everything once, the paired ratios four times."""
    backends = [name for name in contenders if name in kernels.names()]
    ratios = tuple(
        _call(f"ratios.{setting}.track_relative_time", [name], [against], ["epoch"], [dataset])
        for setting in ("OneThread", "AllThreads")
        for against in ("numpy", "keras-fit")
        if against in contenders
        for name in contenders
        if name != against and not (against == "numpy" and name == "keras-fit")
    )
    if len(contenders) == 1:  # nobody to compare with: the panel still gates and times it
        ratios = ()
    singles = (
        _call("accuracy.ErrorRate.track_(test|train)", contenders, [dataset]),
        _call("inference.Predict.time_predict", contenders, [1], ["1"], [dataset]),
        _call("training.Epoch.time_epoch", contenders, ["1"], [dataset]),
        _call("kernels.Kernels.time_(forward|backward|step)", backends, [1, 32, 256, 2048], [dataset]),
    )
    return Plan(((*singles, *ratios), *[ratios] * (RATIO_PASSES - 1 if ratios else 0)), rounds=1)


def _call(benchmark: str, *parameters: Sequence[object]) -> str:
    # asv writes a call as name(repr, repr, ...).
    alternatives = ["|".join(re.escape(repr(value)) for value in values) for values in parameters]
    return f"^{benchmark.replace('.', '[.]')}\\({', '.join(f'({values})' for values in alternatives)}\\)$"
