"""Progress of a run, with the results so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnkernels.measure.records.process_files import interleaved_files, read_interleaved
from nnkernels.measure.timing.interleaved_run import InterleavedRun


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes
    ----------
    fraction : float
        Fraction of the whole run that is done, 0 to 1.
    pass_number : int
        The current pass, counted from 1.
    passes : int
        Number of passes.
    what : str
        The current benchmark, as asv names it.
    interleaved : sequence of InterleavedRun
        The results so far. One of them may still be running.
    """

    fraction: float
    pass_number: int
    passes: int
    what: str
    interleaved: Sequence[InterleavedRun] = field(default_factory=tuple)


ShowProgress = Callable[[Progress], None]


class RecordsSoFar:
    """A cache of the interleaved runs in some folders. A file is read again only if it has changed.

    This saves CPU time for the process that is being measured.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, InterleavedRun]] = {}

    def read(self, folders: Sequence[Path]) -> list[InterleavedRun]:
        """Return the current interleaved runs.

        Parameters
        ----------
        folders : sequence of Path
            Folders of records.

        Returns
        -------
        interleaved : list of InterleavedRun
            One per file.
        """
        for path in (path for folder in folders for path in interleaved_files(folder)):
            modified = path.stat().st_mtime_ns
            if path not in self._known or self._known[path][0] != modified:
                self._known[path] = modified, read_interleaved(path)
        return [measured for _modified, measured in self._known.values()]
