"""The contenders that take part in a scenario of an interleaved run, and their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.measure.timing.distinct import prediction_owner
from nnkernels.measure.timing.scenarios import Scenario
from nnkernels.measure.timing.threads import SETTINGS, thread_count


def suits(scenario: Scenario, name: str, contender: Contender) -> bool:
    """Return whether a contender takes part in a scenario.

    Parameters
    ----------
    scenario : Scenario
        The scenario.
    name : str
        Name of the contender.
    contender : Contender
        The contender.

    Returns
    -------
    suits : bool
        Whether it takes part.
    """
    return scenario.suits(contenders.entry(name).trains, contender.whole_epochs_only)


def timed_as_another(scenario: Scenario, name: str, ready: Mapping[str, Contender]) -> bool:
    """Return whether another contender of the run predicts with the same function, so that its time applies.

    Parameters
    ----------
    scenario : Scenario
        The scenario.
    name : str
        Name of the contender.
    ready : mapping of str to Contender
        The contenders of the run.

    Returns
    -------
    timed_as_another : bool
        Always False for scenarios other than predictions.
    """
    owner = prediction_owner(name) if scenario.kind == "predict" else name
    return owner != name and owner in ready


def settings(contender: Contender, framework_threads: str) -> Sequence[str]:
    """Return the thread settings with which a contender is checked by the gate and timed.

    Parameters
    ----------
    contender : Contender
        The contender.
    framework_threads : str
        ``1`` or ``all``: the process' setting for contenders that cannot change it.

    Returns
    -------
    settings : sequence of str
        Both settings if the contender can change its number of threads, otherwise ``framework_threads`` alone.
    """
    # Every process times both settings of a contender that can change its number of threads. So both times of a ratio
    # come from the same process, even if the two contenders are fastest with different settings.
    return SETTINGS if contender.threads_can_change else [framework_threads]


def by_label(contenders_by_name: dict[str, Contender], framework_threads: str) -> dict[str, tuple[Contender, int]]:
    """Return the contenders to time, with their numbers of threads, by label.

    Parameters
    ----------
    contenders_by_name : dict of str to Contender
        The contenders by name.
    framework_threads : str
        ``1`` or ``all``: the process' setting for contenders that cannot change it.

    Returns
    -------
    labelled : dict
        For each label ``name@setting``, the contender and its number of threads.
    """
    return {
        f"{name}@{setting}": (contender, thread_count(setting))
        for name, contender in contenders_by_name.items()
        for setting in settings(contender, framework_threads)
    }
