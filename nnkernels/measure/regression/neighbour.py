"""A busy neighbour: a process that uses a CPU in bursts, like other users of a shared machine.

It is started by its path and ends when its standard input is closed.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 1.5


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """Run a busy neighbour during the ``with`` block. It is not pinned to a CPU."""
    child = subprocess.Popen([sys.executable, "-P", __file__], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        child.kill()
        child.__exit__(None, None, None)


def main() -> None:
    """Alternate between computing and sleeping, for random durations, until the standard input ends."""
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    rng = random.Random()
    numbers = list(range(100_000))
    while not ended.is_set():
        until = time.monotonic() + rng.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)
        while time.monotonic() < until and not ended.is_set():
            sum(numbers)  # reads memory, too
        ended.wait(rng.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))


if __name__ == "__main__":
    main()
