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

    ``KERAS_BACKEND`` is set to it, which has precedence over ``keras.json``, unless it is set or Keras runs already.

    Raises
    ------
    ConfigurationError
        If Keras runs on another backend already, or is told to.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None and (backend := loaded.backend.backend()) != "tensorflow":
        raise ConfigurationError(
            f"Keras runs on {backend} in this process already, and this contender on TensorFlow: "
            "start another process, with KERAS_BACKEND=tensorflow"
        )
    if loaded is None and (chosen := os.environ.get("KERAS_BACKEND") or "tensorflow") != "tensorflow":
        raise ConfigurationError(
            f"KERAS_BACKEND is {chosen}, and this contender runs on TensorFlow: unset it, or set it to tensorflow"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # CPU is what is compared
    if loaded is None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    with _silent_stderr():
        import keras  # noqa: F401  (on the backend that is chosen now)
        import tensorflow

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
