"""What the contenders on Keras and TensorFlow share: threads and the way in and out."""

from __future__ import annotations

import gc

from nnkernels.contenders._labels import check_labels
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.interchange import from_keras, keras_optimizer, to_keras
from nnkernels.interchange.keras_import import import_tensorflow
from nnkernels.parameters import Parameters
from nnkernels.recipes import Recipe

PACKAGES = ("keras", "tensorflow")
EXTRA = "keras"


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

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Build the model and the optimizer; convert the data."""
        check_labels(data, len(parameters.b2))
        self.recipe = recipe
        self.model = to_keras(parameters)
        self.optimizer = keras_optimizer(recipe.optimizer, recipe.learning_rate)
        self.optimizer.build(self.model.trainable_variables)
        self.convert(data)

    def convert(self, data: LabelledImages) -> None:
        """Bring the data into the form that this contender trains from."""
        raise NotImplementedError

    def parameters(self) -> Parameters:
        """Return a copy of the model's weights."""
        return from_keras(self.model)

    def close(self) -> None:
        """Drop the model and the data; Keras' global state, the dtype policy among it, is the user's and stays."""
        tf = self.tf
        self.__dict__.clear()
        self.tf = tf
        gc.collect()  # a traced function and its graph hold each other
