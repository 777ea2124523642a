"""What supports the numbers: who took part and what was tried, the gate, and the self-test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nnkernels import contenders
from nnkernels.errors import ResultsError
from nnkernels.measure.correctness.gate_result import PREDICTION_TOLERANCE, TOLERANCES
from nnkernels.measure.correctness.gate_training import IMAGES
from nnkernels.measure.mutants import record as mutants_record
from nnkernels.measure.mutants.record import Score
from nnkernels.measure.regression.criteria import Criterion, check_criteria
from nnkernels.measure.regression.figures import Figures, Rate, figures_of, rate
from nnkernels.measure.regression.record import CheckRecord
from nnkernels.measure.regression.selftest import FOLDER, load_machines
from nnkernels.report.dashboard.collection import MachineRuns
from nnkernels.report.dashboard.kinds import kind
from nnkernels.report.runs import Run

NAMES = {"sgd": "SGD", "adam": "Adam"}
MUTANTS_COMMAND = "nnkernels verify --mutants --record"
SELFTEST_COMMAND = "nnkernels selftest --page"


@dataclass(frozen=True)
class Participant:
    """A contender in the results, or one that could take part.

    Attributes
    ----------
    name, kind, description, note : str
        Texts for people. The description of a contender that is no longer known says so.
    machines : tuple of str
        The labels of the machines whose shown run has it.
    failures : tuple of str
        Why it has no time, where it failed.
    """

    name: str
    kind: str
    description: str
    note: str
    machines: tuple[str, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class SelfTest:
    """The self-test of the regression check on one machine.

    Attributes
    ----------
    machine : str
        The id of the machine.
    records : tuple of CheckRecord
        The checks.
    figures : tuple of Figures
        One per condition.
    criteria : tuple of Criterion
        What is required, and whether it is met.
    covered : Rate
        Among comparisons without an injected slowdown, those whose 95 % interval contains the true ratio 1.
    """

    machine: str
    records: tuple[CheckRecord, ...]
    figures: tuple[Figures, ...]
    criteria: tuple[Criterion, ...]
    covered: Rate


def participants(machines: Sequence[MachineRuns]) -> list[Participant]:
    """Return all contenders of the shown runs, then those that are known but in none of them.

    Parameters
    ----------
    machines : sequence of MachineRuns
        The machines.

    Returns
    -------
    participants : list of Participant
        Also contenders of other packages, and those that are no longer known.
    """
    timed = {machine.label: _contenders(machine.shown) for machine in machines}
    failures = {machine.label: _failures(machine.shown) for machine in machines}
    names = dict.fromkeys(name for found in timed.values() for name in found)
    names |= dict.fromkeys(name for found in failures.values() for name in found)
    names |= dict.fromkeys(contenders.names())
    return [_participant(name, timed, failures) for name in names]


def _participant(name: str, timed: dict[str, list[str]], failures: dict[str, dict[str, list[str]]]) -> Participant:
    known = contenders.entry(name) if name in contenders.names() else None
    return Participant(
        name,
        kind(name),
        known.description if known else "not known to this installation: of another package, or removed since",
        known.note if known else "",
        tuple(label for label, found in timed.items() if name in found),
        tuple(f"{label}: {reason}" for label, found in failures.items() for reason in found.get(name, ())),
    )


def _contenders(run: Run) -> list[str]:
    labels = dict.fromkeys(
        label
        for one in run.each
        for process in one.interleaved
        for seconds in process.seconds.values()
        for label in seconds
    )
    return list(dict.fromkeys(label.rpartition("@")[0] for label in labels))


def _failures(run: Run) -> dict[str, list[str]]:
    """Return the reasons of failure by contender; a reason names the scenario if it applies to only one."""
    found: dict[str, dict[str, None]] = {}
    for one in run.each:
        for process in one.interleaved:
            for key, reason in process.failures.items():
                name, _colon, scenario = key.partition(": ")
                found.setdefault(name, {})[f"{scenario}: {reason}" if scenario else reason] = None
    return {name: list(reasons) for name, reasons in found.items()}


def gate_text() -> str:
    """Describe the gate with its tolerances.

    Returns
    -------
    text : str
        A few sentences.
    """
    limits = ", ".join(
        f"{_power(limit)} for {NAMES.get(optimizer, optimizer)}" for optimizer, limit in TOLERANCES.items()
    )
    return (
        f"Before a contender is timed, and in the timed process, it trains on {IMAGES:,} images from the same initial "
        "parameters as a float64 reference implementation. No parameter may differ from the reference by more than the "
        f"tolerance ({limits}), and no predicted probability by more than {_power(PREDICTION_TOLERANCE)}. A contender "
        "that fails is listed with the reason, and has no times."
    )


def _power(limit: float) -> str:
    return f"{limit:.0e}".replace("e-0", "e-")


def mutation_score(root: Path) -> Score:
    """Read the recorded mutation score of the gate.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    score : Score
        The score.

    Raises
    ------
    ResultsError
        If it is not recorded, or damaged. The message names the command that records it.
    """
    path = root / mutants_record.FILE
    if not path.exists():
        name = mutants_record.FILE.as_posix()
        raise ResultsError(f"{name}: no mutation score is recorded; `{MUTANTS_COMMAND}` records it")
    return mutants_record.read_score(path)


def self_tests(root: Path) -> list[SelfTest]:
    """Read the recorded self-tests of the regression check.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    tests : list of SelfTest
        One per machine.

    Raises
    ------
    ResultsError
        If none is recorded, or a record is damaged. The message names the command that records it.
    """
    records = load_machines(root / FOLDER)
    if not records:
        raise ResultsError(f"{FOLDER.as_posix()}/: no self-test is recorded; `{SELFTEST_COMMAND}` records one")
    machines = sorted({record.machine for record in records})
    return [_self_test(machine, [record for record in records if record.machine == machine]) for machine in machines]


def _self_test(machine: str, records: list[CheckRecord]) -> SelfTest:
    figures = figures_of(records)
    covered = [one.covered for one in figures if not one.injected]
    return SelfTest(
        machine,
        tuple(records),
        tuple(figures),
        tuple(check_criteria(figures)),
        rate(sum(one.count for one in covered), sum(one.cases for one in covered)),
    )
