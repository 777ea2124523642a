"""What a run measures: passes over the benchmarks, each benchmark and parameter in a fresh process."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels import kernels
from nnkernels.contenders import entry
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.timing.distinct import KERNEL_BENCHMARKS, kernel_owner, prediction_owner
from nnkernels.measure.timing.interleaved_run import panel_members


@dataclass(frozen=True)
class Profile:
    """How much is measured.

    Attributes
    ----------
    ratio_passes : int
        Fresh processes that every paired ratio is taken over; at least 4 by the measuring rules.
    single_passes : int
        Fresh processes of everything else.
    rounds : int
        Rounds of a panel, in each of which every contender trains for some epochs, or for a part of one.
    minutes : int
        About how long it takes on two cores, for the display.
    everything : bool
        Whether start-up, memory, the limits of the machine, data larger than memory, all batch sizes and both thread
        settings are measured.
    other_work : bool
        Whether the panels of other work (Adam, large batches, wide layers, time to accuracy) are, over as many
        processes as the other ratios.
    scaling : bool
        Whether scaling is.
    resumable : bool
        Whether an interrupted run goes on where it was.
    """

    ratio_passes: int
    single_passes: int
    rounds: int
    minutes: int
    everything: bool = True
    other_work: bool = True
    scaling: bool = True
    resumable: bool = False


PROFILES = {
    "quick": Profile(
        ratio_passes=4, single_passes=1, rounds=1, minutes=6, everything=False, other_work=False, scaling=False
    ),
    "standard": Profile(ratio_passes=4, single_passes=1, rounds=2, minutes=47, scaling=False),
    "full": Profile(ratio_passes=10, single_passes=3, rounds=3, minutes=150, resumable=True),
}
# Of the benchmarks that measure panels, by thread setting, and what goes before it, by the process of an `Entry`.
CLASSES = {"1": "OneThread", "all": "AllThreads"}
RELATIVE_TIME = "track_relative_time"
PROCESSES = {"": "", "keras-jax": "KerasJax", "torch": "Torch"}


@dataclass(frozen=True)
class Plan:
    """What a run measures.

    Attributes
    ----------
    passes : tuple of tuple of str
        For each pass, asv's regular expressions over benchmarks with their parameters.
    rounds : int
        Rounds of a panel.
    """

    passes: tuple[tuple[str, ...], ...]
    rounds: int


def profile(name: str) -> Profile:
    """Return a profile by name; raises UnknownNameError if there is none."""
    if name not in PROFILES:
        raise UnknownNameError("profile", name, tuple(PROFILES))
    return PROFILES[name]


def takes_part(contender: str, profile_name: str) -> bool:
    """Return whether a contender is measured in a profile without being asked for by name."""
    profiles = list(PROFILES)
    return profiles.index(entry(contender).from_profile) <= profiles.index(profile_name)


def make_plan(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> Plan:
    """Return the plan of a profile for these contenders, this data set and these thread settings.

    Raises
    ------
    ConfigurationError
        If a contender asks for a process that no benchmark measures.
    """
    for name in contenders:
        if (process := entry(name).process) not in PROCESSES:
            known = ", ".join(filter(None, PROCESSES))
            raise ConfigurationError(
                f"{name} asks for the process {process!r}, which no benchmark measures; known are: {known}"
            )
    ratios = _ratios(contenders, dataset, threads)
    if chosen.other_work:
        ratios += _other_work(contenders, dataset, threads)
    singles = _singles(chosen, contenders, dataset, threads)
    # Training again from the same seeds would give the same error rates: once is enough.
    accuracy = _call("accuracy.ErrorRate.track_(test|train)", contenders, [dataset])
    passes = [
        (
            *((accuracy,) if number == 0 else ()),
            *(singles if number < chosen.single_passes else ()),
            *(ratios if number < chosen.ratio_passes else ()),
        )
        for number in range(max(chosen.single_passes, chosen.ratio_passes))
    ]
    return Plan(tuple(passes), chosen.rounds)


def _ratios(contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> tuple[str, ...]:
    # What asv keeps of a panel: each contender against the two baselines. The records keep all of it.
    patterns = []
    for process, prefix in PROCESSES.items():
        own = [name for name in contenders if entry(name).process == process]
        members = panel_members(contenders, process)
        pairs = [
            (contender, against)
            for against in ("numpy", "keras-fit")
            if against in members
            for contender in own
            if contender != against and (against, contender) != ("numpy", "keras-fit")
        ]
        # One contender has nobody to be compared with; the panel gates and times it all the same.
        patterns += [
            _call(f"ratios.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}", [contender], [against], ["epoch"], [dataset])
            for setting in threads
            for contender, against in pairs or [(name, "numpy") for name in own[:1]]
        ]
    return tuple(patterns)


def _other_work(contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> tuple[str, ...]:
    # Each call is a process, so asv keeps little: those who train against NumPy, at two of the works.
    patterns = []
    works = ["epoch, Adam", "time to 8.7 % error"]
    for process, prefix in PROCESSES.items():
        trainers = [name for name in contenders if entry(name).trains and entry(name).process == process]
        compared = [name for name in trainers if name != "numpy"] or trainers
        patterns += [
            _call(f"other_work.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}", compared, ["numpy"], works, [dataset])
            for setting in threads
            if compared
        ]
    return tuple(patterns)


def _singles(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> tuple[str, ...]:
    backends = [name for name in contenders if name in kernels.names()]
    settings = threads if chosen.everything else threads[:1]
    # Functions that backends share are timed for one of them.
    predicting = [name for name in contenders if prediction_owner(name) == name]
    patterns = [_call("training.Epoch.time_epoch", contenders, settings, [dataset])]
    if predicting:
        patterns.append(_call("inference.OneImage.time_predict", predicting, settings, [dataset]))
    for kernel in KERNEL_BENCHMARKS:
        owning = [name for name in backends if kernel_owner(kernel, name) == name]
        if owning:
            patterns.append(_call(f"kernels.Kernels.time_{kernel}", owning, [1, 32, 256, 2048], [dataset]))
    named = f"({'|'.join(re.escape(repr(name)) for name in contenders)})"
    if chosen.everything:
        if predicting:
            patterns.append(_call("inference.Predict.time_predict", predicting, [10_000], settings, [dataset]))
        patterns.append(rf"^(limits|large_data)[.].*{re.escape(repr(dataset))}")
        patterns += [
            r"^startup[.](Import|NumbaItself)[.]",
            rf"^(startup[.]FirstCall|memory)[.].*{named}.*{re.escape(repr(dataset))}",
        ]
    if chosen.scaling:
        patterns.append(rf"^scaling[.].*{named}.*{re.escape(repr(dataset))}")
    return tuple(patterns)


def _call(benchmark: str, *parameters: Sequence[object]) -> str:
    # asv writes a call as name(repr, repr, ...).
    alternatives = ["|".join(re.escape(repr(value)) for value in values) for values in parameters]
    return f"^{benchmark.replace('.', '[.]')}\\({', '.join(f'({values})' for values in alternatives)}\\)$"
