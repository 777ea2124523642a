"""Reading of one file in a process of its own, with its time and memory."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MAX_SECONDS = 5.0
MAX_MEGABYTES = 500.0


@dataclass(frozen=True)
class Outcome:
    """What happened to a file.

    Attributes
    ----------
    kind : str
        ``read``, ``refused`` (an error of nnkernels), ``untyped`` (another exception), ``crashed`` (a signal, from
        native code), ``slow`` (more than 5 s), or ``large`` (more than 500 MB).
    detail : str
        The exception or signal.
    seconds : float
        Duration.
    megabytes : float
        Peak memory beyond that of the process before it read the file.
    """

    kind: str
    detail: str
    seconds: float
    megabytes: float


def read_isolated(read: Callable[[Path], object], files: dict[str, bytes], place: Callable[[Path], Path]) -> Outcome:
    """Read files in a forked process. Whatever was imported before is shared with it.

    Parameters
    ----------
    read : callable
        The reader.
    files : dict of str to bytes
        The files by name.
    place : callable
        ``place(folder)`` returns what to read.

    Returns
    -------
    outcome : Outcome
        What happened.
    """
    with tempfile.TemporaryDirectory(prefix="nnkernels-fuzz-") as name:
        folder = Path(name, "files")
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_bytes(content)
        answer = Path(name, "answer")
        before = _resident_megabytes()
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _read_and_exit(read, place(folder), answer)
        signalled = _wait(child, started)
        seconds = time.monotonic() - started
        status, usage = signalled
        megabytes = max(0.0, usage / 1024 - before)
        if seconds > MAX_SECONDS:
            return Outcome("slow", "", seconds, megabytes)
        if os.WIFSIGNALED(status):
            return Outcome("crashed", signal.Signals(os.WTERMSIG(status)).name, seconds, megabytes)
        kind, _tab, detail = answer.read_text("utf-8").partition("\t") if answer.exists() else ("crashed", "", "exit")
        if kind in ("read", "refused") and megabytes > MAX_MEGABYTES:
            kind = "large"
        return Outcome(kind, detail, seconds, megabytes)


def _wait(child: int, started: float) -> tuple[int, int]:
    """Wait for the child, or kill it after the limit; return its status and its peak memory in KiB."""
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return status, usage.ru_maxrss
        if time.monotonic() - started > MAX_SECONDS + 0.5:
            os.kill(child, signal.SIGKILL)
            _pid, status, usage = os.wait4(child, 0)
            return status, usage.ru_maxrss
        time.sleep(0.001)


def _read_and_exit(read: Callable[[Path], object], path: Path, answer: Path) -> None:
    """Read, write what happened, and end the process at once, without the handlers of the parent."""
    from nnkernels.errors import NNKernelsError

    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # native libraries print there
        os.dup2(null, stream)
    try:
        warnings.simplefilter("ignore")
        read(path)
        said = "read\t"
    except NNKernelsError as error:
        said = f"refused\t{type(error).__name__}"
    except BaseException as error:
        frame = _innermost(error)
        said = f"untyped\t{type(error).__name__} in {frame}: {str(error)[:200]}"
    answer.write_text(said, "utf-8", errors="backslashreplace")
    os._exit(0)


def _innermost(error: BaseException) -> str:
    """Return the last function of nnkernels in a traceback."""
    found, trace = "?", error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if "nnkernels" in Path(code.co_filename).parts:
            found = f"{Path(code.co_filename).name}:{code.co_name}"
        trace = trace.tb_next
    return found


def _resident_megabytes() -> float:
    if sys.platform != "linux":
        return 0.0
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
