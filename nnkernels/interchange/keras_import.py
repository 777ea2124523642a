"""Import of Keras without the start-up messages of its backend."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nnkernels.errors import MissingDependencyError
from nnkernels.process_settings import environment_variables


def import_keras(backend: str | None = None) -> Any:
    """Import Keras, and leave the environment variables unchanged.

    Parameters
    ----------
    backend : str, optional
        The backend of Keras: ``tensorflow``, ``jax`` or ``torch``. It has no effect if Keras has been imported before.
        By default the user's choice applies: ``KERAS_BACKEND``, then ``keras.json``, then TensorFlow.

    Returns
    -------
    keras : module
        The imported Keras.

    Raises
    ------
    MissingDependencyError
        If Keras or the package of its backend is not installed.
    """
    settings = {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")}
    if backend is not None:
        settings["KERAS_BACKEND"] = backend
    try:
        with environment_variables(**settings), _silent_stderr():
            import keras
    except ModuleNotFoundError as error:
        raise MissingDependencyError("A Keras model", error.name or "keras", "keras") from error
    return keras


@contextmanager
def _silent_stderr() -> Iterator[None]:
    # TensorFlow's C++ code writes to the file descriptor directly, before it reads its log level.
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
