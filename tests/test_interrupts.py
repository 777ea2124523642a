"""Ctrl-C: the first one requests a stop, the second one raises KeyboardInterrupt."""

import os
import signal
import threading

import pytest

from nnkernels.interrupts import stop_request


def test_the_first_asks_and_the_second_stops():
    before = signal.getsignal(signal.SIGINT)
    with stop_request() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_comes_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), stop_request():
        os.getpid() / 0
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_comes_back_after_the_second():
    before = signal.getsignal(signal.SIGINT)

    def interrupt_twice():
        with stop_request():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupt_twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_request_is_its_block_s_own():
    with stop_request() as outer:
        with stop_request() as inner:
            signal.raise_signal(signal.SIGINT)
        assert inner.requested
        assert not outer.requested
        signal.raise_signal(signal.SIGINT)  # the outer block's handler is restored
        assert outer.requested
    with stop_request() as later:
        assert not later.requested


def test_another_thread_cannot_be_asked():
    answers = []
    before = signal.getsignal(signal.SIGINT)

    def work():
        with stop_request() as stop:
            answers.append((stop.requested, signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [(False, True)]  # Ctrl-C works in the main thread as before
