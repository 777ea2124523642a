"""Finding, loading and pinning of the runs in a results folder."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnkernels.errors import DamagedResultsWarning, ResultsError, one_line
from nnkernels.files import MALFORMED, read_json, write_json
from nnkernels.measure.records.run import RunRecord, read_run
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report.pooling import require_poolable, start_time

NEWEST, PUBLISHED = "newest", "published"
PIN_VERSION, READ_VERSIONS = 2, (1, 2)
_NOT_PUBLISHED = "no run is published yet; publish one with `nnkernels publish --pin RUN`"
_ID = re.compile(r"\d{8}T\d{6}Z-")
_REPAIR = "write it again with `nnkernels publish --pin RUN`"


@dataclass(frozen=True)
class Run:
    """A recorded run, or several whose numbers are pooled.

    Attributes
    ----------
    record : RunRecord
        The description of the run. Of pooled runs, it is that of the newest one, as are the next two.
    interleaved : list of InterleavedRun
        Its interleaved runs, one per process.
    asv_results : dict
        The results of asv.
    pooled_with : tuple of Run
        The older runs that are pooled with it, oldest first. :func:`~nnkernels.report.pooling.require_poolable` has the
        rules.
    """

    record: RunRecord
    interleaved: list[InterleavedRun]
    asv_results: dict[str, Any]
    pooled_with: tuple[Run, ...] = ()

    @property
    def each(self) -> tuple[Run, ...]:
        """The run itself, or all pooled runs, oldest first."""
        return (*self.pooled_with, self)


def load_run(folder: Path) -> Run:
    """Load the run in a folder.

    Parameters
    ----------
    folder : Path
        The folder of the run.

    Returns
    -------
    run : Run
        A single run.

    Raises
    ------
    ResultsError
        If the run is damaged or incomplete.
    """
    return Run(*read_run(folder))


def run_folders(results: Path) -> list[Path]:
    """Return the folders of all complete runs.

    Parameters
    ----------
    results : Path
        The results folder.

    Returns
    -------
    folders : list of Path
        Oldest first.
    """
    return sorted(folder.parent for folder in (results / "runs").glob("*/run.json"))


def find_run(results: Path, name: str = NEWEST) -> Run:
    """Load the newest run, the published one, or the one whose id begins with ``name``.

    Parameters
    ----------
    results : Path
        The results folder.
    name : str, default: "newest"
        ``newest``, ``published``, or the beginning of a run's id.

    Returns
    -------
    run : Run
        If several runs are published, they are pooled.

    Raises
    ------
    ResultsError
        If there is no such run or several, or if it is damaged. A damaged run is never the newest one.

    Warns
    -----
    DamagedResultsWarning
        If a run that may be the newest one is damaged.
    """
    if name == PUBLISHED:
        return pooled(results, published_ids(results))
    folders = run_folders(results)
    if not folders:
        raise ResultsError("results/runs/ contains no runs; record one with `nnkernels bench`")
    if name == NEWEST:
        return next(readable(reversed(folders)), None) or load_run(folders[-1])
    found = [folder for folder in folders if folder.name.startswith(name)]
    if len(found) != 1:
        listed = ", ".join(folder.name for folder in found or folders)
        raise ResultsError(f"{len(found)} runs begin with {name!r}; choose one of: {listed}")
    return load_run(found[0])


def readable(folders: Iterable[Path]) -> Iterator[Run]:
    """Load runs, and leave out those that are damaged.

    Parameters
    ----------
    folders : iterable of Path
        The folders of the runs.

    Yields
    ------
    run : Run
        The runs, in the same order.

    Warns
    -----
    DamagedResultsWarning
        For each damaged run, with the file, what is wrong with it, and what to do.
    """
    for folder in folders:
        try:
            run = load_run(folder)
        except ResultsError as error:
            warnings.warn(f"left out a run: {error}", DamagedResultsWarning, stacklevel=2)
        else:
            yield run


def pooled(results: Path, names: Sequence[str]) -> Run:
    """Load one run, or several runs and pool them.

    Parameters
    ----------
    results : Path
        The results folder.
    names : sequence of str
        At least one name, as for :func:`find_run`.

    Returns
    -------
    run : Run
        The run, or the newest one with the others in ``pooled_with``.

    Raises
    ------
    ResultsError
        If there is no such run, or if the runs may not be pooled.
    """
    found = [run for name in names for run in find_run(results, name).each]
    if len(found) == 1:
        return found[0]
    require_poolable([run.record for run in found])
    *older, newest = sorted(found, key=lambda run: start_time(run.record))
    return replace(newest, pooled_with=tuple(older))


def published_ids(results: Path) -> list[str]:
    """Return the ids of the published runs.

    Parameters
    ----------
    results : Path
        The results folder.

    Returns
    -------
    ids : list of str
        At least one.

    Raises
    ------
    ResultsError
        If no run is pinned, or if ``published.json`` is damaged.
    """
    path = results / "published.json"
    try:
        content = read_json(path)
        version = content["version"]
        if version not in READ_VERSIONS:
            readable = " and ".join(map(str, READ_VERSIONS))
            raise ResultsError(f"{path}: has version {version}; this nnkernels reads {readable}: upgrade it")
        if "runs" not in content and "accuracy" in content:
            raise ResultsError(_NOT_PUBLISHED)
        ids = [content["run"]] if version == 1 else content["runs"]
        if not isinstance(ids, list) or not ids or not all(_ID.match(name) for name in ids):
            raise ResultsError(f"{path}: damaged: {ids!r} is not a list of run ids; {_REPAIR}")
        return ids
    except OSError as error:
        raise ResultsError(_NOT_PUBLISHED) from error
    except MALFORMED as error:
        raise ResultsError(f"{path}: damaged: {one_line(error)}; {_REPAIR}") from error


def pin(results: Path, run: Run) -> None:
    """Make a run, or pooled ones, the published ones.

    Parameters
    ----------
    results : Path
        The results folder. Its ``published.json`` is written.
    run : Run
        The run.
    """
    _write_pins(results, runs=[one.record.run_id for one in run.each])


def pin_accuracy(results: Path, run_id: str) -> None:
    """Make an accuracy run the published one.

    Parameters
    ----------
    results : Path
        The results folder. Its ``published.json`` is written.
    run_id : str
        The id of the run.
    """
    _write_pins(results, accuracy=run_id)


def pinned_accuracy(results: Path) -> str | None:
    """Return the id of the published accuracy run.

    Parameters
    ----------
    results : Path
        The results folder.

    Returns
    -------
    run_id : str or None
        None if no accuracy run is pinned.

    Raises
    ------
    ResultsError
        If ``published.json`` is damaged.
    """
    path = results / "published.json"
    if not path.exists():
        return None
    try:
        found: str | None = read_json(path).get("accuracy")
        if found is not None and not _ID.match(found):
            raise ValueError(f"{found!r} is not the id of a run")
    except (OSError, *MALFORMED) as error:
        raise ResultsError(f"{path}: damaged: {one_line(error)}; {_REPAIR}") from error
    return found


def _write_pins(results: Path, **entries: object) -> None:
    """Write ``published.json`` with these entries; the others stay as they are."""
    path = results / "published.json"
    try:
        content = read_json(path)
        before = {name: content[name] for name in ("runs", "accuracy") if name in content}
    except (OSError, *MALFORMED):
        before = {}
    write_json(path, {"version": PIN_VERSION, **before, **entries})
