"""The processes of the two sides, as seen from the comparing process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnkernels.data.cache import cache_folder
from nnkernels.errors import MeasurementError
from nnkernels.measure.records.environment import timed_environment
from nnkernels.measure.regression import side_process

ANY_CPU = -1
MAX_LIFETIME_SECONDS = 900.0  # of a process, including compilation


@dataclass(frozen=True)
class Tree:
    """One side: the version of nnkernels in a folder.

    Attributes
    ----------
    name : str
        Name in messages.
    root : Path
        The folder that contains the package.
    """

    name: str
    root: Path


class SideProcess:
    """A fresh process that runs a tree's version of nnkernels on one CPU.

    Parameters
    ----------
    tree : Tree
        The side.
    folder : Path
        The data folder.
    cpu : int
        The CPU to which the process is pinned, or ``ANY_CPU``.
    """

    def __init__(self, tree: Tree, folder: Path, cpu: int) -> None:
        self.tree = tree
        self.errors = open(folder / f"{tree.name}-{cpu}.log", "w+b")  # noqa: SIM115  (closed with the process)
        self.child = subprocess.Popen(
            # With -P, Python does not add the program's folder to the path.
            [sys.executable, "-P", side_process.__file__, str(folder), str(cpu)],
            cwd=folder,
            env=_environment(tree.root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
        )
        self.watch = threading.Timer(MAX_LIFETIME_SECONDS, self.child.kill)
        self.watch.daemon = True
        self.watch.start()

    def send(self, do: str, **arguments: Any) -> None:
        """Send a request without waiting for its answer, which :meth:`answer` must fetch.

        Parameters
        ----------
        do : str
            Name of a method of :class:`~nnkernels.measure.regression.side_process.Side`.
        **arguments : Any
            Its arguments.
        """
        assert self.child.stdin is not None
        with contextlib.suppress(OSError):  # if the process has ended, `answer` reports it
            self.child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.child.stdin.flush()

    def answer(self) -> Any:
        """Return the answer to the oldest unanswered request.

        Returns
        -------
        answer : Any
            The method's return value.

        Raises
        ------
        MeasurementError
            If the request failed, or if the process has ended.
        """
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line.endswith("\n"):
            self.child.wait()
            self.errors.seek(0)
            last = self.errors.read().decode("utf-8", "replace").strip().splitlines()[-1:] or ["no error output"]
            raise MeasurementError(f"{self.tree.name}: its process ended with {_status(self.child)}: {last[0]}")
        found = json.loads(line)
        if "error" in found:
            raise MeasurementError(f"{self.tree.name}: {found['error']}")
        return found["answer"]

    def ask(self, do: str, **arguments: Any) -> Any:
        """Send a request and return its answer.

        Parameters
        ----------
        do : str
            Name of a method of :class:`~nnkernels.measure.regression.side_process.Side`.
        **arguments : Any
            Its arguments.

        Returns
        -------
        answer : Any
            The method's return value.

        Raises
        ------
        MeasurementError
            If the request failed, or if the process has ended.
        """
        self.send(do, **arguments)
        return self.answer()

    def require_own_package(self) -> None:
        """Check that the process has imported nnkernels from its tree.

        Raises
        ------
        MeasurementError
            If it has imported nnkernels from elsewhere.
        """
        package = Path(self.ask("where")["package"]).resolve()
        if not package.is_relative_to(self.tree.root.resolve()):
            raise MeasurementError(
                f"{self.tree.name}: Python does not import nnkernels from this tree: check that the tree "
                "contains the package, and that no folder precedes PYTHONPATH"
            )

    def move(self, cpu: int) -> None:
        """Pin the process to another CPU.

        Parameters
        ----------
        cpu : int
            Number of the CPU. Nothing happens if it is ``ANY_CPU``.
        """
        if cpu != ANY_CPU:
            os.sched_setaffinity(self.child.pid, {cpu})

    def end(self) -> None:
        """Kill the process and close its files."""
        self.watch.cancel()
        self.child.kill()  # its answers are no longer needed
        with contextlib.suppress(OSError):  # unsent requests can no longer be written
            self.child.__exit__(None, None, None)
        self.errors.close()


@contextlib.contextmanager
def running_side(tree: Tree, folder: Path, cpu: int = ANY_CPU) -> Iterator[SideProcess]:
    """Start a process, and end it after the ``with`` block.

    Parameters
    ----------
    tree : Tree
        The side.
    folder : Path
        The data folder.
    cpu : int
        The CPU to which the process is pinned, or ``ANY_CPU``.

    Yields
    ------
    process : SideProcess
        The running process.
    """
    process = SideProcess(tree, folder, cpu)
    try:
        yield process
    finally:
        process.end()


def _environment(root: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment variables of a side.

    Compiled kernels are cached between checks, under a hash of their sources, so that a base is compiled only once.

    Returns
    -------
    environment : dict
        Without settings that distort times, and with the side's tree first on the path.
    """
    found = timed_environment(environ)
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), found.get("PYTHONPATH")]))
    found.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "check"))
    return found


def _status(child: subprocess.Popen[str]) -> str:
    if child.returncode < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-child.returncode).name}"
    return f"status {child.returncode}"
