"""The fused kernels compiled for any CPU of this architecture, and in processes that share a compile cache."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

# Compilation targets: any CPU of this architecture, and the CPU that Numba detects.
CPUS = {
    "generic": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
    "own": {"NUMBA_CPU_NAME": None, "NUMBA_CPU_FEATURES": None},
}
CONTENDERS = ("fused", "fused_dense")
TIMEOUT = 300  # seconds after which a hanging process is killed; not a measurement

# Runs the gate on the given images, then prints a summary of predictions, to compare between processes.
PROGRAM = """
import json, sys
import numba
numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
import numpy as np
from nnkernels.data import Dataset
from nnkernels.contenders import create
from nnkernels.contenders.ours import prediction_entry
from nnkernels.kernels import load
from nnkernels.measure.correctness.verification import verify
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import benchmark_recipe

with np.load(sys.argv[1]) as arrays:
    dataset = Dataset(*(arrays[name] for name in ("X_train", "y_train", "X_test", "y_test")))
answers = {}
for name in sys.argv[2:]:
    results = verify(name, dataset, benchmark_recipe())
    assert results and all(result.passed for result in results), results
    contender = create(name)
    start = initial_parameters(5)
    contender.prepare(start, dataset.training, benchmark_recipe())
    contender.advance(np.arange(320), np.full(10, 0.1, np.float32))
    trained = contender.parameters()
    expected = load("numpy").forward(trained, dataset.X_test / np.float32(255)).probs
    probs = contender.predict(dataset.X_test)
    assert np.max(np.abs(probs - expected)) <= 1e-5
    assert np.max(np.abs(contender.predict(dataset.X_test[:1]) - expected[:1])) <= 1e-5
    answers[name] = [float(probs.sum(axis=0, dtype=np.float64) @ np.arange(10)), *map(float, trained.b2)]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def images_file(small_digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "digits.npz"
    np.savez(
        path,
        X_train=small_digits.X_train,
        y_train=small_digits.y_train,
        X_test=small_digits.X_test,
        y_test=small_digits.y_test,
    )
    return path


def start_process(images_file, cache, settings, contenders):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    for name, value in settings.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(images_file), *contenders],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers_of(process):
    """Wait for a process and return its output; a negative exit code is a signal, such as an illegal instruction."""
    try:
        out, errors = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return json.loads(out)


# It compiles all kernels again, as do the fused tests that .ci/run runs on this CPU and on Haswell.
@pytest.mark.slow
def test_code_for_generic_cpu_passes_gate(images_file, tmp_path):
    answers = answers_of(start_process(images_file, tmp_path, CPUS["generic"], CONTENDERS))
    assert list(answers) == list(CONTENDERS)


@pytest.mark.slow
def test_concurrent_processes_with_empty_cache_agree(images_file, tmp_path):
    both = [start_process(images_file, tmp_path, CPUS["own"], ("fused",)) for _ in range(2)]
    try:
        first, second = (answers_of(process) for process in both)
    finally:
        for process in both:
            process.kill()
    assert first == second
    # A third process can use the cache that they have filled.
    assert answers_of(start_process(images_file, tmp_path, CPUS["own"], ("fused",))) == first
