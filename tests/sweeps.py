"""What the tests of sweeps share: results without their times, and Dask."""

import os
from importlib import import_module
from importlib.util import find_spec

import pytest

TIMES = ("started", "seconds", "seconds_with_evaluation")


def without_times(row):
    """Return a result without its times."""
    return {name: value for name, value in row.items() if name not in TIMES}


def require_distributed():
    """Return Dask's package; without it, skip the test, or let it fail where tests on clusters are required."""
    if find_spec("distributed") is None:
        required = os.environ.get("NNKERNELS_CLUSTER_TESTS") == "required"
        (pytest.fail if required else pytest.skip)("distributed is not installed (extra `cluster`)")
    return import_module("distributed")
