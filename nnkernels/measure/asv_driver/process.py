"""A child process of asv, which makes one pass over some benchmarks, with its progress and failures."""

from __future__ import annotations

import codecs
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from nnkernels.errors import MeasurementError
from nnkernels.measure.asv_driver.options import BenchOptions
from nnkernels.measure.asv_driver.sole_run import CHECKOUT_VARIABLE
from nnkernels.measure.asv_driver.workspace import CONFIG_NAME, Workspace
from nnkernels.measure.records.environment import python_path, timed_environment

PROGRESS_SECONDS = 1.0  # interval of progress reports while asv writes nothing
COMPLETE = "complete"  # a file that marks the folder of a complete pass
DVCS = "nnkernels"  # the name of the repository type of our plugin
DATE_VARIABLE = "NNKERNELS_COMMIT_DATE"  # the commit's date, in milliseconds since 1970

# "[ 12.50%] ··· training.Epoch.time_epoch   5/8 failed" and "[  6.25%] ·· Setting up ratios:59"
PROGRESS = re.compile(r"^\[\s*(?P<percent>[\d.]+)%\]\s*·*\s*(?P<what>\S.*)$")
FAILURE = re.compile(r"^(?:[\w.]+\.)?(?P<error>\w*(?:Error|Exception|Interrupt)): (?P<text>.*)$")


@dataclass(frozen=True)
class Pass:
    """The folders of one pass of asv.

    Attributes
    ----------
    folder : Path
        asv's results.
    records : Path
        Records of interleaved runs.
    """

    folder: Path
    records: Path

    @property
    def log(self) -> Path:
        """The file of asv's complete output."""
        return self.folder / "asv.log"

    @property
    def is_complete(self) -> bool:
        """Whether the pass has ended successfully."""
        return (self.folder / COMPLETE).is_file()

    def mark_incomplete(self) -> None:
        """Mark a complete pass as incomplete, so that a resumed run measures it again."""
        (self.folder / COMPLETE).unlink()


def write_config(workspace: Workspace, folder: Path) -> Path:
    """Write asv's configuration file of one pass.

    Parameters
    ----------
    workspace : Workspace
        The source of the benchmarks.
    folder : Path
        The folder of the results.

    Returns
    -------
    path : Path
        The file.
    """
    config = {
        "version": 1,
        "project": "nnkernels",
        "repo": str(workspace.root),
        "dvcs": DVCS,
        "plugins": [".nnkernels.measure.asv_driver.plugin"],  # the dot makes asv import the module by its full name
        "branches": ["HEAD"],
        "environment_type": "existing",
        "benchmark_dir": str(workspace.benchmarks),
        "env_dir": str(folder / "env"),
        "results_dir": str(folder),
        "html_dir": str(folder.parent / "html"),
        "launch_method": "spawn",
    }
    path = folder / CONFIG_NAME
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def run_pass(
    workspace: Workspace,
    machine: str,
    patterns: Sequence[str],
    where: Pass,
    environment: Mapping[str, str],
    show_progress: Callable[[float, str], None],
) -> None:
    """Run the matching benchmarks in asv, with this interpreter and without settings that distort times.

    Parameters
    ----------
    workspace : Workspace
        The source of the benchmarks.
    machine : str
        Name of the machine.
    patterns : sequence of str
        Regular expressions of the benchmarks.
    where : Pass
        The folders of the results. Their content is deleted.
    environment : mapping
        Variables for the benchmarks, in addition to those of
        :func:`~nnkernels.measure.records.environment.timed_environment`.
    show_progress : callable
        ``show_progress(fraction, what)``, where ``fraction`` is the fraction of the pass that is done, and ``what`` is
        the current benchmark. Called whenever asv writes something, and every second otherwise.

    Raises
    ------
    MeasurementError
        If benchmarks fail. The message contains the name and the error of each.
    """
    for folder in (where.folder, where.records):
        shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted pass
        folder.mkdir(parents=True)
    command = [sys.executable, "-m", "asv", "--config", str(write_config(workspace, where.folder)), "run"]
    command += ["--environment", f"existing:{sys.executable}", "--set-commit-hash", workspace.commit]
    command += ["--machine", machine, "--record-samples", "--show-stderr"]
    for pattern in patterns:
        command += ["--bench", pattern]
    child_environment = {
        **timed_environment(),
        **environment,
        **BenchOptions(records=str(where.records)).as_environ(),
        DATE_VARIABLE: str(workspace.commit_date),
        CHECKOUT_VARIABLE: str(workspace.root),
        # asv removes PYTHONPATH from the benchmarks' environment, and sets it to this variable.
        "ASV_PYTHONPATH": python_path(),
    }
    with open(where.log, "w", encoding="utf-8") as log:
        child = subprocess.Popen(
            command,
            cwd=workspace.root,
            env=child_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # In a new session, Ctrl-C reaches only this process, which then ends asv and its benchmark.
            start_new_session=os.name == "posix",
        )
        done, including_current, what, unfinished = 0.0, 0.0, "", ""
        with closing(_output(child)) as output:
            for text in output:
                log.write(text)
                log.flush()
                # asv ends a line only when it begins the next one, so the current benchmark is in an unfinished line.
                *lines, unfinished = (unfinished + text).split("\n")
                for line in (*lines, unfinished):
                    if match := PROGRESS.match(line):
                        # asv's percentage counts the current benchmark as done.
                        percent, what = float(match["percent"]), match["what"].split("  ")[0]
                        if percent > including_current:
                            done, including_current = including_current, percent
                show_progress(done / 100, what)
        status = child.wait()
    if status:
        raise MeasurementError(_failures(where.log.read_text("utf-8"), status))
    (where.folder / COMPLETE).touch()


