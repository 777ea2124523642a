"""What the contenders on Keras share: the backend, its threads, and the way in and out."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

from nnkernels.contenders._jax import import_jax, require_threads
from nnkernels.contenders._labels import check_labels
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.interchange import from_keras, keras_optimizer, to_keras
from nnkernels.interchange.keras_import import import_keras
from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe

PACKAGES = ("keras", "tensorflow")
EXTRA = "keras"
JAX_PACKAGES = ("keras", "jax", "jaxlib")
JAX_EXTRA = "peers"
JAX_PROCESS = "keras-jax"  # a process has one Keras backend: Keras on JAX has processes of its own


def import_tensorflow() -> Any:
    """Import TensorFlow as Keras' backend, whatever ``keras.json`` says.

    Raises
    ------
    ConfigurationError
        If Keras runs on another backend already, or is told to.
    """
    loaded = sys.modules.get("keras")
    backend = loaded.backend.backend() if loaded else os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        found = f"Keras runs on {backend} in this process already" if loaded else f"KERAS_BACKEND is {backend}"
        raise ConfigurationError(
            f"{found}, and this contender runs on TensorFlow: start another process, with KERAS_BACKEND=tensorflow"
        )
    import_keras("tensorflow")
    import tensorflow

    tensorflow.get_logger().setLevel("ERROR")  # each new contender is a new graph: that is meant
    return tensorflow


class OnTensorFlow:
    """Keras on TensorFlow; on the CPU, which is what is compared, whatever else the machine has."""

    def __init__(self) -> None:
        self.tf = import_tensorflow()
        try:
            self.tf.config.set_visible_devices([], "GPU")
        except RuntimeError as error:
            raise ConfigurationError(
                "TensorFlow computes on a GPU in this process already, and contenders on the CPU: create the contender "
                "before TensorFlow's first work, or in a process with CUDA_VISIBLE_DEVICES=-1"
            ) from error

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


class OnJax:
    """Keras on JAX, in a process in which Keras has not been imported on another backend."""

    def __init__(self) -> None:
        found = import_keras("jax").backend.backend()
        if found != "jax":
            raise ConfigurationError(
                f"Keras runs on {found} in this process, and a process has one backend; create the contender with "
                "nnkernels.contenders.create_anywhere, or set KERAS_BACKEND=jax before Keras is imported"
            )
        self.jax = import_jax()

    def use_threads(self, threads: int) -> None:
        """Start XLA on that many threads: possible only before JAX's first work."""
        require_threads(self.jax, threads)


class KerasContender:
    """A contender whose network is the Keras model of ``interchange``.

    Parameters
    ----------
    backend : OnTensorFlow or OnJax
        What Keras computes with; it is imported here.
    """

    threads_can_change = False

    def __init__(self, backend: type[OnTensorFlow] | type[OnJax] = OnTensorFlow) -> None:
        self.backend: Any = backend()

    def use_threads(self, threads: int) -> None:
        """Set the backend's threads: possible only before its first work."""
        self.backend.use_threads(threads)

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build the model and the optimizer; convert the data."""
        check_labels(data, len(parameters.b2))
        self.recipe = recipe
        self.model = to_keras(parameters)
        self.optimizer = self.new_optimizer(recipe)
        self.optimizer.build(self.model.trainable_variables)
        self.convert(data)

    def new_optimizer(self, recipe: Recipe) -> Any:
        """Return the Keras optimizer of a recipe."""
        return keras_optimizer(recipe.optimizer, recipe.learning_rate)

    def convert(self, data: LabelledImages) -> None:
        """Bring the data into the form that this contender trains from."""
        raise NotImplementedError

    def parameters(self) -> Parameters:
        """Return a copy of the model's weights."""
        return from_keras(self.model)

    def close(self) -> None:
        """Drop the model and the data; Keras' global state, the dtype policy among it, is the user's and stays."""
        backend = self.backend
        self.__dict__.clear()
        self.backend = backend
        gc.collect()  # a traced function and its graph hold each other
