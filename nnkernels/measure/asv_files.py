"""asv's result files: the passes of a run merged, freed of this machine's paths, and moved into the history."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from nnkernels.errors import MeasurementError

VERSIONED = (
    "numpy",
    "numba",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
)  # versions that start a new line in asv's graphs


def environment_of(provenance: dict[str, Any]) -> dict[str, str]:
    """Return the package versions by which asv tells one environment from another."""
    return {name: version for name, version in provenance["packages"].items() if name in VERSIONED}


def load_benchmarks(folder: Path) -> dict[str, Any]:
    """Return asv's description of the benchmarks, by name."""
    content: dict[str, Any] = json.loads((folder / "benchmarks.json").read_text("utf-8"))
    content.pop("version", None)
    return content


def only_result_file(folder: Path) -> Path:
    """Return the one result file of a pass."""
    found = [path for path in folder.glob("*/*.json") if path.name != "machine.json"]
    if len(found) != 1:
        raise MeasurementError(f"asv left {len(found)} result files where one was expected")
    return found[0]


def merge_passes(folders: list[Path], provenance: dict[str, Any]) -> Any:
    """Return one asv ``Results`` with the samples of all passes, under a name without paths."""
    from asv.results import Results

    first = Results.load(str(only_result_file(folders[0])))
    requirements = environment_of(provenance)
    python = ".".join(provenance["python"].split(".")[:2])
    name = "-".join(["existing-py" + python, *(f"{package}{version}" for package, version in requirements.items())])
    params = {**first.params, "python": python, **requirements}
    merged = Results(params, requirements, first.commit_hash, first.date, python, name, {})
    for folder in folders:
        add_measured(merged, Results.load(str(only_result_file(folder))), load_benchmarks(folder), append=True)
    return merged


def add_measured(target: Any, source: Any, benchmarks: dict[str, Any], append: bool) -> None:
    """Add what ``source`` measured to ``target``: beside its samples of the same parameters, or in their place."""
    from asv.runner import BenchmarkResult

    for name in source.get_all_result_keys():
        if name not in benchmarks:
            continue
        benchmark = benchmarks[name]
        values = source.get_result_value(name, benchmark["params"])
        measured = [i for i, value in enumerate(values) if value is not None and not math.isnan(value)]
        if not measured:
            continue
        samples = source.get_result_samples(name, benchmark["params"])
        stats = source.get_result_stats(name, benchmark["params"])
        result = BenchmarkResult(
            result=[value if i in measured else math.nan for i, value in enumerate(values)],
            samples=[samples[i] if i in measured else None for i in range(len(values))],
            number=[(stats[i] or {}).get("number", 1) if i in measured else None for i in range(len(values))],
            errcode=0,
            stderr="",
            profile=None,
        )
        target.add_result(benchmark, result, record_samples=True, append_samples=append, selected_idx=set(measured))


def record(merged: Any, last_pass: Path, machine: str, history: Path) -> None:
    """Put merged results into asv's history; what was measured earlier at the same commit stays beside them."""
    from asv.results import Results, get_filename

    history.mkdir(parents=True, exist_ok=True)
    path = history / get_filename(machine, merged.commit_hash, merged.env_name)
    target = merged
    if path.is_file():
        target = Results.load(str(path))
        add_measured(target, merged, load_benchmarks(last_pass), append=False)
    target.save(str(history))
    shutil.copyfile(last_pass / machine / "machine.json", history / machine / "machine.json")
    shutil.copyfile(last_pass / "benchmarks.json", history / "benchmarks.json")


def as_json(merged: Any, folder: Path) -> dict[str, Any]:
    """Return merged results in the form of asv's result files."""
    merged.save(str(folder))
    content: dict[str, Any] = json.loads(only_result_file(folder).read_text("utf-8"))
    return content
