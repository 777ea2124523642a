"""Ctrl-C: the first asks, the second stops."""

import os
import signal
import threading

import pytest

from nnkernels.interrupts import stop_request


def test_the_first_asks_and_the_second_stops():
    before = signal.getsignal(signal.SIGINT)
    with stop_request() as stop:
        assert not stop.asked
        signal.raise_signal(signal.SIGINT)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_comes_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), stop_request():
        os.getpid() / 0
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_cannot_be_asked():
    answers = []

    def work():
        with stop_request() as stop:
            answers.append(stop.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
