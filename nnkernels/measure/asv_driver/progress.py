"""How far a run is, and what it has measured so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnkernels.measure.records.run import interleaved_files, read_interleaved
from nnkernels.measure.timing.interleaved_run import InterleavedRun


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    fraction : float
        Of the whole run, 0 to 1.
    pass_number, passes : int
        The pass that runs, counted from 1, and how many there are.
    what : str
        What runs, in asv's words.
    interleaved : sequence of InterleavedRun
        What is measured so far; one of them may still be running.
    """

    fraction: float
    pass_number: int
    passes: int
    what: str
    interleaved: Sequence[InterleavedRun] = field(default_factory=tuple)


ShowProgress = Callable[[Progress], None]


class RecordsSoFar:
    """The interleaved runs in some folders, each file read again only when it has changed.

    Reading takes CPU time from what is being measured.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, InterleavedRun]] = {}

    def read(self, folders: Sequence[Path]) -> list[InterleavedRun]:
        """Return what lies in these folders now."""
        for path in (path for folder in folders for path in interleaved_files(folder)):
            changed = path.stat().st_mtime_ns
            if path not in self._known or self._known[path][0] != changed:
                self._known[path] = changed, read_interleaved(path)
        return [measured for _changed, measured in self._known.values()]
