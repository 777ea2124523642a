"""A busy neighbour: a process that takes up a CPU in bursts, as other users of a shared machine do.

It is started by its path and ends with its input.
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
    """Have a neighbour for a while, on whatever CPU the system gives it."""
    child = subprocess.Popen([sys.executable, "-P", __file__], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        child.kill()
        child.__exit__(None, None, None)


def main() -> None:
    """Compute and rest by turns, each for a random time, until the input ends."""
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
            sum(numbers)  # goes through memory, too
        ended.wait(rng.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))


if __name__ == "__main__":
    main()
