"""The plan of a run: passes over the benchmarks, with a fresh process for each benchmark and parameter value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnkernels import kernels
from nnkernels.contenders import entry
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.asv_driver.bench_files import BENCH_FILES, BenchFile
from nnkernels.measure.timing.distinct import KERNEL_BENCHMARKS, kernel_owner
from nnkernels.measure.timing.interleaved_measuring import contenders_in_process
from nnkernels.measure.timing.threads import SETTINGS


@dataclass(frozen=True)
class Profile:
    """How much a run measures.

    Attributes
    ----------
    ratio_passes : int
        Fresh processes per paired ratio. The measuring rules require at least 4, or 3 in each of the runs that a
        headline pools.
    single_passes : int
        Fresh processes of all other benchmarks.
    rounds : int
        Rounds of an interleaved run. In a round, each contender trains for some epochs or for a part of one.
    seeds : int
        Training runs for the test error.
    minutes : int
        Approximate duration on two cores with the extra ``bench``, for the display.
    includes : tuple of str
        The profiles whose benchmarks are measured; see :data:`~nnkernels.measure.asv_driver.bench_files.BENCH_FILES`.
    threads : tuple of str
        Default thread settings of contenders that cannot change their number of threads while a process runs. Other
        contenders are always measured with both settings.
    seeds_to_accuracy : int
        Training runs of "time to accuracy" per process.
    samples : int
        Processes per result of the start-up and memory benchmarks.
    resumable : bool
        Whether an interrupted run can be continued.
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


# Intervals are over processes, or over the runs of a headline. More rounds, seeds or samples within a process hardly
# narrow them. In `quick`, frameworks use one thread, with which most of them trained faster in most recorded runs.
# `headline` and larger profiles measure both settings.
PROFILES = {
    "quick": Profile(4, 1, rounds=1, seeds=3, minutes=3, includes=("quick",), threads=("1",)),
    # The numbers of the README's table at both thread settings of the frameworks, short enough to be repeated in
    # several hours. With the extra `peers` as well, it took nine minutes.
    "headline": Profile(3, 1, rounds=1, seeds=5, minutes=5, includes=("quick",)),
    "standard": Profile(
        4, 1, rounds=1, seeds=10, minutes=30, includes=("quick", "standard"), seeds_to_accuracy=4, samples=1
    ),
    "full": Profile(10, 3, rounds=3, seeds=10, minutes=150, includes=("quick", "standard", "full"), resumable=True),
}
# A profile without asv, see `nnkernels.accuracy`.
ACCURACY = "accuracy"
# The class name of an interleaved benchmark has a prefix that depends on the process of an `Entry`, and a suffix that
# depends on the thread setting.
CLASSES = {"1": "OneThread", "all": "AllThreads"}
RELATIVE_TIME = "track_relative_time"
PROCESSES = {"": "", "keras-jax": "KerasJax", "torch": "Torch"}


@dataclass(frozen=True)
class Plan:
    """What a run measures.

    Attributes
    ----------
    passes : tuple of tuple of str
        For each pass, asv's regular expressions of benchmarks with their parameters.
    """

    passes: tuple[tuple[str, ...], ...]


def profile(name: str) -> Profile:
    """Return a profile.

    Parameters
    ----------
    name : str
        ``quick``, ``headline``, ``standard`` or ``full``.

    Returns
    -------
    profile : Profile
        The profile of this name.

    Raises
    ------
    UnknownNameError
        If there is no such profile.
    """
    if name not in PROFILES:
        raise UnknownNameError("profile", name, (*PROFILES, ACCURACY))
    return PROFILES[name]


def takes_part(contender: str, profile_name: str) -> bool:
    """Return whether a profile includes a contender by default.

    Parameters
    ----------
    contender, profile_name : str
        Their names.

    Returns
    -------
    takes_part : bool
        Whether it does.
    """
    profiles = list(PROFILES)
    return profiles.index(entry(contender).from_profile) <= profiles.index(profile_name)


