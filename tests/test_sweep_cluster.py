"""A sweep on a real Dask cluster gives the table of a local one, and whatever is lost or wrong ends in a message."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, MeasurementError
from nnkernels.recipes import Optimizer, Recipe
from nnkernels.sweep import worker
from nnkernels.sweep.cluster import cluster_pool
from nnkernels.sweep.plan import make_plan
from nnkernels.sweep.pool import local_pool
from nnkernels.sweep.results import LOG, TABLE, SweepFolder
from nnkernels.sweep.run import run
from tests.sweeps import TIMES, require_distributed, without_times

pytestmark = pytest.mark.cluster

# The second lasts long enough to be running when the first is done.
RECIPES = [
    Recipe("short", epochs=2, hidden=4),
    Recipe("long", Optimizer("adam"), epochs=300, learning_rate=0.01, hidden=4),
]
SECONDS = 60  # for a process to start
BLOCKED = "import sys; sys.modules['nnkernels'] = None; from distributed.cli.dask_worker import main; main()"


@pytest.fixture(scope="module")
def distributed():
    return require_distributed()


@pytest.fixture(scope="module")
def plan(small_digits):
    training, test = small_digits.training, small_digits.test
    part = Dataset(training.X[:120], training.y[:120], test.X[:50], test.y[:50])
    return make_plan(part, RECIPES, seeds=(0, 1, 2), names=("numpy",))


@pytest.fixture
def two_workers(distributed, monkeypatch):
    """A cluster of two workers, whose nannies restart them, and a client."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as started,
        distributed.Client(started) as client,
    ):
        yield client


def loads():
    return list(worker.loads)


def lines(folder):
    return [without_times(json.loads(line)) for line in (folder.path / LOG).read_text("utf-8").splitlines()]


def test_sweep_with_a_killed_worker_gives_the_table_of_an_undisturbed_local_one(plan, two_workers, tmp_path):
    killed = []

    def kill_a_busy_worker(_done, _total, _text):
        busy = [address for address, tasks in two_workers.processing().items() if tasks]
        if busy and not killed:
            killed.extend(two_workers.run(os.getpid, workers=busy[:1]).values())
            os.kill(killed[0], signal.SIGKILL)

    local, cluster = SweepFolder(tmp_path / "local"), SweepFolder(tmp_path / "cluster")
    assert run(plan, local, local_pool(2))
    assert run(plan, cluster, cluster_pool(two_workers.scheduler.address), show=kill_a_busy_worker)
    assert killed
    assert lines(cluster) == lines(local)
    assert len(lines(local)) == len(plan.trainings)
    two_workers.wait_for_workers(2, timeout=SECONDS)
    assert killed[0] not in two_workers.run(os.getpid).values()
    # Every process has received the images once, the restarted one too.
    assert list(two_workers.run(loads).values()) == [[plan.dataset.sha256]] * 2
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    tables = [pd.read_parquet(folder.path / TABLE).drop(columns=list(TIMES)) for folder in (cluster, local)]
    pd.testing.assert_frame_equal(*tables)


def test_worker_of_another_version_is_refused(plan, two_workers, tmp_path):
    def pretend():
        own = worker.versions()
        worker.versions = lambda: own | {"numpy": "1.0"}

    two_workers.run(pretend, workers=list(two_workers.nthreads())[:1])
    folder = SweepFolder(tmp_path / "sweep")
    with pytest.raises(ConfigurationError, match=r"a worker has numpy 1\.0, but the sweep was started with \d"):
        run(plan, folder, cluster_pool(two_workers.scheduler.address))
    assert SweepFolder(folder.path).rows == folder.rows


@contextmanager
def processes(distributed, folder, worker_command):
    """Start a scheduler and a worker as the documentation says, and yield the scheduler's process and its address."""
    file = folder / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    started = []

    def start(*command):
        # In a session of its own, so that the worker ends with the nanny that watches it.
        command = [sys.executable, *command, "--scheduler-file", str(file), "--no-dashboard"]
        with open(folder / f"log{len(started)}", "wb") as log:
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))

    try:
        start("-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0")
        start(*worker_command, "--nthreads", "1")
        with distributed.Client(scheduler_file=str(file), timeout=SECONDS, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=SECONDS)
            address = client.scheduler.address
        yield started[0], address
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_killed_scheduler_ends_in_a_message_and_results_are_kept(plan, distributed, tmp_path):
    folder = SweepFolder(tmp_path / "sweep")
    with processes(distributed, tmp_path, ("-m", "dask", "worker", "--nworkers", "1")) as (scheduler, address):

        def kill_scheduler(done, _total, _text):
            if done == 2:
                scheduler.kill()

        with pytest.raises(MeasurementError, match=f"connection to the scheduler {address} was lost.*--resume"):
            run(plan, folder, cluster_pool(address), show=kill_scheduler)
    assert len(folder.rows) >= 2
    kept = SweepFolder(folder.path)
    assert kept.rows == folder.rows
    assert run(plan, kept, local_pool(1), resume=True)
    assert len(kept.rows) == len(plan.trainings)


def test_worker_without_nnkernels_is_refused(plan, distributed, tmp_path):
    folder = SweepFolder(tmp_path / "sweep")
    refused = r"a worker of tcp://.* cannot take the images .*nnkernels.*install"
    with (
        processes(distributed, tmp_path, ("-c", BLOCKED, "--no-nanny")) as (_scheduler, address),
        pytest.raises(ConfigurationError, match=refused),
    ):
        run(plan, folder, cluster_pool(address))
    assert not folder.rows
