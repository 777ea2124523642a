"""Shared fixtures (real digits, the backends, TensorFlow) and Hypothesis' settings."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Before anything imports Numba: copies of the project share one cache of compiled code.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent / "__pycache__" / "numba"))
# Tests start many processes, each of which would compile the Python sources of TensorFlow for ten seconds. If no
# bytecode may be written beside the sources, this run writes it to a folder of its own, which its processes share.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = tempfile.mkdtemp(prefix="nnkernels-bytecode-")
    atexit.register(shutil.rmtree, sys.pycache_prefix, ignore_errors=True)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from nnkernels import Dataset, kernels, load_mnist
from nnkernels.data.cache import read_cached
from nnkernels.data.folder import write_folder

# The same examples in every run and on every machine. There is no deadline, so that slow machines do not fail.
settings.register_profile(
    "nnkernels",
    deadline=None,
    derandomize=True,
    max_examples=25,
    database=None,
    # All examples of a test share its `backend` and `tmp_path`. None of our tests depends on fresh ones.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Different examples in every run: pytest --hypothesis-profile=random. A failure prints how to reproduce it.
settings.register_profile("random", settings.get_profile("nnkernels"), derandomize=False, print_blob=True)
settings.load_profile("nnkernels")


# Tests of these files import TensorFlow and JAX, which takes many seconds in each process.
FRAMEWORKS = (
    "array_forms",
    "autodiff",
    "contenders",
    "foreign_weights",
    "forms",
    "gate",
    "history",
    "interchange",
    "peers",
    "recipes",
    "training",
)
COMPILED = set(kernels.names()) - {"numpy"}  # for seconds, if they are not in the cache


def compiles(item: pytest.Item) -> bool:
    """Return whether one of the compiled backends is a parameter of a test."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and any(
        isinstance(value, str) and value in COMPILED for value in callspec.params.values()
    )


@pytest.hookimpl(trylast=True)  # after `-m` has left some out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests for two processes of xdist, each of which begins with a contiguous half.

    One begins with the frameworks. The other compiles our kernels, so that the first finds them in the cache when it
    needs them.
    """
    frameworks: list[pytest.Item] = []
    kernels_beside_frameworks: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        if item.path.stem.removeprefix("test_") not in FRAMEWORKS:
            others.append(item)
        elif compiles(item) and "tf" not in item.fixturenames:
            kernels_beside_frameworks.append(item)
        else:
            frameworks.append(item)
    cut = max(0, len(items) // 2 - len(frameworks))
    items[:] = frameworks + others[:cut] + kernels_beside_frameworks + others[cut:]


def pytest_collection(session: pytest.Session) -> None:
    """Import the test files in reverse order in every second process of xdist, if all files are tested.

    In a fresh environment, importing compiles Python sources for half a minute. Two processes that import in the same
    order would both compile everything; in opposite orders, each can load the bytecode of half of the files.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS and int(worker.removeprefix("gw")) % 2:
        for path in sorted(Path(__file__).parent.glob("test_*.py"), reverse=True):
            with suppress(Exception, pytest.skip.Exception):  # pytest imports it again and reports the error
                import_module(f"{__package__}.{path.stem}")


@pytest.fixture(autouse=True)
def freeze_existing_objects() -> Iterator[None]:
    """Exclude existing objects from garbage collection: scanning all of TensorFlow takes half a second each time."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def make_shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """A function that returns a named folder, created once per test run and shared by all of its processes."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder = common / name
        with FileLock(common / f"{name}.lock"):
            if not folder.exists():
                unfinished = tmp_path_factory.mktemp(name)
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Whole MNIST if it is local (``NNKERNELS_DATA`` or the cache), otherwise mnist-5k; never downloaded."""
    if os.environ.get("NNKERNELS_DATA"):
        return load_mnist()
    return read_cached("mnist") or load_mnist("mnist-5k")


@pytest.fixture(scope="session")
def small_digits(digits: Dataset) -> Dataset:
    """A subset of the real digits: quick to train on, and large enough for the gate's 2,049 images."""
    return Dataset(digits.X_train[:2304], digits.y_train[:2304], digits.X_test[:256], digits.y_test[:256])


@pytest.fixture(scope="session")
def data_folder(small_digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that contains ``small_digits`` as files, for ``NNKERNELS_DATA`` of other processes."""
    folder = tmp_path_factory.mktemp("digits")
    write_folder(folder, small_digits)
    return folder


@pytest.fixture(params=kernels.names())
def backend(request: pytest.FixtureRequest) -> kernels.Backend:
    """Each backend in turn."""
    return kernels.load(request.param)


@pytest.fixture(scope="session")
def tf():
    """TensorFlow without its start-up messages. Skips the test if TensorFlow or Keras is not installed."""
    from nnkernels.contenders._keras import PACKAGES, import_tensorflow

    for package in PACKAGES:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return import_tensorflow()


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> type:
    """Let sweeps train in this process, as long as a test runs."""
    from nnkernels.sweep import pool, worker
    from tests.in_process_pool import InProcess

    monkeypatch.setattr(pool, "ProcessPoolExecutor", InProcess)
    monkeypatch.setattr(InProcess, "kills", 0)
    monkeypatch.setattr(worker, "_dataset", None)
    return InProcess
