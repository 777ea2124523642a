"""Reading of one file in a process of its own, with its time and memory."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nnkernels.errors import NNKernelsError
from tests.fuzz.readers import Files, Reader

MAX_SECONDS = 5.0  # of processor time, so that other work on the machine does not count
MAX_WAIT_SECONDS = 30.0  # after which a process is ended, and counted as slow
MAX_MEGABYTES = 500.0
# Beyond what the process has mapped before. It protects the machine: what needs more than 500 MB is a fault anyway.
MAPPED_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Outcome:
    """What happened to a file.

    Attributes
    ----------
    kind : str
        ``read``, ``refused`` (an error of nnkernels), ``untyped`` (another exception), ``crashed`` (a signal, from
        native code), ``slow`` (more than 5 s of
        processor time, or no end after 30 s), or ``large`` (more than 500 MB).
    detail : str
        The exception or signal.
    seconds : float
        Processor time, or the time waited for a process that was ended.
    megabytes : float
        Peak memory beyond that of the process before it read the file.
    """

    kind: str
    detail: str
    seconds: float
    megabytes: float


@contextmanager
def written(files: Files) -> Iterator[Path]:
    """Yield a temporary folder that contains the files."""
    with tempfile.TemporaryDirectory(prefix="nnkernels-fuzz-") as name:
        for file, content in files.items():
            path = Path(name, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield Path(name)


def read_isolated(reader: Reader, files: Files) -> Outcome:
    """Read files in a forked process. Whatever was imported before is shared with it.

    Parameters
    ----------
    reader : Reader
        The reader.
    files : dict of str to bytes
        The files by name.

    Returns
    -------
    outcome : Outcome
        What happened.
    """
    with written(files) as folder, tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            _read_and_exit(reader, folder / reader.place, answer.fileno())
        status, seconds, peak = _wait(child)
        answer.seek(0)
        before, _newline, said = answer.read().decode("utf-8").partition("\n")
        megabytes = max(0.0, (peak - int(before or peak)) / 1024)
    if seconds > MAX_SECONDS:
        return Outcome("slow", "", seconds, megabytes)
    if os.WIFSIGNALED(status):
        return Outcome("crashed", signal.Signals(os.WTERMSIG(status)).name, seconds, megabytes)
    kind, _tab, detail = said.partition("\t") if said else ("crashed", "", "exit")
    if kind in ("read", "refused") and megabytes > MAX_MEGABYTES:
        kind = "large"
    return Outcome(kind, detail, seconds, megabytes)


def _wait(child: int) -> tuple[int, float, int]:
    """Wait for the child, or kill it after the limit; return its status, its time and its peak memory in KiB."""
    started = time.monotonic()
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss
        if time.monotonic() - started > MAX_WAIT_SECONDS:
            os.kill(child, signal.SIGKILL)
            _pid, status, usage = os.wait4(child, 0)
            return status, time.monotonic() - started, usage.ru_maxrss
        time.sleep(0.001)


def _read_and_exit(reader: Reader, path: Path, answer: int) -> None:
    """Read, write what happened, and end the process at once, without the handlers of the parent."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # native libraries print there
        os.dup2(null, stream)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MAPPED_BYTES, mapped + MAPPED_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.write(answer, b"%d\n" % resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    try:
        warnings.simplefilter("ignore")
        reader.read(path)
        said = "read\t"
    except NNKernelsError as error:
        said = f"refused\t{type(error).__name__}"
    except BaseException as error:
        said = f"untyped\t{type(error).__name__} in {_innermost(error)}: {str(error)[:200]}"
    os.write(answer, said.encode("utf-8", "backslashreplace"))
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
