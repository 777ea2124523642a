"""Result files of asv: merging passes, removing paths of this machine, and adding the results to the history."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnkernels.errors import MeasurementError
from nnkernels.files import write_bytes

# Packages of which a new version starts a new line in asv's graphs.
VERSIONED = ("numpy", "numba", "keras", "tensorflow", "tensorflow-cpu")


@dataclass(frozen=True)
class Merged:
    """The results of all passes.

    Attributes
    ----------
    results : asv.results.Results
        The merged results, with the samples of all passes.
    processes : dict
        For each benchmark and each combination of its parameters, the value that each pass measured.
    parameter_names : dict
        For each benchmark, the names of its parameters.
    units : dict
        For each benchmark, its unit.
    """

    results: Any
    processes: dict[str, list[list[float]]]
    parameter_names: dict[str, list[str]]
    units: dict[str, str]

    def as_json(self, folder: Path) -> dict[str, Any]:
        """Return the content of asv's result file, extended by what asv does not store.

        Parameters
        ----------
        folder : Path
            A temporary folder for asv's file.

        Returns
        -------
        content : dict
            asv's content, with ``processes``, ``parameter_names`` and ``units``.
        """
        (folder / self.results.params["machine"]).mkdir(parents=True, exist_ok=True)
        self.results.save(str(folder))
        content: dict[str, Any] = json.loads(only_result_file(folder).read_text("utf-8"))
        return {
            **content,
            "processes": self.processes,
            "parameter_names": self.parameter_names,
            "units": self.units,
        }


def environment_of(provenance: dict[str, Any]) -> dict[str, str]:
    """Return the package versions by which asv distinguishes environments.

    Parameters
    ----------
    provenance : dict
        See :mod:`nnkernels.measure.records.provenance`.

    Returns
    -------
    versions : dict
        Version by name of the package.
    """
    return {name: version for name, version in provenance["packages"].items() if name in VERSIONED}


def load_benchmarks(folder: Path) -> dict[str, Any]:
    """Read asv's description of the benchmarks.

    Parameters
    ----------
    folder : Path
        A folder of results.

    Returns
    -------
    benchmarks : dict
        Descriptions by name of the benchmark.
    """
    content: dict[str, Any] = json.loads((folder / "benchmarks.json").read_text("utf-8"))
    content.pop("version", None)
    return content


def only_result_file(folder: Path) -> Path:
    """Return the result file of a pass.

    Parameters
    ----------
    folder : Path
        The folder of the pass.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    MeasurementError
        If there is not exactly one result file.
    """
    found = [path for path in folder.glob("*/*.json") if path.name != "machine.json"]
    if len(found) != 1:
        raise MeasurementError(f"{folder} contains {len(found)} result files of asv, expected one")
    return found[0]


def merge_passes(folders: list[Path], provenance: dict[str, Any]) -> Merged:
    """Merge the results of passes, under an environment name without paths.

    Parameters
    ----------
    folders : list of Path
        The folders of the passes.
    provenance : dict
        See :mod:`nnkernels.measure.records.provenance`.

    Returns
    -------
    merged : Merged
        The results.

    Raises
    ------
    MeasurementError
        If a folder does not have exactly one result file.
    """
    from asv.results import Results

    loaded = [Results.load(str(only_result_file(folder))) for folder in folders]
    first = loaded[0]
    requirements = environment_of(provenance)
    python = ".".join(provenance["python"].split(".")[:2])
    name = "-".join(["existing-py" + python, *(f"{package}{version}" for package, version in requirements.items())])
    params = {**first.params, "python": python, **requirements}
    merged = Results(params, requirements, first.commit_hash, first.date, python, name, {})
    processes: dict[str, list[list[float]]] = {}
    benchmarks = load_benchmarks(folders[0])
    for results in loaded:
        add_measured(merged, results, benchmarks, append=True)
        for benchmark in results.get_all_result_keys():
            values = results.get_result_value(benchmark, benchmarks[benchmark]["params"])
            values_by_parameters = processes.setdefault(benchmark, [[] for _ in values])
            for pass_values, value in zip(values_by_parameters, values, strict=True):
                if _is_number(value):
                    pass_values.append(value)
    names = {benchmark: benchmarks[benchmark]["param_names"] for benchmark in processes}
    units = {benchmark: benchmarks[benchmark]["unit"] for benchmark in processes}
    return Merged(merged, processes, names, units)


def add_measured(target: Any, source: Any, benchmarks: dict[str, Any], append: bool) -> None:
    """Add the measured values of one set of results to another.

    Parameters
    ----------
    target, source : asv.results.Results
        The results to extend, and the results to add.
    benchmarks : dict
        asv's descriptions; see :func:`load_benchmarks`. Other benchmarks are ignored.
    append : bool
        Whether samples of the same parameters are appended. Otherwise they are replaced.
    """
    from asv.runner import BenchmarkResult

    for name in source.get_all_result_keys():
        if name not in benchmarks:
            continue
        benchmark = benchmarks[name]
        values = source.get_result_value(name, benchmark["params"])
        measured = [i for i, value in enumerate(values) if _is_number(value)]
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


def add_to_history(merged: Merged, any_pass: Path, machine: str, history: Path) -> None:
    """Add merged results to asv's history, file by file atomically.

    Earlier results of the same commit are kept unless they were measured again.

    Parameters
    ----------
    merged : Merged
        The results.
    any_pass : Path
        The folder of any pass, because all passes have the same descriptions of benchmarks and machine.
    machine : str
        Name of the machine.
    history : Path
        The folder of asv's results.
    """
    from asv.results import Results, get_filename

    history.mkdir(parents=True, exist_ok=True)
    path = history / get_filename(machine, merged.results.commit_hash, merged.results.env_name)
    target = merged.results
    if path.is_file():
        target = Results.load(str(path))
        add_measured(target, merged.results, load_benchmarks(any_pass), append=False)
    with tempfile.TemporaryDirectory() as folder:
        # asv does not write atomically, and a history that is cut off could be read neither by asv nor by us.
        Path(folder, machine).mkdir()
        target.save(folder)
        write_bytes(path, only_result_file(Path(folder)).read_bytes())
    for name in (f"{machine}/machine.json", "benchmarks.json"):
        write_bytes(history / name, (any_pass / name).read_bytes())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)
