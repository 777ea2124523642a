"""What must be the same in two runs so that a change of a ratio says something about the code.

Every ratio is to NumPy on one thread, so the version of NumPy and the BLAS libraries are conditions of each series. The
commit is none: its effect is what the history shows. Nor is the version of the operating system's kernel.
"""

from __future__ import annotations

from typing import Any

from nnkernels import contenders
from nnkernels.measure.timing.scenarios import FURTHER_SCENARIOS, names
from nnkernels.report.dashboard.kinds import FRAMEWORK, FROM_SCRATCH, ONLY_PREDICTS, kind
from nnkernels.report.ratios import BASELINE
from nnkernels.report.runs import Run

COMPILER = ("numba", "llvmlite", "scipy")  # Numba's matrix products call SciPy's BLAS
# The distributions that provide a package, if their names differ from that of the package, and those it relies on.
DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "jax": ("jax", "jaxlib"),
    "sklearn": ("scikit-learn",),
}
NOT_MEASURED = ("nnkernels", "asv")  # packages whose versions affect no series


def conditions(run: Run, work: str, contender: str) -> dict[str, str]:
    """Return the conditions of a series in a run.

    Parameters
    ----------
    run : Run
        A single run.
    work, contender : str
        The work and the contender of the series.

    Returns
    -------
    conditions : dict of str to str
        By name: the version of the benchmark, which changes with its method, the hash of the data set, the versions of
        Python, NumPy and BLAS, the settings that were kept, and the versions of the packages that decide the
        contender's time. For a contender that is not installed here, these are all recorded packages.
    """
    provenance = run.record.provenance
    packages = provenance["packages"]
    return {
        "benchmark": _benchmark_versions(run, "other_work" if work in names(FURTHER_SCENARIOS) else "ratios"),
        "data set": str(provenance["dataset"]["sha256"])[:12],
        "Python": provenance["python"],
        "BLAS": _blas(provenance),
        "settings": ", ".join(f"{key}={value}" for key, value in sorted(_kept(provenance).items())) or "none",
        **{name: packages[name] for name in ("numpy", *_deciding(contender, packages)) if name in packages},
    }


def limit_conditions(run: Run) -> dict[str, str]:
    """Return the conditions of the limits of the hardware.

    Parameters
    ----------
    run : Run
        A single run.

    Returns
    -------
    conditions : dict of str to str
        By name.
    """
    packages = run.record.provenance["packages"]
    return {
        "benchmark": _benchmark_versions(run, "limits"),
        **{name: packages[name] for name in ("numpy", *COMPILER) if name in packages},
    }


def differences(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    """Describe what differs between the conditions of two runs.

    Parameters
    ----------
    before, after : dict of str to str
        As :func:`conditions` returns them.

    Returns
    -------
    texts : tuple of str
        For example ``numpy 2.4.0 to 2.4.6``; empty if nothing differs.
    """
    return tuple(
        f"{name} {before.get(name, 'absent')} to {after.get(name, 'absent')}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    )


def _deciding(contender: str, packages: dict[str, str]) -> tuple[str, ...]:
    if contender == BASELINE:
        return ()
    found = kind(contender)
    if found == FROM_SCRATCH:
        return COMPILER
    if found in (FRAMEWORK, ONLY_PREDICTS):
        required = contenders.entry(contender).packages
        return tuple(name for package in required for name in DISTRIBUTIONS.get(package, (package,)))
    return tuple(name for name in packages if name not in NOT_MEASURED)


def _benchmark_versions(run: Run, file: str) -> str:
    results = run.asv_results
    place = results["result_columns"].index("version") if "version" in results.get("result_columns", ()) else None
    if place is None:
        return "unknown"
    rows = [columns for name, columns in results["results"].items() if name.startswith(f"{file}.")]
    return f"{file} " + (", ".join(sorted({str(columns[place]) for columns in rows if len(columns) > place})) or "?")


def _blas(provenance: dict[str, Any]) -> str:
    libraries = {
        f"{library.get('internal_api')} {library.get('version')} ({library.get('architecture')})"
        for library in provenance["blas"]
    }
    return " and ".join(sorted(libraries))


def _kept(provenance: dict[str, Any]) -> dict[str, str]:
    environment: dict[str, dict[str, str]] = provenance.get("environment", {})
    return environment.get("kept", {})
