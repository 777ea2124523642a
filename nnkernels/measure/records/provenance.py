"""Provenance of results: versions, processor, BLAS, threads, data and commit, but no path, host name or user name."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, MeasurementError
from nnkernels.measure.records.environment import find_settings, python_path, timed_environment
from nnkernels.measure.timing.threads import available_cpus, pinning

# The environment variable with a prefix for the names of machines.
MACHINE_PREFIX = "NNKERNELS_MACHINE_PREFIX"
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
    """Collect the provenance of results on this machine and a data set.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    timed : bool
        Whether the results are from processes that ``bench`` starts. These do not see all settings of this process.

    Returns
    -------
    provenance : dict
        For JSON. ``environment`` contains the settings that change speed or results, as ``neutralised`` and ``kept``;
        see :mod:`~nnkernels.measure.records.environment`. ``keras``, if Keras has been imported, contains its
        configuration, one entry per backend.

    Raises
    ------
    MeasurementError
        If a process without the removed settings cannot be started.
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
        "environment": settings.record_for_timed_processes() if timed else settings.record_for_this_process(),
        **({"keras": [in_use]} if in_use and not timed else {}),
        "dataset": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "training_images": len(dataset.X_train),
            "test_images": len(dataset.X_test),
            "classes": dataset.classes,
            **_origin(dataset),
        },
    }


def _origin(dataset: Dataset) -> dict[str, Any]:
    """Return how a data set was read from files, unless its name says what it is."""
    if dataset.origin is None or not dataset.name.startswith("custom-"):
        return {}
    found = dataset.origin
    return {"format": found.format, "files": list(found.files[:20]), "split": found.split, "notes": list(found.notes)}


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that affect results.

    Returns
    -------
    versions : dict
        Version by name of the package.
    """
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def cpu_name() -> str:
    """Return the name of the processor.

    py-cpuinfo returns the same name, but takes a second. archspec knows it only for x86 and macOS, with padding, and
    its names of microarchitectures differ from LLVM's, which are recorded.

    Returns
    -------
    name : str
        The processor's own name, or the architecture if it has none.
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
    """Return LLVM's name of the processor, which determines the compiled code of the kernels.

    Returns
    -------
    name : str
        For example, ``cascadelake``.
    """
    import llvmlite.binding

    return str(llvmlite.binding.get_host_cpu_name())


def machine_code_digest() -> str:
    """Return a hash of everything that determines the machine code of the kernels. It imports Numba.

    Returns
    -------
    digest : str
        Hexadecimal digits.
    """
    from nnkernels.machine_code import machine_code

    return machine_code().digest


def machine_name() -> str:
    """Return a name for this kind of machine. It never contains the host name.

    The environment variable ``NNKERNELS_MACHINE_PREFIX`` puts a word before it, which keeps the machines of a place
    apart from others with the same processor: ``github-hosted`` for the runners of a CI service, for example.

    Returns
    -------
    name : str
        Derived from the processor, its microarchitecture and the number of CPUs.

    Raises
    ------
    ConfigurationError
        If the prefix is not made of lower-case letters, digits and hyphens, is too long, or contains the host name.
    """
    words = re.sub(r"\((r|tm)\)|\bcpu\b|@.*$", " ", cpu_name().lower())
    slug = "-".join(re.findall(r"[a-z0-9]+", f"{words} {microarchitecture()}"))
    return f"{_machine_prefix()}{slug}-{available_cpus()}-cpus"


def _machine_prefix() -> str:
    """Return the prefix with a hyphen, or an empty string."""
    prefix = os.environ.get(MACHINE_PREFIX, "")
    if not prefix:
        return ""
    if len(prefix) > 32 or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", prefix):
        raise ConfigurationError(
            f"{MACHINE_PREFIX}={prefix!r} is no prefix of a machine's name; use at most 32 lower-case letters and "
            "digits, with single hyphens between them, for example github-hosted"
        )
    host = platform.node().lower().partition(".")[0]
    if host and f"-{host}-" in f"-{prefix}-":
        raise ConfigurationError(
            f"{MACHINE_PREFIX} contains the name of this host, which results do not name; choose another prefix"
        )
    return f"{prefix}-"


def blas_libraries() -> list[dict[str, Any]]:
    """Return the BLAS libraries that NumPy and SciPy load.

    Returns
    -------
    libraries : list of dict
        Name, version, kernel architecture, threading layer and default number of threads of each.
    """
    import scipy.linalg.cython_blas  # noqa: F401  (loads the BLAS that Numba's matrix products call)
    from threadpoolctl import threadpool_info

    keys = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
    return [{key: entry.get(key) for key in keys} for entry in threadpool_info() if entry["user_api"] == "blas"]


def native_code() -> dict[str, Any]:
    """Return the BLAS libraries, the hash of the machine code and the path of the fused kernels of this process.

    Returns
    -------
    record : dict
        ``blas``, ``machine_code`` and ``fused_path``.
    """
    from nnkernels.kernels.fused.paths import training_path

    return {"blas": blas_libraries(), "machine_code": machine_code_digest(), "fused_path": training_path()}


def native_code_of_timed_processes() -> dict[str, Any]:
    """Return :func:`native_code` of a new process that does not see distorting settings.

    Returns
    -------
    record : dict
        ``blas``, ``machine_code`` and ``fused_path``.

    Raises
    ------
    MeasurementError
        If the process fails.
    """
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
        raise MeasurementError(f"cannot import NumPy and SciPy without the settings that distort times: {reason[0]}")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def keras_in_use() -> dict[str, Any] | None:
    """Return the configuration of Keras in this process.

    Returns
    -------
    configuration : dict or None
        Backend, floatx, epsilon and image data format; None if Keras has not been imported.
    """
    if "keras" not in sys.modules:
        return None
    config = sys.modules["keras"].config
    return {
        "backend": config.backend(),
        "floatx": config.floatx(),
        "epsilon": config.epsilon(),
        "image_data_format": config.image_data_format(),
    }
