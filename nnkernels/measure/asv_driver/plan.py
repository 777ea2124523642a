"""What a run measures: passes over the benchmarks, each benchmark and parameter in a fresh process."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels import kernels
from nnkernels.contenders import entry
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.timing.distinct import KERNEL_BENCHMARKS, kernel_owner
from nnkernels.measure.timing.interleaved_run import contenders_in_process
from nnkernels.measure.timing.threads import SETTINGS


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
        Rounds of an interleaved run, in each of which every contender trains for some epochs, or for a part of one.
    seeds : int
        Trainings for the test error.
    minutes : int
        About how long it takes on two cores with the extra ``bench``, for the display.
    threads : tuple of str
        Thread settings of the contenders whose threads are fixed for the life of a process, unless others are asked
        for. The contenders that can change threads are always measured at both.
    seeds_to_accuracy, samples : int
        Trainings of "time to accuracy" in each process, and processes for each number of start-up and memory.
    everything : bool
        Whether kernels, start-up, memory, the limits of the machine and data larger than memory are measured.
    other_work : bool
        Whether the further scenarios (Adam, large batches, wide layers, time to accuracy) are, over as many processes
        as the other ratios.
    scaling : bool
        Whether scaling is.
    resumable : bool
        Whether an interrupted run goes on where it was.
    """

    ratio_passes: int
    single_passes: int
    rounds: int
    seeds: int
    minutes: int
    threads: tuple[str, ...] = SETTINGS
    seeds_to_accuracy: int = 10
    samples: int = 3
    everything: bool = True
    other_work: bool = True
    scaling: bool = True
    resumable: bool = False


# An interval is over processes: more rounds, seeds or samples within one narrow it little. In quick, frameworks have
# one thread: in every recorded run, each trained an epoch faster on one thread than on all.
PROFILES = {
    "quick": Profile(
        ratio_passes=4,
        single_passes=1,
        rounds=1,
        seeds=3,
        minutes=3,
        threads=("1",),
        everything=False,
        other_work=False,
        scaling=False,
    ),
    "standard": Profile(
        ratio_passes=4, single_passes=1, rounds=1, seeds=10, minutes=30, seeds_to_accuracy=4, samples=1, scaling=False
    ),
    "full": Profile(ratio_passes=10, single_passes=3, rounds=3, seeds=10, minutes=150, resumable=True),
}
# Of the benchmarks that are interleaved runs, by thread setting, and what goes before it, by the process of an `Entry`.
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
    """

    passes: tuple[tuple[str, ...], ...]


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
    ratios = _ratios(chosen, contenders, dataset, threads)
    if chosen.other_work:
        ratios += _other_work(contenders, dataset, threads)
    singles = _singles(chosen, contenders, dataset)
    # Training again from the same seeds would give the same error rates: once is enough. Not in the first pass, whose
    # ratios are the first results on the terminal.
    accuracy = _call("accuracy.ErrorRate.track_(test|train)", contenders, [dataset])
    count = max(chosen.single_passes, chosen.ratio_passes)
    passes = [
        (
            *((accuracy,) if number == min(1, count - 1) else ()),
            *(singles if number >= count - chosen.single_passes else ()),
            *(ratios if number < chosen.ratio_passes else ()),
        )
        for number in range(count)
    ]
    return Plan(tuple(passes))


def _ratios(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> tuple[str, ...]:
    # Each call is a process, so asv keeps little of an interleaved run: each contender against NumPy, and in a short
    # run ours alone. The records keep all of it.
    patterns = []
    for process, prefix in PROCESSES.items():
        own = [name for name in contenders if entry(name).process == process]
        members = contenders_in_process(contenders, process)
        baseline = "numpy" if "numpy" in members else "keras-fit"
        compared = [name for name in own if name != baseline]
        if not chosen.everything:
            compared = [name for name in compared if name in kernels.names()] or compared[:1]
        # One contender has nobody to be compared with; the run gates and times it all the same.
        compared = compared or own[:1]
        patterns += [
            _call(f"ratios.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}", compared, [baseline], ["epoch"], [dataset])
            for setting in threads
            if compared
        ]
    return tuple(patterns)


def _other_work(contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> tuple[str, ...]:
    # As little of it: ours against NumPy at one of the scenarios.
    patterns = []
    for process, prefix in PROCESSES.items():
        trainers = [name for name in contenders if entry(name).trains and entry(name).process == process]
        others = [name for name in trainers if name != "numpy"] or trainers
        compared = [name for name in others if name in kernels.names()] or others[:1]
        patterns += [
            _call(
                f"other_work.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}",
                compared,
                ["numpy"],
                ["epoch, Adam"],
                [dataset],
            )
            for setting in threads
            if compared
        ]
    return tuple(patterns)


def _singles(chosen: Profile, contenders: Sequence[str], dataset: str) -> tuple[str, ...]:
    # Epochs and predictions are timed by the interleaved runs alone: the benchmarks training and inference are for asv
    # by hand.
    patterns = []
    named = f"({'|'.join(re.escape(repr(name)) for name in contenders)})"
    if chosen.everything:
        backends = [name for name in contenders if name in kernels.names()]
        for kernel in KERNEL_BENCHMARKS:
            # Functions that backends share are timed for one of them.
            owning = [name for name in backends if kernel_owner(kernel, name) == name]
            if owning:
                patterns.append(_call(f"kernels.Kernels.time_{kernel}", owning, [1, 32, 256, 2048], [dataset]))
        patterns += [
            rf"^(limits|large_data)[.].*{re.escape(repr(dataset))}",
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
