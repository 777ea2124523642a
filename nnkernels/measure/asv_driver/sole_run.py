"""One run at a time in a checkout, without processes that a killed run has left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnkernels.errors import MeasurementError

# The checkout for which a process measures. Processes that asv starts inherit it.
CHECKOUT_VARIABLE = "NNKERNELS_MEASURED_CHECKOUT"


@contextmanager
def sole_run(root: Path) -> Iterator[None]:
    """Allow one run at a time in a checkout. The system releases the lock if the process is killed.

    Two runs at once would distort each other's times, and could write to the same folders. A run that was killed leaves
    asv behind, which goes on measuring; such processes are killed before the next run begins.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Raises
    ------
    MeasurementError
        If another run is in progress.
    """
    from filelock import FileLock, Timeout

    folder = root / ".asv"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "bench.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise MeasurementError(
            f"another `nnkernels bench` is measuring in {root}: both would distort each other's times, so run this "
            "again when it has ended"
        ) from None
    try:
        _kill_leftovers(root)
        yield
    finally:
        lock.release()


def _kill_leftovers(root: Path) -> None:
    """Kill processes that still measure for this checkout. Nobody would read their results."""
    import psutil

    found = True
    while found:  # asv may start another process while this looks
        found = False
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):  # ended in the meantime, or of another user
                if process.environ().get(CHECKOUT_VARIABLE) == str(root):
                    found = True
                    process.kill()
                    process.wait(timeout=10)
