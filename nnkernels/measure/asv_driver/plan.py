"""What a run measures: passes over the benchmarks, each benchmark and parameter in a fresh process."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nnkernels import kernels
from nnkernels.contenders import entry
from nnkernels.errors import ConfigurationError, UnknownNameError
from nnkernels.measure.asv_driver.bench_files import BENCH_FILES
from nnkernels.measure.timing.distinct import KERNEL_BENCHMARKS, kernel_owner, prediction_owner
from nnkernels.measure.timing.interleaved_run import contenders_in_process


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
    minutes : int
        About how long it takes on two cores, for the display.
    includes : tuple of str
        The profiles whose benchmarks are measured, by :data:`~nnkernels.measure.asv_driver.bench_files.BENCH_FILES`.
    resumable : bool
        Whether an interrupted run goes on where it was.
    """

    ratio_passes: int
    single_passes: int
    rounds: int
    minutes: int
    includes: tuple[str, ...]
    resumable: bool = False


PROFILES = {
    "quick": Profile(4, 1, rounds=1, minutes=6, includes=("quick",)),
    "standard": Profile(4, 1, rounds=2, minutes=47, includes=("quick", "standard")),
    "full": Profile(10, 3, rounds=3, minutes=150, includes=("quick", "standard", "full"), resumable=True),
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
    asked = _asked(chosen, contenders, dataset, threads)
    passes: list[list[str]] = [[] for _ in range(max(chosen.single_passes, chosen.ratio_passes))]
    for file in BENCH_FILES:
        if file.planned.keys().isdisjoint(chosen.includes):
            continue
        if file.interleaved:
            patterns = {"ratios": _ratios, "other_work": _other_work}[file.name](contenders, dataset, threads)
        else:
            patterns = file.patterns(chosen.includes, asked)
        # Training again from the same seeds would give the same error rates: once is enough.
        count = 1 if file.once else chosen.ratio_passes if file.interleaved else chosen.single_passes
        for number in range(count):
            passes[number] += patterns
    return Plan(tuple(map(tuple, passes)))


def _ratios(contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> list[str]:
    # What asv keeps of an interleaved run: each contender against the two baselines. The records keep all of it.
    patterns = []
    for process, prefix in PROCESSES.items():
        own = [name for name in contenders if entry(name).process == process]
        members = contenders_in_process(contenders, process)
        pairs = [
            (contender, against)
            for against in ("numpy", "keras-fit")
            if against in members
            for contender in own
            if contender != against and (against, contender) != ("numpy", "keras-fit")
        ]
        # One contender has nobody to be compared with; the run gates and times it all the same.
        patterns += [
            _call(f"ratios.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}", [contender], [against], ["epoch"], [dataset])
            for setting in threads
            for contender, against in pairs or [(name, "numpy") for name in own[:1]]
        ]
    return patterns


def _other_work(contenders: Sequence[str], dataset: str, threads: Sequence[str]) -> list[str]:
    # Each call is a process, so asv keeps little: those who train against NumPy, at two of the scenarios.
    patterns = []
    scenarios = ["epoch, Adam", "time to 8.7 % error"]
    for process, prefix in PROCESSES.items():
        trainers = [name for name in contenders if entry(name).trains and entry(name).process == process]
        compared = [name for name in trainers if name != "numpy"] or trainers
        patterns += [
            _call(f"other_work.{prefix}{CLASSES[setting]}.{RELATIVE_TIME}", compared, ["numpy"], scenarios, [dataset])
            for setting in threads
            if compared
        ]
    return patterns


def _asked(
    chosen: Profile, contenders: Sequence[str], dataset: str, threads: Sequence[str]
) -> Mapping[str, Sequence[object]]:
    """Return what the patterns of :class:`BenchFile` stand for."""
    backends = [name for name in contenders if name in kernels.names()]
    return {
        "contender": contenders,
        "threads": threads if "standard" in chosen.includes else threads[:1],
        "dataset": [dataset],
        # Functions that backends share are timed for one of them.
        "predictor": [name for name in contenders if prediction_owner(name) == name],
        **{kernel: [name for name in backends if kernel_owner(kernel, name) == name] for kernel in KERNEL_BENCHMARKS},
    }


def _call(benchmark: str, *parameters: Sequence[object]) -> str:
    # asv writes a call as name(repr, repr, ...).
    alternatives = ["|".join(re.escape(repr(value)) for value in values) for values in parameters]
    return f"^{benchmark.replace('.', '[.]')}\\({', '.join(f'({values})' for values in alternatives)}\\)$"