def make_plan(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> Plan:
    """Return the plan of a profile.

    Parameters
    ----------
    chosen : Profile
        The profile.
    contenders : sequence of str
        Names of the contenders.
    dataset : str
        Name of the data set.
    threads : sequence of str
        Thread settings of contenders that cannot change threads.

    Returns
    -------
    plan : Plan
        asv's patterns of each pass.

    Raises
    ------
    ConfigurationError
        If a contender requires a process that no benchmark has.
    """
    for name in contenders:
        if (process := entry(name).process) not in PROCESSES:
            known = ", ".join(filter(None, PROCESSES))
            raise ConfigurationError(
                f"{name} requires the process {process!r}, which no benchmark measures; expected one of: {known}"
            )
    values = _placeholder_values(contenders, dataset)
    count = max(chosen.single_passes, chosen.ratio_passes)
    passes: list[list[str]] = [[] for _ in range(count)]
    for file in BENCH_FILES:
        if file.planned.keys().isdisjoint(chosen.includes):
            continue
        if file.interleaved:
            planned = {"ratios": _ratios, "other_work": _other_work}.get(file.name)
            patterns = (
                planned(chosen, contenders, dataset, threads) if planned else file.patterns(chosen.includes, values)
            )
            numbers = range(chosen.ratio_passes)
        else:
            patterns = file.patterns(chosen.includes, values)
            numbers = _pass_indices(file, chosen, count)
        for number in numbers:
            passes[number] += patterns
    return Plan(tuple(map(tuple, passes)))


def _pass_indices(file: BenchFile, chosen: Profile, count: int) -> range:
    """Return the indices, below ``count``, of the passes that measure a file without interleaved runs."""
    # The first pass is kept short, because its ratios are the first results on the terminal. Error rates are measured
    # only once, because training again from the same seeds would reproduce them.
    if file.single_pass:
        return range(min(1, count - 1), min(2, count))
    return range(count) if file.every_pass else range(count - chosen.single_passes, count)


def _ratios(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> list[str]:
    # asv starts a process for each value that it reports, so only part of an interleaved run is reported to asv: the
    # ratio of each contender to NumPy, or of only one contender in a short run. The records contain the whole run.
    patterns = []
    for process, prefix in PROCESSES.items():
        own = [name for name in contenders if entry(name).process == process]
        members = contenders_in_process(contenders, process)
        baseline = "numpy" if "numpy" in members else "keras-fit"
        compared = [name for name in own if name != baseline]
        if "standard" not in chosen.includes:
            compared = ([name for name in compared if name in kernels.names()] or compared)[:1]
        # A single contender has no baseline: it is checked and timed without a ratio.
        compared = compared or own[:1]
        patterns += [
            _call(f"ratios.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}", compared, [baseline], ["epoch"], [dataset])
            for setting in threads
            if compared
        ]
    return patterns


def _other_work(chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> list[str]:
    # Again, only a part is reported to asv: the ratios of our backends to NumPy in one of the scenarios.
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


def _placeholder_values(contenders: Sequence[str], dataset: str) -> Mapping[str, Sequence[object]]:
    """Return the values of the placeholders in patterns of :class:`BenchFile`."""
    backends = [name for name in contenders if name in kernels.names()]
    return {
        "contender": contenders,
        "dataset": [dataset],
        # A function that several backends share is timed only for the backend that defines it.
        **{kernel: [name for name in backends if kernel_owner(kernel, name) == name] for kernel in KERNEL_BENCHMARKS},
    }


def _call(benchmark: str, *parameters: Sequence[object]) -> str:
    # asv names a benchmark with its parameters as name(repr, repr, ...).
    alternatives = ["|".join(re.escape(repr(value)) for value in values) for values in parameters]
    return f"^{benchmark.replace('.', '[.]')}\\({', '.join(f'({values})' for values in alternatives)}\\)$"
