"""What the contenders on Keras and TensorFlow share: start-up, threads and the way in and out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nnkernels.contenders._protocol import TrainingData
from nnkernels.errors import ConfigurationError
from nnkernels.interchange import from_keras, keras_optimizer, to_keras
from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe

PACKAGES = ("keras", "tensorflow")
EXTRA = "keras"


def import_tensorflow() -> Any:
    """Import TensorFlow as Keras' backend, without its start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # CPU is what is compared
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _silent_stderr():
        import keras
        import tensorflow

    if keras.backend.backend() != "tensorflow":
        raise ConfigurationError(f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow")
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


class KerasContender:
    """A contender whose network is the Keras model of ``interchange``."""

    threads_can_change = False

    def __init__(self) -> None:
        self.tf = import_tensorflow()

    def use_threads(self, threads: int) -> None:
        """Set TensorFlow's intra-op and inter-op threads: possible only before TensorFlow's first work."""
        threading = self.tf.config.threading
        for name in ("intra_op_parallelism_threads", "inter_op_parallelism_threads"):
            if getattr(threading, f"get_{name}")() == threads:
                continue
            try:
                getattr(threading, f"set_{name}")(threads)
            except RuntimeError as error:
                raise ConfigurationError(
                    f"TensorFlow has started already; its {name} must be set to {threads} before its first work"
                ) from error

    def prepare(self, parameters: Parameters, data: TrainingData, recipe: Recipe) -> None:
        """Build the model and the optimizer; convert the data."""
        self.recipe = recipe
        self.model = to_keras(parameters)
        self.optimizer = keras_optimizer(recipe.optimizer, recipe.learning_rate)
        self.optimizer.build(self.model.trainable_variables)
        self.convert(data)

    def convert(self, data: TrainingData) -> None:
        """Bring the data into the form that this contender trains from."""
        raise NotImplementedError

    def parameters(self) -> Parameters:
        """Return a copy of the model's weights."""
        return from_keras(self.model)

    def close(self) -> None:
        """Drop the model, the data and Keras' global state."""
        import keras

        tf = self.tf
        self.__dict__.clear()
        self.tf = tf
        keras.backend.clear_session()
