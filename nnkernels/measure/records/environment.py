"""Environment settings that change speed or results, and the environment of timed processes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnkernels import git
from nnkernels.errors import MeasurementError
from nnkernels.files import PACKAGE
from nnkernels.measure.records.shown_values import shown

# A path below a file: Keras cannot find a keras.json there, and cannot write one.
NO_KERAS_HOME = str(Path(__file__).resolve() / "no-keras")
KERAS_DEFAULTS = {
    "backend": "tensorflow",
    "floatx": "float32",
    "epsilon": 1e-07,
    "image_data_format": "channels_last",
    "nnx_enabled": False,
}

# The program that asv starts for each benchmark. It sets variables only in environments that asv has created.
ASV_PROGRAM = ("asv", "benchmark.py")
TIMING_COMMANDS = ("run", "setup_cache", "run_server")
STARTED_OVER = "NNKERNELS_STARTED_OVER"

REMOVED, KEPT, HARMLESS = "removed", "kept", "harmless"


@dataclass(frozen=True)
class Rule:
    """How some environment variables are treated.

    Attributes
    ----------
    names : str
        Names of the variables, separated by spaces. A name that ends in ``*`` covers all variables with this prefix.
    reason : str
        The effect of the variables, or the reason for the action.
    action : str
        ``removed`` (not visible to timed processes; recorded), ``kept`` (visible; recorded), or ``harmless`` (visible;
        not recorded).
    """

    names: str
    reason: str
    action: str = REMOVED

    def covers(self, name: str) -> bool:
        """Return whether the rule covers a variable.

        Parameters
        ----------
        name : str
            Name of the variable.

        Returns
        -------
        covers : bool
            Whether it does.
        """
        return any(name.startswith(known[:-1]) if known[-1] == "*" else name == known for known in self.names.split())


# The first rule that covers a name applies.
RULES = (
    Rule("NUMBA_CACHE_DIR", "only the location of compiled kernels", KEPT),
    Rule("NUMBA_DISABLE_JIT", "with it, nothing is compiled and nothing is timed", KEPT),
    Rule("PYTHONPATH LD_LIBRARY_PATH DYLD_LIBRARY_PATH", "may be needed to find packages", KEPT),
    Rule("KMP_DUPLICATE_LIB_OK KMP_INIT_AT_FORK", "set by libraries when they are imported", HARMLESS),
    Rule("TF_CPP_MIN_LOG_LEVEL", "log level of TensorFlow", HARMLESS),
    Rule("TF_CLI_* TF_VAR_* TF_TOKEN_* TF_LOG* TF_DATA_DIR TF_WORKSPACE TF_INPUT", "variables of Terraform", HARMLESS),
    Rule("NUMBA_* LLVMLITE_*", "machine code, threading layer and number of threads of Numba"),
    Rule("NNKERNELS_FUSED_PATHS", "kernels of the backend fused"),
    Rule("OPENBLAS_* GOTO_* BLIS_* MKL_* VECLIB_* NVPL_* ARMPL_*", "kernels and number of threads of BLAS"),
    Rule("OMP_* GOMP_* KMP_* TBB_*", "number, placement and waiting of threads"),
    Rule("NPROC", "number of threads of XLA"),
    Rule("TF_* TF2_* TFRT_* TENSORFLOW_* ONEDNN_* DNNL_*", "kernels and compilers of TensorFlow and oneDNN"),
    Rule("XLA_* JAX_* JAXLIB_* PJRT_*", "compiler of XLA; number format, device and cache of JAX"),
    Rule("KERAS_*", "backend of Keras, its limits of epochs and steps, and the folder of keras.json"),
    Rule("TORCH* PYTORCH_* ATEN_*", "kernels and compiler of PyTorch"),
    Rule("ORT_* ONNX_* ONNXRUNTIME_*", "settings of ONNX Runtime"),
    Rule("CUDA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES", "contenders are compared on the CPU"),
    Rule("NPY_* NUMPY_*", "vector instructions and memory pages of NumPy"),
    Rule("SCIPY_* SKLEARN_* JOBLIB_* LOKY_*", "checks and workers of SciPy and scikit-learn"),
    Rule("LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES", "allocator and other replaced functions"),
    Rule("GLIBC_TUNABLES MALLOC_* MIMALLOC_* TCMALLOC_* JEMALLOC_* _RJEM_MALLOC_CONF", "allocator"),
    Rule(
        "PYTHONMALLOC PYTHONMALLOCSTATS PYTHONTRACEMALLOC PYTHONDEVMODE PYTHONDEBUG PYTHONVERBOSE "
        "PYTHONPROFILEIMPORTTIME PYTHONPERFSUPPORT PYTHON_PERF_JIT_SUPPORT PYTHONDUMPREFS PYTHON_JIT PYTHON_GIL",
        "allocator, debugging, profiling, JIT and GIL of the interpreter",
    ),
    Rule("PYTHONOPTIMIZE PYTHONHASHSEED PYTHONDONTWRITEBYTECODE PYTHON_CPU_COUNT", "behaviour of the interpreter"),
    Rule("COV_CORE_* COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG", "tracing of every line"),
    Rule("ASV_RUNNER_PATH", "program that runs the benchmarks"),
)


@dataclass(frozen=True)
class Settings:
    """The settings of an environment that are recorded, with their original values.

    Attributes
    ----------
    removed : dict
        Settings that timed processes do not see, by name. They include entries of the user's ``keras.json`` that differ
        from Keras' defaults, with names such as ``keras.json floatx``.
    kept : dict
        Settings that timed processes see.
    """

    removed: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def record_for_timed_processes(self) -> dict[str, dict[str, str]]:
        """Return the record of a run whose processes do not see the removed settings.

        Returns
        -------
        record : dict
            ``neutralised`` and ``kept``, with values from which paths, host names and user names are removed.
        """
        return {"neutralised": _shown(self.removed), "kept": _shown(self.kept)}

    def record_for_this_process(self) -> dict[str, dict[str, str]]:
        """Return the record of work in this process, which sees all settings.

        Returns
        -------
        record : dict
            ``neutralised`` (empty) and ``kept``, with values from which paths, host names and user names are removed.
        """
        return {"neutralised": {}, "kept": _shown(self.removed | self.kept)}


def find_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Find the settings of an environment that change speed or results.

    Parameters
    ----------
    environ : mapping, optional
        Environment variables; by default, those of this process.

    Returns
    -------
    settings : Settings
        Removed and kept settings.
    """
    environ = os.environ if environ is None else environ
    found = Settings()
    for name in sorted(environ):
        rule = _rule(name)
        if rule is None or rule.action == HARMLESS or environ[name] == NO_KERAS_HOME:
            continue
        (found.kept if rule.action == KEPT else found.removed)[name] = environ[name]
    found.removed.update(_keras_json(environ))
    return found


