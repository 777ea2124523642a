"""The base class of the contenders on JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._jax_functions import Fetch, Product, import_jax, prediction_function, training_function
from nnkernels.contenders._labels import check_labels
from nnkernels.contenders._updates import initial_moments
from nnkernels.contenders._xla_threads import start_backend
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.kernels.contract import decay_factors, step_sizes, update_rule
from nnkernels.parameters import FloatArray, Parameters, native
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_images

PACKAGES = ("jax", "jaxlib")
EXTRA = "peers"


def require_threads(jax: Any, threads: int) -> None:
    """Start XLA with a number of threads, or check that it runs on that number.

    Parameters
    ----------
    jax : module
        The imported JAX.
    threads : int
        The number of threads.

    Raises
    ------
    ConfigurationError
        If XLA already runs on another number of threads.
    """
    found = start_backend(jax, threads)
    if found != threads:
        raise ConfigurationError(
            f"the number of XLA's threads is {found}, not {threads}; set it before JAX's first computation"
        )


class JaxContender:
    """A contender that trains in one compiled loop. Subclasses define how images and W1 are stored and multiplied.

    The loop is a ``lax.fori_loop``. Its arrays have the size of one epoch, and the number of batches is an argument at
    run time. So the function compiled in :meth:`prepare` runs any number of batches, including a short last one.

    Attributes
    ----------
    fetch : callable
        ``fetch(images, rows) -> batch``.
    product : callable
        ``product(W1, batch)``, the matrix product of shape (N, H).
    """

    whole_epochs_only = False
    threads_can_change = False

    fetch: Fetch
    product: Product

    def __init__(self) -> None:
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

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters and the data to the device, and compile the training loop.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters.
        data : LabelledImages
            The training images.
        recipe : Recipe
            Optimizer, batch size and epochs.

        Raises
        ------
        DataError
            If a label is not a class of the network.
        """
        jnp = self.jax.numpy
        check_labels(data, len(parameters.b2))
        self.recipe, self.rule = recipe, update_rule(recipe.optimizer)
        self.params = self._on_device(parameters)
        self.moments = initial_moments(recipe.optimizer, self.params, jnp.zeros_like)
        self.steps_done = 0
        self.image_count = len(data.X)
        self.predict_params: Parameters | None = None  # created by the first call of predict
        self.max_batches = max(1, recipe.batches(len(data.X)))  # per call of the compiled loop
        self.replace_images(data.X)
        self.labels = jnp.asarray(data.y.astype(np.int32))
        # Functions are compiled once for all recipes with the same steps.
        steps = Recipe("", recipe.optimizer, recipe.batch_size, label_smoothing=recipe.label_smoothing)
        self._train = training_function(self.fetch, self.product, steps)
        self._predict = prediction_function()
        if self.image_count:  # run zero batches in order to compile
            self._run_batches(np.zeros(0, np.int64), np.zeros(0, np.float32))

    def convert(self, X: npt.NDArray[Any]) -> Any:
        """Convert the images to the form that this contender trains on.

        Parameters
        ----------
        X : ndarray of uint8, float32 or float64, shape (N, D)
            Pixels or features.

        Returns
        -------
        images : pytree of jax.Array
            The images on the device.
        """
        raise NotImplementedError

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on; they are converted and copied to the device.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as before, of the same shape and dtype. Labels, parameters and the state of the
            optimizer stay as they are.
        """
        self.images = self.convert(X)

    def replace_parameters(self, parameters: Parameters) -> None:
        """Go on with other parameters. Images, labels and the state of the optimizer stay as they are.

        Parameters
        ----------
        parameters : Parameters
            Parameters of the same shapes; copied.
        """
        self.params = self._on_device(parameters)
        self.predict_params = None

    def to_internal_layout(self, params: Parameters) -> Parameters:
        """Convert parameters between the standard layout and that of this contender. The function is its own inverse.

        Parameters
        ----------
        params : Parameters
            Parameters in either layout.

        Returns
        -------
        params : Parameters
            Parameters in the other layout. The default is the same layout.
        """
        return params

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Run the compiled loop, and wait for its end.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.

        Raises
        ------
        DataError
            If an index is out of bounds, which XLA would not check.
        """
        if len(order) and not 0 <= order.min() <= order.max() < self.image_count:  # XLA does not check bounds
            raise DataError(
                f"order has indices from {order.min()} to {order.max()}; there are {self.image_count} images"
            )
        max_images = self.max_batches * self.recipe.batch_size
        for part in range(-(-len(order) // max_images)):  # a single part, unless there are more images than in an epoch
            self._run_batches(
                order[part * max_images : (part + 1) * max_images],
                learning_rates[part * self.max_batches : (part + 1) * self.max_batches],
            )

    def _on_device(self, parameters: Parameters) -> Parameters:
        layout = self.to_internal_layout(native(parameters))
        return Parameters(*(self.jax.numpy.array(array, copy=True) for array in layout))

    def _run_batches(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        batches = self.recipe.batches(len(order))
        rows = np.zeros(self.max_batches * self.recipe.batch_size, np.int32)
        rows[: len(order)] = order
        # Pad the last batch with one of its own images: the weight is 0, but 0 * NaN of another image would be NaN.
        rows[len(order) :] = order[-1] if len(order) else 0
        rates, decays = np.zeros((2, self.max_batches), np.float32)
        rates[:batches] = step_sizes(self.rule, learning_rates[:batches], self.steps_done)
        decays[:batches] = decay_factors(self.rule, learning_rates[:batches])
        self.predict_params = None
        self.params, self.moments = self.jax.block_until_ready(
            self._train(self.params, self.moments, self.images, self.labels, rows, rates, decays, len(order))
        )
        self.steps_done += batches

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the compiled forward pass, which is recompiled for each number of images.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        if self.predict_params is None:
            self.predict_params = self.to_internal_layout(self.params)
        probs: FloatArray = np.asarray(self._predict(self.predict_params, as_images(X)))
        return probs

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The current parameters, float32.
        """
        # XLA returns read-only views of its own memory.
        return Parameters(*(np.array(array, order="C", copy=True) for array in self.to_internal_layout(self.params)))

    def close(self) -> None:
        """Release data and parameters. Compiled functions stay cached for other contenders."""
        jax = self.jax
        self.__dict__.clear()
        self.jax = jax
