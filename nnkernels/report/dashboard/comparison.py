"""Every comparison of a run, computed before the page is written, so that the browser only selects.

A comparison has a work, a view and a reference. The views are the thread settings: ``1`` and ``all`` compare contenders
at that setting, and ``faster`` compares each at its own faster one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import EPOCH, ONE_IMAGE
from nnkernels.measure.timing.threads import SETTINGS
from nnkernels.report import formats, keras_forms
from nnkernels.report.ratios import BASELINE, PairedRatios
from nnkernels.report.runs import Run
from nnkernels.report.summary import OLD_ONE_IMAGE
from nnkernels.report.tidy import SCENARIO_UNITS
from nnkernels.statistics import Estimate

FASTER = "faster"
VIEWS = (*SETTINGS, FASTER)
NOT_SHARED = "never timed in the same process"
NOT_AT_SETTING = "not timed at this thread setting"
NOT_TIMED = "not timed at this work"
SUMMARISED_WORKS = (EPOCH, ONE_IMAGE, OLD_ONE_IMAGE)
UNIT_TEXTS = {"seconds_per_epoch": "per epoch", "seconds_per_call": "per call", "seconds": ""}


@dataclass(frozen=True)
class Cell:
    """A number of a comparison.

    Attributes
    ----------
    estimate : Estimate or None
        The ratio, or the seconds; None if there is none.
    threads : str
        The thread setting of the row's contender, ``1`` or ``all``; empty without a number.
    against : str
        The thread setting of the reference; empty for seconds and without a number.
    reason : str
        Why there is no number; empty if there is one.
    is_faster : bool
        False in the view ``faster`` if the reference is at its slower setting, because the faster ones never shared a
        process.
    """

    estimate: Estimate | None
    threads: str = ""
    against: str = ""
    reason: str = ""
    is_faster: bool = True


@dataclass(frozen=True)
class WorkComparison:
    """All comparisons of a run at one work.

    Attributes
    ----------
    work : str
        The name of the scenario.
    unit : str
        What a time is per: ``per epoch``, ``per call``, or empty.
    contenders : tuple of str
        The contenders that were timed or failed at this work.
    references : tuple of str
        The contenders that others are compared with. In a summarised comparison, only some.
    faster : dict of str to (str or None)
        The faster thread setting of each contender; None if it was not timed.
    seconds : dict of str to dict of str to Cell
        ``seconds[view][contender]``.
    ratios : dict of str to dict of str to dict of str to Cell
        ``ratios[view][reference][contender]``: how many times as fast the contender is as the reference.
    disturbed : str
        How many turns were disturbed and excluded; empty for old runs, which did not record it.
    """

    work: str
    unit: str
    contenders: tuple[str, ...]
    references: tuple[str, ...]
    faster: dict[str, str | None]
    seconds: dict[str, dict[str, Cell]]
    ratios: dict[str, dict[str, dict[str, Cell]]]
    disturbed: str


def compare(run: Run, ratios: PairedRatios, summarised: bool = False) -> list[WorkComparison]:
    """Return the comparisons of a run at each of its works.

    Parameters
    ----------
    run : Run
        The run, or several pooled ones.
    ratios : PairedRatios
        Its ratios.
    summarised : bool, default: False
        Whether to return only what older runs show: the works :data:`SUMMARISED_WORKS`, each contender at its faster
        thread setting, compared with NumPy, with ``keras-fit`` and with the best form of Keras.

    Returns
    -------
    works : list of WorkComparison
        The epoch first, the others in the order in which they were measured.
    """
    works = [work for work in ratios.scenarios() if ratios.labels(work)]
    if summarised:
        works = [work for work in works if work in SUMMARISED_WORKS]
    works.sort(key=lambda work: work != EPOCH)
    return [_compare(run, ratios, work, summarised) for work in works]


def ratio_cell(ratios: PairedRatios, work: str, view: str, contender: str, reference: str) -> Cell:
    """Return how many times as fast a contender is as a reference.

    In the view ``faster``, both are at their faster settings. If these never shared a process, the reference is at its
    slower one, as in the other tables; see :meth:`~nnkernels.report.ratios.PairedRatios.against`.

    Parameters
    ----------
    ratios : PairedRatios
        The ratios of a run.
    work, view : str
        The work, and one of :data:`VIEWS`.
    contender, reference : str
        Names of contenders.

    Returns
    -------
    cell : Cell
        The ratio, or why there is none.
    """
    if view != FASTER:
        labels = ratios.labels(work)
        if (contender, view) not in labels or (reference, view) not in labels:
            return Cell(None, reason=NOT_AT_SETTING)
        estimate = ratios.at(work, (contender, view), (reference, view))
        return Cell(estimate, view, view) if estimate else Cell(None, reason=NOT_SHARED)
    ours = ratios.faster_setting(work, contender)
    if not ours or not ratios.faster_setting(work, reference):
        return Cell(None, reason=NOT_TIMED)
    found = ratios.against(work, (contender, ours), reference)
    return Cell(found.estimate, ours, found.threads, "", found.is_faster) if found else Cell(None, reason=NOT_SHARED)


def seconds_cell(ratios: PairedRatios, work: str, view: str, contender: str, reason: str = "") -> Cell:
    """Return the time of a contender.

    Parameters
    ----------
    ratios : PairedRatios
        The ratios of a run.
    work, view : str
        The work, and one of :data:`VIEWS`.
    contender : str
        The name of a contender.
    reason : str, optional
        Why it failed, if it did.

    Returns
    -------
    cell : Cell
        The seconds, or why there are none.
    """
    threads = ratios.faster_setting(work, contender) if view == FASTER else view
    estimate = ratios.seconds(work, contender, threads) if threads else None
    if estimate and threads:
        return Cell(estimate, threads)
    return Cell(None, reason=reason or (NOT_TIMED if view == FASTER else NOT_AT_SETTING))


def _compare(run: Run, ratios: PairedRatios, work: str, summarised: bool) -> WorkComparison:
    timed, failures = ratios.contenders(work), _failures(run, work)
    names = [*timed, *(name for name in failures if name not in timed)]
    views: tuple[str, ...] = (FASTER,) if summarised else VIEWS
    references = timed
    if summarised:
        chosen = (BASELINE, keras_forms.DEFAULT, keras_forms.best(keras_forms.tried(ratios, work)))
        references = [name for name in dict.fromkeys(chosen) if name in timed]

    def cell(view: str, name: str, reference: str) -> Cell:
        if name not in timed:
            return Cell(None, reason=failures[name])
        return ratio_cell(ratios, work, view, name, reference)

    return WorkComparison(
        work,
        UNIT_TEXTS.get(SCENARIO_UNITS.get(work, "seconds"), ""),
        tuple(names),
        tuple(references),
        {name: ratios.faster_setting(work, name) for name in names},
        {
            view: {name: seconds_cell(ratios, work, view, name, failures.get(name, "")) for name in names}
            for view in views
        },
        {view: {other: {name: cell(view, name, other) for name in names} for other in references} for view in views},
        _disturbed(ratios.interleaved, work),
    )


def _failures(run: Run, work: str) -> dict[str, str]:
    """Return the contenders that failed at a work, with the reason."""
    found = {}
    for one in run.each:
        for measured in one.interleaved:
            if work in measured.seconds:
                for name in dict.fromkeys(key.split(":")[0] for key in measured.failures):
                    reason = measured.failure(name, work)
                    if reason:
                        found[name] = " ".join(reason.split())
    return found


def _disturbed(interleaved: Sequence[InterleavedRun], work: str) -> str:
    judged = [found for found in (one.judged(work) for one in interleaved if work in one.seconds) if found]
    turns = sum(found.left_out.size for found in judged)
    if not turns:
        return ""
    out = sum(int(found.left_out.sum()) for found in judged)
    return f"{out:,} of {turns:,} turns {'was' if out == 1 else 'were'} disturbed and excluded"


def cell_texts(cell: Cell, is_ratio: bool) -> tuple[str, str]:
    """Return the number of a cell and its interval, formatted.

    Parameters
    ----------
    cell : Cell
        The cell.
    is_ratio : bool
        Whether it is a ratio; otherwise it is in seconds.

    Returns
    -------
    value, interval : str
        For example ``9.57`` and ``[9.41, 9.73]``. A dash and an empty string if there is no number.
    """
    text = formats.ratio(cell.estimate) if is_ratio else formats.time(cell.estimate)
    value, _space, interval = text.partition(" [")
    return value, f"[{interval}" if interval else ""