def timed_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment in which timed processes start.

    Parameters
    ----------
    environ : mapping, optional
        Environment variables; by default, those of this process.

    Returns
    -------
    environment : dict
        The variables without those that distort times or name another git repository. ``KERAS_HOME`` makes Keras
        ignore the user's ``keras.json``.
    """
    environ = git.environment(environ)
    removed = find_settings(environ).removed
    return {name: value for name, value in environ.items() if name not in removed} | {"KERAS_HOME": NO_KERAS_HOME}


def python_path(environ: Mapping[str, str] | None = None) -> str:
    """Return the ``PYTHONPATH`` with which a child process imports this nnkernels.

    Parameters
    ----------
    environ : mapping, optional
        Environment variables; by default, those of this process.

    Returns
    -------
    path : str
        The folder of this package, followed by the environment's own ``PYTHONPATH``.
    """
    environ = os.environ if environ is None else environ
    return os.pathsep.join(filter(None, [str(PACKAGE.parent), environ.get("PYTHONPATH")]))


def removed_settings_note(settings: Settings) -> str:
    """Return the note about removed settings for the user.

    Parameters
    ----------
    settings : Settings
        The settings of the environment.

    Returns
    -------
    note : str
        Empty if nothing was removed.
    """
    if not settings.removed:
        return ""
    return f"timed without {', '.join(settings.removed)}, which would distort the times (the run records this)"


def neutralise_benchmark_process() -> None:
    """Restart a process of asv without distorting settings, if it is about to time a benchmark.

    ``nnkernels bench`` starts asv without these settings, so this is for asv started by hand. The interpreter and
    NumPy, which asv imports before any benchmark, have already read their settings, so removing variables would be too
    late. In other processes that import the benchmarks, such as tests, nothing happens.

    Raises
    ------
    MeasurementError
        If the process cannot be restarted because asv forks it, because the system has no ``exec``, or because
        something sets the variables again.
    """
    command = sys.argv[1:2]
    if Path(sys.argv[0]).parts[-2:] != ASV_PROGRAM or command not in ([name] for name in TIMING_COMMANDS):
        return
    removed = find_settings().removed
    if not removed:
        return
    if os.name == "posix" and command != ["run_server"] and STARTED_OVER not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], timed_environment() | {STARTED_OVER: "1"})
    raise MeasurementError(
        f"{', '.join(removed)} would distort the times, and this process cannot be restarted without it: "
        "unset it and run asv again, or use `nnkernels bench`"
    )


def _rule(name: str) -> Rule | None:
    return next((rule for rule in RULES if rule.covers(name)), None)


def _keras_json(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of the user's ``keras.json`` that differ from the defaults. An unreadable file has none."""
    try:
        folder = Path(environ.get("KERAS_HOME") or "~/.keras").expanduser()
        content: Any = json.loads((folder / "keras.json").read_text("utf-8"))
    except (OSError, ValueError, RuntimeError):
        return {}
    if not isinstance(content, dict):
        return {}
    changed = {key: content[key] for key, default in KERAS_DEFAULTS.items() if content.get(key, default) != default}
    return {f"keras.json {key}": str(value) for key, value in changed.items()}


def _shown(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: shown(name, value) for name, value in settings.items()}
