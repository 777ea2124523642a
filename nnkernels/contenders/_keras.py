"""The base class of the contenders on Keras, and Keras' backends."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

from nnkernels.contenders._jax import require_threads
from nnkernels.contenders._jax_functions import import_jax
from nnkernels.contenders._labels import check_labels
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.interchange import from_keras, keras_optimizer, to_keras
from nnkernels.interchange.keras_import import import_keras
from nnkernels.parameters import Parameters, native
from nnkernels.recipes import Recipe

PACKAGES = ("keras", "tensorflow")
EXTRA = "keras"
JAX_PACKAGES = ("keras", "jax", "jaxlib")
JAX_EXTRA = "peers"
JAX_PROCESS = "keras-jax"  # a process can have only one Keras backend


def import_tensorflow() -> Any:
    """Import Keras with TensorFlow as its backend, regardless of ``keras.json``.

    Returns
    -------
    tensorflow : module
        The imported TensorFlow.

    Raises
    ------
    ConfigurationError
        If Keras already runs on another backend, or if ``KERAS_BACKEND`` selects another one.
    MissingDependencyError
        If Keras or TensorFlow is not installed.
    """
    loaded = sys.modules.get("keras")
    backend = loaded.backend.backend() if loaded else os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend != "tensorflow":
        found = f"Keras runs on {backend} in this process already" if loaded else f"KERAS_BACKEND is {backend}"
        raise ConfigurationError(
            f"{found}, but this contender runs on TensorFlow: use a new process, with KERAS_BACKEND=tensorflow"
        )
    import_keras("tensorflow")
    import tensorflow

    # Every contender intentionally creates a new graph, so hide warnings about retracing.
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


class TensorFlowBackend:
    """Keras on TensorFlow, on the CPU, because contenders are compared on the CPU."""

    def __init__(self) -> None:
        self.tf = import_tensorflow()
        try:
            self.tf.config.set_visible_devices([], "GPU")
        except RuntimeError as error:
            raise ConfigurationError(
                "TensorFlow already uses a GPU in this process, but contenders run on the CPU; create the contender "
                "before TensorFlow's first computation, or in a process with CUDA_VISIBLE_DEVICES=-1"
            ) from error

    def use_threads(self, threads: int) -> None:
        """Set TensorFlow's intra-op and inter-op threads, which is only possible before its first computation.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If TensorFlow already runs on another number of threads.
        """
        threading = self.tf.config.threading
        for name in ("intra_op_parallelism_threads", "inter_op_parallelism_threads"):
            if getattr(threading, f"get_{name}")() == threads:
                continue
            try:
                getattr(threading, f"set_{name}")(threads)
            except RuntimeError as error:
                raise ConfigurationError(
                    f"TensorFlow has already started: set its {name} to {threads} before its first computation"
                ) from error


class JaxBackend:
    """Keras on JAX, in a process in which Keras has not been imported on another backend."""

    def __init__(self) -> None:
        found = import_keras("jax").backend.backend()
        if found != "jax":
            raise ConfigurationError(
                f"Keras runs on {found} in this process, and a process can have only one backend; create the contender "
                "with nnkernels.contenders.create_anywhere, or set KERAS_BACKEND=jax before Keras is imported"
            )
        self.jax = import_jax()

    def use_threads(self, threads: int) -> None:
        """Set the number of XLA's threads, which is only possible before JAX's first computation.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If XLA already runs on another number of threads.
        """
        require_threads(self.jax, threads)


class KerasContender:
    """A contender whose network is the Keras model of :func:`nnkernels.interchange.to_keras`.

    Parameters
    ----------
    backend : type of TensorFlowBackend or JaxBackend
        The backend of Keras, which is imported here.
    """

    threads_can_change = False

    def __init__(self, backend: type[TensorFlowBackend] | type[JaxBackend] = TensorFlowBackend) -> None:
        self.backend: Any = backend()

    def use_threads(self, threads: int) -> None:
        """Set the number of threads of the backend, which is only possible before its first computation.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If the backend already runs on another number of threads.
        """
        self.backend.use_threads(threads)

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build the model and the optimizer, and convert the data.

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
        check_labels(data, len(parameters.b2))
        self.recipe = recipe
        self.model = to_keras(parameters)
        self.optimizer = self.new_optimizer(recipe)
        self.optimizer.build(self.model.trainable_variables)
        self.convert(data)

    def new_optimizer(self, recipe: Recipe) -> Any:
        """Return the Keras optimizer of a recipe.

        Parameters
        ----------
        recipe : Recipe
            Update rule and initial learning rate.

        Returns
        -------
        optimizer : keras.optimizers.Optimizer
            A new optimizer, whose state has not been built yet.
        """
        return keras_optimizer(recipe.optimizer, recipe.learning_rate)

    def loss_function(self) -> Any:
        """Return Keras' loss of the recipe: on class indices or, with label smoothing, on one-hot labels.

        Returns
        -------
        loss : keras.losses.Loss
            Computed from logits, because on JAX Keras clips probabilities at 1e-7.
        """
        import keras

        if smoothing := self.recipe.label_smoothing:
            return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, dtype="float32")
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float32")

    def convert(self, data: LabelledImages) -> None:
        """Convert the data to the form that this contender trains on.

        Parameters
        ----------
        data : LabelledImages
            The training images.
        """
        raise NotImplementedError

    def replace_parameters(self, parameters: Parameters) -> None:
        """Go on with other parameters. Images, labels and the state of the optimizer stay as they are.

        Parameters
        ----------
        parameters : Parameters
            Parameters of the same shapes; copied.
        """
        for variable, values in zip(self.model.trainable_variables, native(parameters), strict=True):
            variable.assign(values)

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The weights of the model, float32.
        """
        return from_keras(self.model)

    def close(self) -> None:
        """Release model and data. Keras' global state, such as its dtype policy, is the user's and is not reset."""
        backend = self.backend
        self.__dict__.clear()
        self.backend = backend
        gc.collect()  # a traced function and its graph refer to each other
