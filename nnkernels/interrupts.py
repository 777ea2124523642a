"""Handling of Ctrl-C and SIGTERM.

The first Ctrl-C requests a stop at the next suitable point, and the second one stops at once. SIGTERM exits after
cleaning up.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """The state of a request to stop.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Turn the first Ctrl-C within the block into a request to stop; a second one raises KeyboardInterrupt.

    Outside the main thread, where Python cannot handle signals, Ctrl-C is not intercepted.

    Yields
    ------
    request : StopRequest
        ``request.requested`` becomes True at the first Ctrl-C.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(_signal_number: int, _frame: FrameType | None) -> None:
        if request.requested:
            raise KeyboardInterrupt
        request.requested = True

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Raise SystemExit if SIGTERM arrives within the block, so that temporary files are removed.

    Further SIGTERMs are then ignored. Outside the main thread, SIGTERM is not intercepted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signal_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(128 + signal_number)  # the status that shells report for a process ended by a signal

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
