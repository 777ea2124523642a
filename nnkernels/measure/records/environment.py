"""The settings of the process environment that change speed or results, and what timed processes see of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnkernels.errors import MeasurementError
from nnkernels.files import PACKAGE
from nnkernels.measure.records.shown_values import shown

# Below a file there is no folder: Keras finds no keras.json there and can write none.
NO_KERAS_HOME = str(Path(__file__).resolve() / "no-keras")
KERAS_DEFAULTS = {
    "backend": "tensorflow",
    "floatx": "float32",
    "epsilon": 1e-07,
    "image_data_format": "channels_last",
    "nnx_enabled": False,
}

# What asv starts for each benchmark; it sets variables of its own only in environments that it has made.
ASV_PROGRAM = ("asv", "benchmark.py")
TIMING_COMMANDS = ("run", "setup_cache", "run_server")
STARTED_OVER = "NNKERNELS_STARTED_OVER"

REMOVED, KEPT, HARMLESS = "removed", "kept", "harmless"


@dataclass(frozen=True)
class Rule:
    """What is done with some environment variables.

    Attributes
    ----------
    names : str
        Separated by spaces; one that ends in ``*`` stands for all that begin so.
    why : str
    action : str
        ``removed`` from the environment of timed processes and recorded, ``kept`` there and recorded, or
        ``harmless``: neither.
    """

    names: str
    why: str
    action: str = REMOVED

    def covers(self, name: str) -> bool:
        """Return whether the rule is about this variable."""
        return any(name.startswith(known[:-1]) if known[-1] == "*" else name == known for known in self.names.split())


# The first rule that covers a name holds.
RULES = (
    Rule("NUMBA_CACHE_DIR", "the user says where compiled kernels may be written; it changes no code", KEPT),
    Rule("NUMBA_DISABLE_JIT", "it is a wish to run without compiling, and nothing is timed under it", KEPT),
    Rule("PYTHONPATH LD_LIBRARY_PATH DYLD_LIBRARY_PATH", "without them packages may not be found", KEPT),
    Rule("KMP_DUPLICATE_LIB_OK KMP_INIT_AT_FORK", "libraries set them on import, to start at all", HARMLESS),
    Rule("TF_CPP_MIN_LOG_LEVEL", "the least severe message that TensorFlow writes", HARMLESS),
    Rule("TF_CLI_* TF_VAR_* TF_TOKEN_* TF_LOG* TF_DATA_DIR TF_WORKSPACE TF_INPUT", "Terraform's", HARMLESS),
    Rule("NUMBA_* LLVMLITE_*", "other machine code, another threading layer, or fewer threads than are asked for"),
    Rule("OPENBLAS_* GOTO_* BLIS_* MKL_* VECLIB_* NVPL_* ARMPL_*", "another kernel or number of threads of the BLAS"),
    Rule("OMP_* GOMP_* KMP_* TBB_*", "number, placing and waiting of threads"),
    Rule("NPROC", "XLA's number of threads"),
    Rule("TF_* TF2_* TFRT_* TENSORFLOW_* ONEDNN_* DNNL_*", "TensorFlow's and oneDNN's kernels and compilers"),
    Rule("XLA_* JAX_* JAXLIB_* PJRT_*", "XLA's compiler, JAX' number format, device and cache"),
    Rule("KERAS_*", "Keras' backend, its limits on epochs and steps, and the folder of keras.json"),
    Rule("TORCH* PYTORCH_* ATEN_*", "PyTorch's kernels and compiler"),
    Rule("ORT_* ONNX_* ONNXRUNTIME_*", "ONNX Runtime's"),
    Rule("CUDA_VISIBLE_DEVICES HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES", "the CPU is what is compared"),
    Rule("NPY_* NUMPY_*", "NumPy's vector instructions and pages"),
    Rule("SCIPY_* SKLEARN_* JOBLIB_* LOKY_*", "SciPy's and scikit-learn's checks and workers"),
    Rule("LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES", "another allocator, or functions replaced"),
    Rule("GLIBC_TUNABLES MALLOC_* MIMALLOC_* TCMALLOC_* JEMALLOC_* _RJEM_MALLOC_CONF", "the allocator"),
    Rule(
        "PYTHONMALLOC PYTHONMALLOCSTATS PYTHONTRACEMALLOC PYTHONDEVMODE PYTHONDEBUG PYTHONVERBOSE "
        "PYTHONPROFILEIMPORTTIME PYTHONPERFSUPPORT PYTHON_PERF_JIT_SUPPORT PYTHONDUMPREFS PYTHON_JIT PYTHON_GIL",
        "a slower or another interpreter",
    ),
    Rule(
        "PYTHONOPTIMIZE PYTHONHASHSEED PYTHONDONTWRITEBYTECODE PYTHON_CPU_COUNT", "an interpreter that works otherwise"
    ),
    Rule("COV_CORE_* COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG", "every line is traced"),
    Rule("ASV_RUNNER_PATH", "another program that times"),
)


@dataclass(frozen=True)
class Settings:
    """The settings of an environment that some rule records, with their values as they are.

    Attributes
    ----------
    removed : dict
        What timed processes do not see, what the user's ``keras.json`` changes among it (``keras.json floatx``).
    kept : dict
    """

    removed: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def of_timed_processes(self) -> dict[str, dict[str, str]]:
        """Return what to record of a run: values without paths, host and user names."""
        return {"neutralised": _shown(self.removed), "kept": _shown(self.kept)}

    def of_this_process(self) -> dict[str, dict[str, str]]:
        """Return what to record of work in a process that sees all of them."""
        return {"neutralised": {}, "kept": _shown(self.removed | self.kept)}


def find_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of an environment, this process' if none is given, that change speed or results."""
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
    """Return the environment in which timed processes start: without what distorts, and with no ``keras.json``."""
    environ = os.environ if environ is None else environ
    removed = find_settings(environ).removed
    return {name: value for name, value in environ.items() if name not in removed} | {"KERAS_HOME": NO_KERAS_HOME}


def python_path(environ: Mapping[str, str] | None = None) -> str:
    """Return the ``PYTHONPATH`` by which a child finds this nnkernels and what the user's own path names."""
    environ = os.environ if environ is None else environ
    return os.pathsep.join(filter(None, [str(PACKAGE.parent), environ.get("PYTHONPATH")]))


def note_of(settings: Settings) -> str:
    """Return what to tell the user of a run; empty if nothing was removed."""
    if not settings.removed:
        return ""
    return f"timed without {', '.join(settings.removed)}, which would distort the times; the run records it"


def neutralise_benchmark_process() -> None:
    """Start a process of asv over, without what distorts, if it is about to time a benchmark.

    ``nnkernels bench`` starts asv without it; this is for asv that was started by hand. The interpreter, and NumPy,
    which asv imports before any benchmark, have read their settings by then, so removing these would be too late.
    In other processes that import the benchmarks, as tests do, nothing happens.

    Raises
    ------
    MeasurementError
        If the process cannot be started over: asv forks it, the system has no ``exec``, or something sets the same
        variables at each start.
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
        f"{', '.join(removed)} would distort the times, and this process cannot be started over without it: "
        "unset it and start asv again, or use `nnkernels bench`"
    )


def _rule(name: str) -> Rule | None:
    return next((rule for rule in RULES if rule.covers(name)), None)


def _keras_json(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the user's ``keras.json`` changes; nothing of a file that Keras itself could not read."""
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
