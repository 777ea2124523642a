"""Where a number comes from: versions, processor, BLAS, threads, data and commit; no path, host or user name."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nnkernels.data import Dataset
from nnkernels.measure.threads import available_cpus, pinning

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


def collect(dataset: Dataset) -> dict[str, Any]:
    """Return the provenance of what is measured here and now on ``dataset``."""
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
        "blas": blas_libraries(),
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
    """Return the processor's name as it gives it, or its architecture where it gives none."""
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
