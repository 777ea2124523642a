"""Ctrl-C: the first one requests a stop, the second one raises KeyboardInterrupt."""

import os
import signal
import threading

import pytest

from nnkernels.interrupts import stop_request


def test_first_interrupt_requests_stop_and_second_raises():
    before = signal.getsignal(signal.SIGINT)
    with stop_request() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_handler_is_restored_after_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), stop_request():
        os.getpid() / 0
    assert signal.getsignal(signal.SIGINT) is before


def test_handler_is_restored_after_second_interrupt():
    before = signal.getsignal(signal.SIGINT)

    def interrupt_twice():
        with stop_request():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupt_twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_stop_request_applies_to_its_own_block_only():
    with stop_request() as outer:
        with stop_request() as inner:
            signal.raise_signal(signal.SIGINT)
        assert inner.requested
        assert not outer.requested
        signal.raise_signal(signal.SIGINT)  # the outer block's handler is restored
        assert outer.requested
    with stop_request() as later:
        assert not later.requested


def test_stop_request_in_another_thread_does_not_change_handler():
    answers = []
    before = signal.getsignal(signal.SIGINT)

    def work():
        with stop_request() as stop:
            answers.append((stop.requested, signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [(False, True)]  # Ctrl-C works in the main thread as before
