"""The raw samples of runs, for strip plots: every segment of a shown run, and quartiles by process of an older one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report.formats import duration
from nnkernels.report.runs import Run

COUNTED, LEFT_OUT, KEPT = "counted", "disturbed, left out", "disturbed, kept"
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


def samples_of(run: Run, scenario: str, label: str) -> list[Sample]:
    """Return all samples of a contender in a single run, with the state of each.

    Parameters
    ----------
    run : Run
        The run; runs that are pooled with it are not included.
    scenario : str
        The name of a scenario.
    label : str
        Contender and thread setting, for example ``fused@1``.

    Returns
    -------
    samples : list of Sample
        In order of measurement.
    """
    found, turns_before = [], 0
    for process, measured in enumerate(run.interleaved, start=1):
        rounds = measured.seconds.get(scenario, {})
        turns_per_round = max((len(times) for by_round in rounds.values() for times in by_round), default=0)
        found += list(_samples(measured, scenario, label, process, turns_per_round, turns_before))
        turns_before += turns_per_round * max(map(len, rounds.values()), default=0)
    return found


def _samples(
    measured: InterleavedRun, scenario: str, label: str, process: int, turns_per_round: int, turns_before: int
) -> Iterator[Sample]:
    judged = measured.judged(scenario)
    for round_, times in enumerate(measured.seconds.get(scenario, {}).get(label, ())):
        for segment, seconds in enumerate(times):
            state = COUNTED
            if judged is not None and judged.disturbed[round_, segment]:
                state = LEFT_OUT if judged.left_out[round_, segment] else KEPT
            turn = turns_before + round_ * turns_per_round + segment + 1
            yield Sample(process, round_ + 1, segment + 1, turn, seconds, state)


def scenarios_of(run: Run) -> dict[str, list[str]]:
    """Return what a single run timed.

    Parameters
    ----------
    run : Run
        The run; runs that are pooled with it are not included.

    Returns
    -------
    scenarios : dict of str to list of str
        For each scenario the labels (contender and thread setting), in order of measurement.
    """
    found: dict[str, dict[str, None]] = {}
    for measured in run.interleaved:
        for scenario, seconds in measured.seconds.items():
            found.setdefault(scenario, {}).update(dict.fromkeys(seconds))
    return {scenario: list(labels) for scenario, labels in found.items()}


def describe(samples: Sequence[Sample], scenario: str, label: str) -> str:
    """Describe the samples of a contender in a sentence.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    scenario : str
        The name of the scenario.
    label : str
        Contender and thread setting.

    Returns
    -------
    sentence : str
        Their number, quartiles, and how many were disturbed.
    """
    quartiles = np.quantile([one.seconds for one in samples], [0.25, 0.5, 0.75])
    low, middle, high = map(duration, quartiles)
    processes = len({one.process for one in samples})
    left_out, kept = (sum(one.state == state for one in samples) for state in (LEFT_OUT, KEPT))
    disturbed = f"{left_out} in disturbed turns, left out" if left_out else "none in a turn that was left out"
    also = f"; {kept} disturbed but kept" if kept else ""
    return (
        f"{contender_text(label)}, {scenario}: {_count(len(samples), 'segment')} in {_count(processes, 'process')}; "
        f"median {middle}, middle half {low} to {high}; {disturbed}{also}."
    )


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
        ``works``: for each scenario its ``name`` and ``contenders``. Each has a ``label``, a ``text``, a ``sentence``
        and ``samples``: lists of process, round, segment, turn, seconds, their text, and 0, 1 or 2 for counted, left
        out and kept.
    """
    return {"full": True, "run": run.record.run_id, "works": [*_works(run, _all_samples)]}


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
    return {"full": False, "run": run.record.run_id, "works": [*_works(run, _quartiles)]}


def _works(run: Run, rows: Any) -> Iterator[dict[str, Any]]:
    for scenario, labels in scenarios_of(run).items():
        contenders = []
        for label in labels:
            if samples := samples_of(run, scenario, label):
                contenders.append(
                    {
                        "label": label,
                        "text": contender_text(label),
                        "sentence": describe(samples, scenario, label),
                        "samples": rows(samples),
                    }
                )
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
    return [
        [process, *(_rounded(float(value), 3) for value in np.quantile(seconds, [0.25, 0.5, 0.75]))]
        for process, seconds in by_process.items()
    ]


def _rounded(seconds: float, digits: int) -> float:
    return float(f"{seconds:.{digits}g}")


def _count(number: int, noun: str) -> str:
    plural = {"process": "processes"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"
