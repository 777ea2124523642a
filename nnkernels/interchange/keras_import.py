"""Importing Keras and TensorFlow, without their start-up messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nnkernels.errors import ConfigurationError, MissingDependencyError


def import_keras() -> Any:
    """Import Keras on whatever backend it is set to.

    Raises
    ------
    MissingDependencyError
        If Keras or the package of its backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _silent_stderr():
            import keras
    except ModuleNotFoundError as error:
        raise MissingDependencyError("A Keras model", error.name or "keras", "keras") from error
    return keras


def import_tensorflow() -> Any:
    """Import TensorFlow as Keras' backend.

    Raises
    ------
    ConfigurationError
        If Keras already runs on another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # CPU is what is compared
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _silent_stderr():
        import keras
        import tensorflow

    if keras.backend.backend() != "tensorflow":
        raise ConfigurationError(f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow")
    tensorflow.get_logger().setLevel("ERROR")  # each new contender is a new graph: that is meant
    return tensorflow


@contextmanager
def _silent_stderr() -> Iterator[None]:
    # TensorFlow's C++ writes to the descriptor itself, before its log level is read.
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
