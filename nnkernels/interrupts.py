"""Ctrl-C: the first one requests a stop at the next suitable point, the second one stops at once. SIGTERM ends both."""

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
    asked : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Turn the first Ctrl-C within the block into a request to stop; a second one raises KeyboardInterrupt.

    Outside the main thread, where Python cannot handle signals, Ctrl-C is not intercepted.

    Yields
    ------
    request : StopRequest
        ``request.asked`` becomes True at the first Ctrl-C.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def ask(signal_number: int, _frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def sigterm_raised() -> Iterator[None]:
    """Turn SIGTERM in the block into SystemExit, so that what is temporary is removed on the way out.

    Further ones are ignored until then. Outside the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(signal_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(128 + signal_number)  # the status that shells give to whoever a signal ends

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
