"""What all tests share: real digits, the backends, TensorFlow, and Hypothesis' settings."""

import gc
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Before anything imports Numba: what is compiled in copies of the project as well is kept in one place.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent / "__pycache__" / "numba"))

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from nnkernels import Dataset, kernels, load_mnist
from nnkernels.data.cache import read_cached
from nnkernels.data.folder import write_folder

# The same examples on every run and machine, and no clock: a slow machine fails nothing.
settings.register_profile(
    "nnkernels",
    deadline=None,
    derandomize=True,
    max_examples=25,
    database=None,
    # `backend` and `tmp_path` are the same for all examples of a test, which none of our tests minds.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Other examples at every run: pytest --hypothesis-profile=random; a failure prints how to have it again.
settings.register_profile("random", settings.get_profile("nnkernels"), derandomize=False, print_blob=True)
settings.load_profile("nnkernels")


@pytest.fixture(autouse=True)
def older_objects_are_no_garbage() -> Iterator[None]:
    """Let garbage be looked for among what a test makes, and not in all of TensorFlow, half a second each time."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """A function that makes a folder of a name, once for all processes of this run of the tests, and returns it."""
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
    """Whole MNIST where it is at hand (``NNKERNELS_DATA`` or the cache), else mnist-5k; never from the network."""
    if os.environ.get("NNKERNELS_DATA"):
        return load_mnist()
    return read_cached("mnist") or load_mnist("mnist-5k")


@pytest.fixture(scope="session")
def small_digits(digits: Dataset) -> Dataset:
    """Real digits, few enough to train on in a moment and enough for the gate's 2,049 images."""
    return Dataset(digits.X_train[:2304], digits.y_train[:2304], digits.X_test[:256], digits.y_test[:256])


@pytest.fixture(scope="session")
def data_folder(small_digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The few real digits as files, for ``NNKERNELS_DATA`` of another process."""
    folder = tmp_path_factory.mktemp("digits")
    write_folder(folder, small_digits)
    return folder


@pytest.fixture(params=kernels.names())
def backend(request: pytest.FixtureRequest) -> kernels.Backend:
    """Each backend in turn."""
    return kernels.load(request.param)


@pytest.fixture(scope="session")
def tf():
    """TensorFlow, without its start-up messages; what needs it is skipped where it or Keras is not installed."""
    from nnkernels.contenders._keras import PACKAGES, import_tensorflow

    for package in PACKAGES:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return import_tensorflow()
