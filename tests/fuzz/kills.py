"""Trainings and benchmark runs that are killed at random moments: ``python -m tests.fuzz.kills``.

A training is resumed after each kill, until it ends; then it must equal an undisturbed one bit for bit. A benchmark run
is started again; the results must contain complete runs only, and those that existed before must not change.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from nnkernels.checkpoints import load_checkpoint
from nnkernels.errors import DataError
from nnkernels.interchange import load_parameters
from nnkernels.interchange.training_steps import load_training_steps
from nnkernels.report.runs import load_run, run_folders
from tests.checkouts import Project
from tests.fuzz import figures

DATA = "mnist-5k"
TRAIN = ("train", "--data", DATA, "--recipe", "adam", "--batch-size", "16", "--epochs", "12", "--seed", "3")
BENCH = ("bench", "--data", DATA, "--contenders", "numpy,fused", "--threads", "1")
# With the number of passes. The second one is resumable.
PROFILES = {"quick": ("--rounds", "1"), "full": ("--rounds", "3")}
TIMED = ("training_seconds", "images_per_second", "provenance")
LIMIT = 600  # seconds after which a process has failed to end


class DamageError(AssertionError):
    """A killed process has left something that it must not leave."""


def run_for(
    seconds: float, arguments: Sequence[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str] | None:
    """Run a command, and kill its process group after some seconds; return None if it was killed."""
    command = [sys.executable, "-m", "nnkernels.cli", *arguments]
    with tempfile.TemporaryFile("w+") as said:
        # A file, because processes that outlive the command would keep a pipe open.
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=said, text=True, start_new_session=True
        )
        try:
            child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return None
        said.seek(0)
        return subprocess.CompletedProcess(command, child.returncode, said.read())


def finished(arguments: Sequence[str], folder: Path, environment: dict[str, str]) -> float:
    """Run a command to its end, and return its duration in seconds."""
    started = time.monotonic()
    answer = run_for(LIMIT, arguments, folder, environment)
    if answer is None or answer.returncode:
        raise DamageError(f"{' '.join(arguments)}: {answer and answer.stdout}")
    return time.monotonic() - started


# Trainings


def report(folder: Path) -> dict[str, Any]:
    """Read the files of a training, all of which must be whole; without times and provenance."""
    from PIL import Image

    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):  # a temporary file, which nothing takes for a result
            continue
        if path.name == "checkpoint.safetensors":
            found[path.name] = load_checkpoint(path)
        elif path.name == "training_steps.safetensors":
            load_training_steps(path)
            found[path.name] = path.read_bytes()
        elif path.suffix == ".safetensors":
            found[path.name] = load_parameters(path)
        elif path.suffix == ".json":
            content = json.loads(path.read_text("utf-8"))
            found[path.name] = {key: value for key, value in content.items() if key not in TIMED}
        elif path.suffix == ".csv":
            rows = csv.DictReader(io.StringIO(path.read_text("utf-8")))
            found[path.name] = [{key: cell for key, cell in row.items() if "seconds" not in key} for row in rows]
        else:
            with Image.open(path) as image:
                found[path.name] = image.size
                image.load()
    return found


def require_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare two reports bit for bit."""
    if found.keys() != expected.keys():
        raise DamageError(f"files {sorted(found)}, expected {sorted(expected)}")
    for name, value in expected.items():
        if name == "checkpoint.safetensors":
            arrays = [
                (*one.parameters, *one.state.first, *one.state.second, one.state.step) for one in (found[name], value)
            ]
        elif name == "parameters.safetensors":
            arrays = [tuple(one) for one in (found[name], value)]
        else:
            if found[name] != value:
                raise DamageError(f"{name} differs: {found[name]}, expected {value}")
            continue
        if not all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(*arrays, strict=True)):
            raise DamageError(f"{name} differs")


def kill_trainings(kills: int, rng: random.Random, console: Console) -> dict[str, Any]:
    """Kill trainings, resume them, and compare them with undisturbed ones."""
    counts: Counter[str] = Counter()
    environment = {**os.environ}
    with tempfile.TemporaryDirectory(prefix="nnkernels-kills-") as name:
        root, backends = Path(name), ("numpy", "fused")
        seconds, expected = {}, {}
        for backend in backends:
            command = (*TRAIN, "--backend", backend, "--out", f"{backend}-whole")
            finished(command, root, environment)  # compiles
            command = (*TRAIN, "--backend", backend, "--out", f"{backend}-again")
            seconds[backend] = finished(command, root, environment)
            expected[backend] = report(root / f"{backend}-whole")
            require_equal(report(root / f"{backend}-again"), expected[backend])
        while counts["kills"] < kills:
            backend = backends[counts["trainings"] % len(backends)]
            folder = root / f"killed-{counts['trainings']}"
            whole = False
            while not whole:
                try:
                    done = load_checkpoint(folder / "checkpoint.safetensors").history.epochs_done
                except DataError:  # killed before the first epoch ended
                    if (folder / "checkpoint.safetensors").exists():
                        raise
                    done = 0
                options = ("--resume",) if done else ("--backend", backend)
                command = ("train", "--data", DATA, *options) if done else (*TRAIN, *options)
                limit = rng.uniform(0.2, 0.9) * seconds[backend] if counts["kills"] < kills else LIMIT
                answer = run_for(limit, (*command, "--out", folder.name), root, environment)
                whole = answer is not None
                if answer is not None and answer.returncode:
                    raise DamageError(f"after {counts['kills']} kills: {answer.stdout}")
                if not whole:
                    counts["kills"] += 1
                    found = report(folder) if folder.exists() else {}
                    reached = found["checkpoint.safetensors"].history.epochs_done if found else 0
                    counts["before the first epoch" if not reached else "later"] += 1
            require_equal(report(folder), expected[backend])
            counts["trainings"] += 1
            counts["temporary"] += sum(path.name.startswith(".") for path in folder.iterdir())
            console.print(f"training {counts['trainings']}: {counts['kills']} kills", highlight=False)
    return {
        **counts,
        "sentence": (
            f"Trainings: {counts['kills']} kills in {counts['trainings']} trainings ({counts['later']} after an epoch, "
            f"{counts['before the first epoch']} before); all ended with the parameters and the history of an "
            f"undisturbed one, bit for bit. {counts['temporary']} hidden temporary files were left."
        ),
    }