def register_machine(workspace: Workspace, name: str, information: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Register this machine in asv's machine file in the home folder.

    Parameters
    ----------
    workspace : Workspace
        The source of the benchmarks.
    name : str
        Name of the machine.
    information : mapping
        Values for the options of ``asv machine``, such as ``cpu`` and ``ram``.
    scratch : Path
        A temporary folder.

    Returns
    -------
    environment : dict
        Environment variables with which asv finds the file. Empty if the user's home folder is writable. Otherwise they
        set the home folder to a folder in ``scratch``.

    Raises
    ------
    MeasurementError
        If asv fails.
    """
    command = [sys.executable, "-m", "asv", "--config", str(write_config(workspace, scratch)), "machine"]
    command += ["--machine", name]
    for key, value in information.items():
        command += [f"--{key}", value]
    own_home = {"HOME": str(scratch / "home"), "USERPROFILE": str(scratch / "home")}
    (scratch / "home").mkdir(exist_ok=True)
    for changes in ({}, own_home):
        answer = subprocess.run(
            command,
            env={**os.environ, **changes},
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0:
            return changes
    raise MeasurementError(f"asv machine failed: {(answer.stdout + answer.stderr).strip()}")


def _output(child: subprocess.Popen[bytes]) -> Generator[str]:
    """Read a child's output as it is written.

    If the generator raises, is interrupted or is closed early, the child and all of its descendants are killed.

    Yields
    ------
    text : str
        New output; empty after each second without output.
    """
    written: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        assert child.stdout is not None
        with child.stdout as pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                written.put(chunk)
        written.put(b"")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        while True:
            try:
                chunk = written.get(timeout=PROGRESS_SECONDS)
            except queue.Empty:
                yield ""
                continue
            if not chunk:
                return
            yield decoder.decode(chunk)
    except BaseException:
        _kill_with_descendants(child)
        reader.join()
        raise


def _kill_with_descendants(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and its descendants, including those in other process groups, such as asv's benchmarks."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(child.pid)
        parent.suspend()  # so that it cannot start another process in the meantime
        for one in (*parent.children(recursive=True), parent):
            with suppress(psutil.NoSuchProcess):
                one.kill()
    child.wait()


def _failures(log: str, status: int) -> str:
    reasons: list[str] = []
    for line in log.splitlines():
        match = FAILURE.match(line.strip())
        if match and (reason := f"{match['error']}: {match['text']}") not in reasons:
            reasons.append(reason)
        elif "asv: benchmark timed out" in line and line.strip() not in reasons:
            reasons.append(line.strip())
    failed = re.findall(r"^\[.*?%\]\s*·+\s*(\S+)\s+(?:failed|\d+/\d+ failed)", log, re.MULTILINE)
    if not failed and not reasons:
        return f"asv ended with status {status}:\n" + "\n".join(log.splitlines()[-15:])
    return f"failed: {', '.join(dict.fromkeys(failed))}\n" + "\n".join(f"  {reason}" for reason in reasons)
