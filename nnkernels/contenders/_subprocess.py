"""Contenders that need a process of their own, used from a process that has others in it.

A group's process is started when its first contender is asked for, and serves all of that group until this process
ends. Requests and answers are pickled, between two processes of this program alone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, one_line
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe

SERVE = "from nnkernels.contenders._apart import serve; serve()"


class _Process:
    """The process of a group: creates contenders, and calls their methods."""

    def __init__(self, group: str) -> None:
        self.group = group
        # It finds what this process finds, however that came about.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.child = subprocess.Popen(
            [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        atexit.register(self._end)

    def ask(self, *request: Any) -> Any:
        """Return the answer to a request, or raise the error that it led to."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            pickle.dump(request, self.child.stdin, protocol=5)
            self.child.stdin.flush()
            answer, error = pickle.load(self.child.stdout)
        except (EOFError, OSError) as broken:
            self._end()
            raise ConfigurationError(
                f"the process of {self.group} ended with status {self.child.returncode}; its error output says why"
            ) from broken
        except BaseException:  # an answer that is still to come would be taken for the next one
            self._end()
            raise
        if error is not None:
            raise error
        return answer

    def _end(self) -> None:
        atexit.unregister(self._end)
        _process.cache_clear()
        self.child.kill()
        with contextlib.suppress(OSError):  # what was still to be written
            self.child.__exit__(None, None, None)


@cache
def _process(group: str) -> _Process:
    return _Process(group)


class ContenderApart:
    """A contender in the process of its group; it is used as any other.

    Parameters
    ----------
    name : str
    group : str
        The ``process`` of its :class:`Entry`.
    """

    def __init__(self, name: str, group: str) -> None:
        self._process = _process(group)
        self._number, flags = self._process.ask("create", name)
        self.whole_epochs_only, self.threads_can_change = flags

    def use_threads(self, threads: int) -> None:
        """Limit the arithmetic to that many threads; the number is the process', and so the group's."""
        self._call("use_threads", threads)

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Hand the start, the data and the recipe over."""
        self._call("prepare", parameters, data, recipe)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a stretch of batches."""
        self._call("advance", order, learning_rates)

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the probabilities (N, C)."""
        probs: FloatArray = self._call("predict", X)
        return probs

    def parameters(self) -> Parameters:
        """Return a copy of the parameters."""
        params: Parameters = self._call("parameters")
        return params

    def close(self) -> None:
        """Free what was taken; the process stays for the next of its group."""
        self._call("close")

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._process.ask(method, self._number, *arguments)


def serve() -> None:
    """Answer requests on the standard streams until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; with it the input ends
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a framework prints is no answer
    served: list[Any] = []
    while True:
        try:
            method, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: Any = (
                (_create(served, *arguments) if method == "create" else _call(served, method, *arguments)),
                None,
            )
        except Exception as error:
            answer = None, _portable(error)
        pickle.dump(answer, answers, protocol=5)
        answers.flush()


def _create(served: list[Any], name: str) -> tuple[int, tuple[bool, bool]]:
    contender = import_module("nnkernels.contenders").create(name)
    served.append(contender)
    return len(served) - 1, (contender.whole_epochs_only, contender.threads_can_change)


def _call(served: list[Any], method: str, number: int, *arguments: Any) -> Any:
    return getattr(served[number], method)(*arguments)


def _portable(error: Exception) -> Exception:
    """Return the error itself if it survives pickling with its message, else one that says the same."""
    try:
        same = pickle.loads(pickle.dumps(error))
    except Exception:
        same = None
    return error if type(same) is type(error) and str(same) == str(error) else ConfigurationError(one_line(error))