# Benchmark runs


def state(results: Path) -> dict[str, str]:
    """Return the hash of each file of the results."""
    files = (path for path in results.rglob("*") if path.is_file())
    return {path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def require_whole(results: Path, before: dict[str, str]) -> tuple[int, int]:
    """Check the results after a kill; return the number of complete runs, and of folders without a description."""
    from asv.results import Results

    after = state(results)
    changed = [name for name, digest in before.items() if name.startswith("runs/") and after.get(name) != digest]
    if changed:
        raise DamageError(f"changed by another run: {changed}")
    complete = run_folders(results)
    for folder in complete:
        run = load_run(folder)
        if run.record.passes != run.record.planned_passes:
            raise DamageError(f"{folder.name} has {run.record.passes} of {run.record.planned_passes} passes")
    for path in results.glob("asv/*/*.json"):
        json.loads(path.read_text("utf-8"))
        if path.name != "machine.json":
            Results.load(str(path))
    return len(complete), len([*results.glob("runs/*")]) - len(complete)


def kill_benches(kills: int, rng: random.Random, console: Console) -> dict[str, Any]:
    """Kill benchmark runs, start them again, and check the results in between."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="nnkernels-kills-") as name:
        project = Project.made(Path(name, "checkout"), Path(DATA))
        project.commit()
        results, environment = project.root / "results", project.environment
        profiles = list(PROFILES)[: max(1, kills // 2)]
        commands = [(*BENCH, "--profile", profile, *PROFILES[profile]) for profile in profiles]
        seconds = []
        for command in commands:
            finished(command, project.root, environment)  # compiles
            seconds.append(finished(command, project.root, environment))
        runs, incomplete = require_whole(results, {})
        while counts["kills"] < kills:
            command, duration = commands[counts["kills"] % len(commands)], seconds[counts["kills"] % len(commands)]
            before = state(results)
            answer = run_for(rng.uniform(0.02, 0.9) * duration, command, project.root, environment)
            if answer is not None and answer.returncode:
                raise DamageError(f"after {counts['kills']} kills: {answer.stdout}")
            counts["ended" if answer else "kills"] += 1
            now, incomplete = require_whole(results, before)
            if not runs <= now <= runs + 1 or (answer and now != runs + 1):
                raise DamageError(f"{now} complete runs after {runs}")
            counts["complete all the same"] += now > runs and answer is None
            runs = now
            console.print(f"bench: {counts['kills']} kills, {now} runs", highlight=False)
        for command in commands:  # what was killed last does not stand in the way
            finished(command, project.root, environment)
            runs += 1
        now, incomplete = require_whole(results, {})
        if now != runs:
            raise DamageError(f"{now} complete runs, expected {runs}")
    return {
        **counts,
        "incomplete": incomplete,
        "sentence": (
            f"Benchmark runs ({' and '.join(profiles)}): {counts['kills']} kills. Each time the "
            "results contained complete runs only, earlier ones were unchanged, and the next run was not hindered. "
            f"{incomplete} folders without a description were left, which nothing takes for a run."
        ),
    }


def main() -> None:
    """Kill trainings and benchmark runs, and record the figures on request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=int, default=100, help="number of kills in trainings")
    parser.add_argument("--bench", type=int, default=20, help="number of kills in benchmark runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help=f"write {figures.RECORDS['kills']} (at a clean commit)")
    options = parser.parse_args()
    console = Console(width=150)
    workspace = figures.recordable_workspace() if options.record else None
    rng = random.Random(options.seed)
    found: dict[str, Any] = {"seed": options.seed}
    if options.training:
        found["training"] = kill_trainings(options.training, rng, console)
    if options.bench:
        found["bench"] = kill_benches(options.bench, rng, console)
    for part in ("training", "bench"):
        if part in found:
            console.print(found[part]["sentence"], highlight=False)
    if workspace:
        figures.record(workspace, "kills", found)


if __name__ == "__main__":
    main()
