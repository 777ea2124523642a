"""With NUMBA_DISABLE_JIT, kernels run as plain Python, and measurements raise an error."""

import os
from pathlib import Path

import pytest

from tests.processes import python

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "NUMBA_DISABLE_JIT": "1", "NNKERNELS_DATA": "mnist-5k", "PYTHONPATH": str(ROOT)}

PROGRAM = """
import sys
import warnings
warnings.simplefilter("ignore")  # training for a few steps does not converge, and mnist-5k is small
import numpy as np
import pytest
from bench._common import installed_or_skip
from nnkernels import MLPClassifier, contenders, load_mnist
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError
from nnkernels.measure.correctness import gate, verification
from nnkernels.measure.roofline.peaks import measure_limits
from nnkernels.measure.timing.interleaved_measuring import run_interleaved
from nnkernels.measure.timing.scenarios import SCENARIOS
from nnkernels.recipes import Optimizer, Recipe, benchmark_recipe
from nnkernels.training import train

whole = load_mnist()
data = Dataset(whole.X_train[:40], whole.y_train[:40], whole.X_test[:8], whole.y_test[:8])
gate.PREDICTED_TOGETHER = 8
for name in ("numba", "fused", "fused_dense"):
    for optimizer in ("sgd", "adam"):
        recipe = benchmark_recipe(Optimizer(optimizer))
        results = verification.verify(name, data, recipe)
        assert results
        assert all(result.passed for result in results), results
    contender = contenders.create(name)
    history = train(contender, data.training, Recipe("two", epochs=2, learning_rate=0.1, hidden=4))
    assert history.epochs_done == 2
    assert contender.predict(data.X_test[:1]).shape == (1, 10)
    classifier = MLPClassifier(hidden_size=3, backend=name, epochs=2).fit(data.X_train, data.y_train)
    assert classifier.predict(data.X_test).shape == (8,)

for measure in (
    lambda: run_interleaved(["numpy", "numba"], data, SCENARIOS, "1", 1),
    lambda: measure_limits(1),
    lambda: installed_or_skip("fused"),
):
    with pytest.raises(ConfigurationError, match="NUMBA_DISABLE_JIT is set.*Unset it"):
        measure()

from nnkernels import cli
sys.argv = ["nnkernels", "bench", "--contenders", "numpy,numba"]
cli.main()
"""


def test_kernels_work_as_plain_python_but_measurements_raise_error():
    pytest.importorskip("sklearn")
    answer = python("-c", PROGRAM, folder=ROOT, environment=ENVIRONMENT | {"COLUMNS": "80"}, status=1)
    assert "error: NUMBA_DISABLE_JIT is set" in answer.stderr
    assert "Traceback" not in answer.stderr
