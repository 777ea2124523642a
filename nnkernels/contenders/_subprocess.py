"""Contenders that require a separate process, used like any other contender.

A process is started for the first contender of a group, and serves all contenders of that group until the main process
ends. Requests and responses are pickled, which is safe because both processes belong to this program.
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

SERVE = "from nnkernels.contenders._subprocess import serve; serve()"


class _Process:
    """The process of a group, which creates contenders and calls their methods."""

    def __init__(self, group: str) -> None:
        self.group = group
        # The child searches for modules in the same places as this process.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.child = subprocess.Popen(
            [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        atexit.register(self._terminate)

    def request(self, *message: Any) -> Any:
        """Send a request and return the response, or raise the exception that it caused."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            pickle.dump(message, self.child.stdin, protocol=5)
            self.child.stdin.flush()
            response, error = pickle.load(self.child.stdout)
        except (EOFError, OSError) as pipe_error:
            self._terminate()
            raise ConfigurationError(
                f"the process of {self.group} ended with status {self.child.returncode}; see its error output above"
            ) from pipe_error
        except BaseException:  # otherwise, its late response would be mistaken for that of the next request
            self._terminate()
            raise
        if error is not None:
            raise error
        return response

    def _terminate(self) -> None:
        atexit.unregister(self._terminate)
        _process.cache_clear()
        self.child.kill()
        with contextlib.suppress(OSError):  # flushing unsent data fails if the pipe is broken
            self.child.__exit__(None, None, None)


@cache
def _process(group: str) -> _Process:
    return _Process(group)


class SubprocessContender:
    """A contender in the process of its group.

    Parameters
    ----------
    name : str
        The name of the contender.
    group : str
        The ``process`` of its :class:`Entry`.

    Attributes
    ----------
    whole_epochs_only, threads_can_change : bool
        Those of the contender.
    """

    def __init__(self, name: str, group: str) -> None:
        self._process = _process(group)
        self._index, flags = self._process.request("create", name)
        self.whole_epochs_only, self.threads_can_change = flags

    def use_threads(self, threads: int) -> None:
        """Set the number of threads of the process, and so of its whole group.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If the contender cannot use this number of threads.
        """
        self._call("use_threads", threads)

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Send initial parameters, data and recipe to the process.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters.
        data : LabelledImages
            The training images.
        recipe : Recipe
            Optimizer, batch size, epochs and learning rates.

        Raises
        ------
        DataError
            If a label is not a class of the network.
        """
        self._call("prepare", parameters, data, recipe)

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on; they are sent to the process.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as before, of the same shape and dtype. Labels, parameters and the state of the
            optimizer stay as they are.
        """
        self._call("replace_images", X)

    def replace_parameters(self, parameters: Parameters) -> None:
        """Go on with other parameters. Images, labels and the state of the optimizer stay as they are.

        Parameters
        ----------
        parameters : Parameters
            Parameters of the same shapes; copied.
        """
        self._call("replace_parameters", parameters)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a sequence of batches.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.
        """
        self._call("advance", order, learning_rates)

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the class probabilities of images.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        probs: FloatArray = self._call("predict", X)
        return probs

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The current parameters, float32.
        """
        params: Parameters = self._call("parameters")
        return params

    def close(self) -> None:
        """Release the resources of the contender. The process keeps running for others of its group."""
        self._call("close")

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._process.request(method, self._index, *arguments)


def serve() -> None:
    """Answer requests on the standard streams until the input ends. This is the main loop of the child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C; when it ends, so does the input
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # redirect the output of frameworks to stderr, away from the responses
    contenders: list[Any] = []
    while True:
        try:
            method, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            response: Any = (
                (_create(contenders, *arguments) if method == "create" else _call(contenders, method, *arguments)),
                None,
            )
        except Exception as error:
            response = None, _picklable(error)
        pickle.dump(response, responses, protocol=5)
        responses.flush()


def _create(contenders: list[Any], name: str) -> tuple[int, tuple[bool, bool]]:
    contender = import_module("nnkernels.contenders").create(name)
    contenders.append(contender)
    return len(contenders) - 1, (contender.whole_epochs_only, contender.threads_can_change)


def _call(contenders: list[Any], method: str, index: int, *arguments: Any) -> Any:
    return getattr(contenders[index], method)(*arguments)


def _picklable(error: Exception) -> Exception:
    """Return the exception if pickling preserves its type and message, otherwise a ConfigurationError."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    return error if type(copy) is type(error) and str(copy) == str(error) else ConfigurationError(one_line(error))
