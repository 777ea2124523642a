"""What a run measures: passes over the benchmarks, each benchmark and parameter in a fresh process."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnkernels import kernels
from nnkernels.contenders import entry
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.asv_driver.bench_files import BENCH_FILES, BenchFile
from nnkernels.measure.timing.distinct import KERNEL_BENCHMARKS, kernel_owner
from nnkernels.measure.timing.interleaved_run import contenders_in_process
from nnkernels.measure.timing.threads import SETTINGS


@dataclass(frozen=True)
class Profile:
    """How much is measured.

    Attributes
    ----------
    ratio_passes : int
        Fresh processes that every paired ratio is taken over; at least 4 by the measuring rules, of a headline 3 in
        each of the runs that it pools.
    single_passes : int
        Fresh processes of everything else.
    rounds : int
        Rounds of an interleaved run, in each of which every contender trains for some epochs, or for a part of one.
    seeds : int
        Trainings for the test error.
    minutes : int
        About how long it takes on two cores with the extra ``bench``, for the display.
    includes : tuple of str
        The profiles whose benchmarks are measured, by :data:`~nnkernels.measure.asv_driver.bench_files.BENCH_FILES`.
    threads : tuple of str
        Thread settings of the contenders whose threads are fixed for the life of a process, unless others are asked
        for. The contenders that can change threads are always measured at both.
    seeds_to_accuracy, samples : int
        Trainings of "time to accuracy" in each process, and processes for each number of start-up and memory.
    resumable : bool
        Whether an interrupted run goes on where it was.
    """

    ratio_passes: int
    single_passes: int
    rounds: int
    seeds: int
    minutes: int
    includes: tuple[str, ...]
    threads: tuple[str, ...] = SETTINGS
    seeds_to_accuracy: int = 10
    samples: int = 3
    resumable: bool = False


# An interval is over processes, or over the runs of a headline: more rounds, seeds or samples within one narrow it
# little. In quick, frameworks have one thread, at which most trained an epoch faster in most recorded runs; `headline`
# and larger profiles measure both settings.
PROFILES = {
    "quick": Profile(4, 1, rounds=1, seeds=3, minutes=3, includes=("quick",), threads=("1",)),
    # The numbers of the README's table at both thread settings of the frameworks, in a time that can be afforded in
    # each of several hours. With the extra `peers` as well, it took nine minutes.
    "headline": Profile(3, 1, rounds=1, seeds=5, minutes=5, includes=("quick",)),
    "standard": Profile(
        4, 1, rounds=1, seeds=10, minutes=30, includes=("quick", "standard"), seeds_to_accuracy=4, samples=1
    ),
    "full": Profile(10, 3, rounds=3, seeds=10, minutes=150, includes=("quick", "standard", "full"), resumable=True),
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
    asked = _asked(contenders, dataset)
    count = max(chosen.single_passes, chosen.ratio_passes)
    passes: list[list[str]] = [[] for _ in range(count)]
    for file in BENCH_FILES:
        if file.planned.keys().isdisjoint(chosen.includes):
            continue
        if file.interleaved:
            planned = {"ratios": _ratios, "other_work": _other_work}.get(file.name)
            patterns = (
                planned(chosen, contenders, dataset, threads) if planned else file.patterns(chosen.includes, asked)
            )
            numbers = range(chosen.ratio_passes)
        else:
            patterns = file.patterns(chosen.includes, asked)
            numbers = _passes_of(file, chosen, count)
        for number in numbers:
            passes[number] += patterns
    return Plan(tuple(map(tuple, passes)))


def _passes_of(file: BenchFile, chosen: Profile, count: int) -> range:
    """Return the numbers of the passes, of ``count``, that measure what is in no interleaved run."""
    # The ratios of the first pass are the first results on the terminal, so the rest comes later. Training again from
    # the same seeds would give the same error rates: once is enough.
    if file.once:
        return range(min(1, count - 1), min(2, count))
    return range(count) if file.every_pass else range(count - chosen.single_passes, count)


def _ratios(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> list[str]:
    # Each call is a process, so asv keeps little of an interleaved run: each contender against NumPy, and in a short
    # run one of ours. The records keep all of it.
    patterns = []
    for process, prefix in PROCESSES.items():
        own = [name for name in contenders if entry(name).process == process]
        members = contenders_in_process(contenders, process)
        baseline = "numpy" if "numpy" in members else "keras-fit"
        compared = [name for name in own if name != baseline]
        if "standard" not in chosen.includes:
            compared = ([name for name in compared if name in kernels.names()] or compared)[:1]
        # One contender has nobody to be compared with; the run gates and times it all the same.
        compared = compared or own[:1]
        patterns += [
            _call(f"ratios.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}", compared, [baseline], ["epoch"], [dataset])
            for setting in threads
            if compared
        ]
    return patterns


def _other_work(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> list[str]:
    # As little of it: ours against NumPy at one of the scenarios.
    patterns = []
    for process, prefix in PROCESSES.items():
        trainers = [name for name in contenders if entry(name).trains and entry(name).process == process]
        others = [name for name in trainers if name != "numpy"] or trainers
        compared = [name for name in others if name in kernels.names()] or others[:1]
        benchmark = f"other_work.{prefix}{{}}.{RELATIVE_TIME}"
        patterns += [
            _call(benchmark.format(CLASSES[setting]), compared, ["numpy"], ["epoch, Adam"], [dataset])
            for setting in threads
            if compared
        ]
    return patterns


def _asked(contenders: Sequence[str], dataset: str) -> Mapping[str, Sequence[object]]:
    """Return what the patterns of :class:`BenchFile` stand for."""
    backends = [name for name in contenders if name in kernels.names()]
    return {
        "contender": contenders,
        "dataset": [dataset],
        # Functions that backends share are timed for one of them.
        **{kernel: [name for name in backends if kernel_owner(kernel, name) == name] for kernel in KERNEL_BENCHMARKS},
    }


def _call(benchmark: str, *parameters: Sequence[object]) -> str:
    # asv writes a call as name(repr, repr, ...).
    alternatives = ["|".join(re.escape(repr(value)) for value in values) for values in parameters]
    return f"^{benchmark.replace('.', '[.]')}\\({', '.join(f'({values})' for values in alternatives)}\\)$"
