"""Where a number comes from: versions, processor, BLAS, threads, data and commit; no path, host or user name."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nnkernels.data import Dataset
from nnkernels.errors import MeasurementError
from nnkernels.measure.records.environment import find_settings, python_path, timed_environment
from nnkernels.measure.timing.threads import available_cpus, pinning

PACKAGES = (
    "nnkernels",
    "numpy",
    "scipy",
    "numba",
    "llvmlite",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "jaxlib",
    "onnx",
    "onnxruntime",
    "scikit-learn",
    "torch",
    "asv",
)


def collect(dataset: Dataset, timed: bool = False) -> dict[str, Any]:
    """Return the provenance of what is computed here and now on ``dataset``.

    Parameters
    ----------
    timed : bool
        Whether it is about the processes that ``bench`` starts, which do not see all settings of this one.

    Returns
    -------
    dict
        ``environment`` holds ``neutralised`` and ``kept``, the settings that change speed or results; ``keras``, where
        it has been imported, what Keras is set to, one entry a backend. :mod:`~nnkernels.measure.records.environment`
        has the rules.
    """
    settings = find_settings()
    in_use = keras_in_use()
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "packages": package_versions(),
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": cpu_name(),
        "microarchitecture": microarchitecture(),
        "cpus": available_cpus(),
        "pinning": pinning(),
        **(native_code_of_timed_processes() if timed and settings.removed else native_code()),
        "environment": settings.of_timed_processes() if timed else settings.of_this_process(),
        **({"keras": [in_use]} if in_use and not timed else {}),
        "dataset": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "training_images": len(dataset.X_train),
            "test_images": len(dataset.X_test),
        },
    }


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that decide a result."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def cpu_name() -> str:
    """Return the processor's name as it gives it, or its architecture where it gives none.

    py-cpuinfo gives the same name and takes a second. archspec has it for x86 and macOS alone, with its padding, and
    calls the microarchitectures otherwise than LLVM, whose names are on record.
    """
    if platform.system() == "Linux":
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
        if match:
            return match[1].strip()
    if platform.system() == "Darwin":
        answer = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0 and answer.stdout.strip():
            return answer.stdout.strip()
    return platform.processor() or platform.machine()


def microarchitecture() -> str:
    """Return LLVM's name of the processor, which decides what the kernels compile to."""
    import llvmlite.binding

    return str(llvmlite.binding.get_host_cpu_name())


def machine_code_digest() -> str:
    """Return the hash of all that decides what machine code the kernels compile to; it loads Numba."""
    from nnkernels.machine_code import machine_code

    return machine_code().digest


def machine_name() -> str:
    """Return a name for this kind of machine, from its processor and its CPUs; never the host's name."""
    words = re.sub(r"\((r|tm)\)|\bcpu\b|@.*$", " ", cpu_name().lower())
    slug = "-".join(re.findall(r"[a-z0-9]+", f"{words} {microarchitecture()}"))
    return f"{slug}-{available_cpus()}-cpus"


def blas_libraries() -> list[dict[str, Any]]:
    """Return each BLAS that is loaded with NumPy and SciPy: its name, version, kernels and default threads."""
    import scipy.linalg.cython_blas  # noqa: F401  (loads the BLAS that Numba's matrix products call)
    from threadpoolctl import threadpool_info

    keys = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
    return [{key: entry.get(key) for key in keys} for entry in threadpool_info() if entry["user_api"] == "blas"]


def native_code() -> dict[str, Any]:
    """Return the BLAS libraries and the hash of the machine code of this process."""
    return {"blas": blas_libraries(), "machine_code": machine_code_digest()}


def native_code_of_timed_processes() -> dict[str, Any]:
    """Return what :func:`native_code` says in a process that does not see the settings that distort."""
    program = f"import json; from {__name__} import native_code; print(json.dumps(native_code()))"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**timed_environment(), "PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()[-1:] or [f"exit status {answer.returncode}"]
        raise MeasurementError(f"NumPy and SciPy do not start without the settings that distort times: {reason[0]}")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def keras_in_use() -> dict[str, Any] | None:
    """Return what Keras is set to in this process; None where it has not been imported."""
    if "keras" not in sys.modules:
        return None
    config = sys.modules["keras"].config
    return {
        "backend": config.backend(),
        "floatx": config.floatx(),
        "epsilon": config.epsilon(),
        "image_data_format": config.image_data_format(),
    }
