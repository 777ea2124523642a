"""The raw samples of runs, for strip plots: every segment of a shown run, and quartiles by process of an older one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnkernels.measure.timing.turns import Judgement
from nnkernels.report.formats import duration
from nnkernels.report.runs import Run

COUNTED, LEFT_OUT, KEPT = "counted", "disturbed, left out", "disturbed, kept"
QUARTILES = (0.25, 0.5, 0.75)
SIGNIFICANT_DIGITS = 4  # of seconds in the page's files; the downloads have all digits


@dataclass(frozen=True)
class Sample:
    """The time of one segment.

    Attributes
    ----------
    process, round, segment : int
        Where it was measured, each from 1.
    turn : int
        The number of its turn among those of all processes, in order of measurement, from 1.
    seconds : float
        In the unit of the scenario.
    state : str
        ``counted``, ``disturbed, left out`` or ``disturbed, kept``.
    """

    process: int
    round: int
    segment: int
    turn: int
    seconds: float
    state: str


def samples_of(run: Run, scenario: str) -> dict[str, list[Sample]]:
    """Return all samples of a scenario in a single run, with the state of each.

    Parameters
    ----------
    run : Run
        The run; runs that are pooled with it are not included.
    scenario : str
        The name of a scenario.

    Returns
    -------
    samples : dict of str to list of Sample
        By contender and thread setting, for example ``fused@1``, in order of measurement.
    """
    found: dict[str, list[Sample]] = {}
    turns_before = 0
    for process, measured in enumerate(run.interleaved, start=1):
        rounds = measured.seconds.get(scenario, {})
        turns_per_round = max((len(times) for by_round in rounds.values() for times in by_round), default=0)
        judged = measured.judged(scenario) if rounds else None
        for label, by_round in rounds.items():
            samples = found.setdefault(label, [])
            for round_, times in enumerate(by_round):
                for segment, seconds in enumerate(times):
                    turn = turns_before + round_ * turns_per_round + segment + 1
                    state = _state(judged, round_, segment)
                    samples.append(Sample(process, round_ + 1, segment + 1, turn, seconds, state))
        turns_before += turns_per_round * max(map(len, rounds.values()), default=0)
    return {label: samples for label, samples in found.items() if samples}


def _state(judged: Judgement | None, round_: int, segment: int) -> str:
    if judged is None or not judged.disturbed[round_, segment]:
        return COUNTED
    return LEFT_OUT if judged.left_out[round_, segment] else KEPT


def scenarios_of(run: Run) -> list[str]:
    """Return the scenarios that a single run timed.

    Parameters
    ----------
    run : Run
        The run; runs that are pooled with it are not included.

    Returns
    -------
    scenarios : list of str
        In order of measurement.
    """
    return list(dict.fromkeys(scenario for measured in run.interleaved for scenario in measured.seconds))


def describe(samples: Sequence[Sample]) -> str:
    """Describe the samples of a contender in a sentence.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.

    Returns
    -------
    sentence : str
        Their number, quartiles, and how many were disturbed.
    """
    processes = len({one.process for one in samples})
    left_out, kept = (sum(one.state == state for one in samples) for state in (LEFT_OUT, KEPT))
    disturbed = f"{left_out:,} in disturbed turns, left out" if left_out else "none left out as disturbed"
    also = f"; {kept:,} disturbed but kept" if kept else ""
    return (
        f"{_count(len(samples), 'segment')} in {_count(processes, 'process')}: {quartile_text(samples)}; "
        f"{disturbed}{also}."
    )


def quartile_text(samples: Sequence[Sample]) -> str:
    """Describe the samples of a contender by their quartiles.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.

    Returns
    -------
    text : str
        For example ``median 18.9 ms, middle half 18.1 ms to 19.7 ms``.
    """
    low, middle, high = map(duration, np.quantile([one.seconds for one in samples], QUARTILES))
    return f"median {middle}, middle half {low} to {high}"


def contender_text(label: str) -> str:
    """Format a label for people.

    Parameters
    ----------
    label : str
        Contender and thread setting, for example ``fused@1``.

    Returns
    -------
    text : str
        For example ``fused on 1 thread``.
    """
    name, _at, threads = label.rpartition("@")
    return f"{name} on {'1 thread' if threads == '1' else f'{threads} threads'}"


def payload(run: Run) -> dict[str, Any]:
    """Return every sample of a single run, for a file beside the page.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    payload : dict
        ``works``: for each scenario its ``name`` and ``contenders``. Each has a ``text``, a ``sentence`` and
        ``samples``: lists of process, round, segment, turn, seconds, their text, and 0, 1 or 2 for counted, left
        out and kept.
    """
    return {"full": True, "run": run.record.run_id, "works": [*_works(run, _all_samples, describe)]}


def summary_payload(run: Run) -> dict[str, Any]:
    """Return the quartiles of each process of a single run, for a file beside the page.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    payload : dict
        As :func:`payload`, but ``samples`` are lists of process, first quartile, median and third quartile.
    """
    return {"full": False, "run": run.record.run_id, "works": [*_works(run, _quartiles, quartile_text)]}


def _works(
    run: Run, rows: Callable[[Sequence[Sample]], list[Any]], sentence: Callable[[Sequence[Sample]], str]
) -> Iterator[dict[str, Any]]:
    for scenario in scenarios_of(run):
        contenders = [
            {"text": contender_text(label), "sentence": sentence(samples), "samples": rows(samples)}
            for label, samples in samples_of(run, scenario).items()
        ]
        yield {"name": scenario, "contenders": contenders}


def _all_samples(samples: Sequence[Sample]) -> list[list[Any]]:
    states = (COUNTED, LEFT_OUT, KEPT)
    return [
        [
            one.process,
            one.round,
            one.segment,
            one.turn,
            _rounded(one.seconds, SIGNIFICANT_DIGITS),
            duration(one.seconds),
            states.index(one.state),
        ]
        for one in samples
    ]


def _quartiles(samples: Sequence[Sample]) -> list[list[float]]:
    by_process: dict[int, list[float]] = {}
    for one in samples:
        by_process.setdefault(one.process, []).append(one.seconds)
    found: dict[int, list[float]] = {}
    for count in {len(seconds) for seconds in by_process.values()}:  # a call of NumPy for each process takes long
        alike = [process for process, seconds in by_process.items() if len(seconds) == count]
        quartiles = np.quantile([by_process[process] for process in alike], QUARTILES, axis=1)
        found |= dict(zip(alike, quartiles.T.tolist(), strict=True))
    return [[process, *(_rounded(value, 3) for value in found[process])] for process in by_process]


def _rounded(seconds: float, digits: int) -> float:
    return float(f"{seconds:.{digits}g}")


def _count(number: int, noun: str) -> str:
    plural = {"process": "processes"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"
