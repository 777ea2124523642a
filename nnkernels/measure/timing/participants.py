"""Who takes part in a scenario of an interleaved run, and under which labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.measure.timing.distinct import prediction_owner
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.threads import SETTINGS, thread_count


def suits(scenario: Scenario, name: str, contender: Contender) -> bool:
    """Return whether a contender of that name takes part in a scenario."""
    return scenario.suits(contenders.entry(name).trains, contender.whole_epochs_only)


def timed_as_another(scenario: Scenario, name: str, ready: Mapping[str, Contender]) -> bool:
    """Return whether another contender of the run predicts by the same function: its time is this one's."""
    owner = prediction_owner(name) if scenario.kind == "predict" else name
    return owner != name and owner in ready


def settings(contender: Contender, framework_threads: str) -> Sequence[str]:
    """Return the thread settings at which a contender passes the gate and is timed."""
    # Who can change threads at any time is measured at both settings beside each setting of those who cannot,
    # so that a ratio against the other's faster setting is a ratio within one process too.
    return SETTINGS if contender.threads_can_change else [framework_threads]


def by_label(able: dict[str, Contender], framework_threads: str) -> dict[str, tuple[Contender, int]]:
    """Return who is timed under which label, on how many threads."""
    return {
        f"{name}@{setting}": (contender, thread_count(setting))
        for name, contender in able.items()
        for setting in settings(contender, framework_threads)
    }
