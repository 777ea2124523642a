"""The protocol of a contender, which trains from given parameters on given data in a given order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nnkernels.data import LabelledImages
from nnkernels.kernels.stepwise import PackedImages
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe


class Contender(Protocol):
    """An implementation of training and inference.

    Attributes
    ----------
    whole_epochs_only : bool
        Whether it is timed in whole epochs only, because each call of :meth:`advance` has an overhead that belongs to a
        whole epoch. An example is the start-up of Keras' ``fit``.
    threads_can_change : bool
        Whether :meth:`use_threads` may be called with another number after the first computation.
    """

    whole_epochs_only: bool
    threads_can_change: bool

    def use_threads(self, threads: int) -> None:
        """Set the number of threads, and verify it.

        The setting applies to the libraries in the whole process until the next call.
        :func:`nnkernels.contenders.thread_limit` restores the previous numbers.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If the number can no longer be changed, or if a library reports another number afterwards.
        """
        ...

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the initial parameters, convert the data to the contender's own form, and reset the optimizer.

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
        ...

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a sequence of batches, and return when the training is complete.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.

        Raises
        ------
        DataError
            If an index is out of bounds.
        InferenceOnlyError
            If the contender cannot train; ``Entry.trains`` tells in advance.
        """
        ...

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the class probabilities of images.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features in any byte order, memory order and strides, see
            :func:`nnkernels.transforms.as_images`.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        ...

    def parameters(self) -> Parameters:
        """Return the current parameters.

        Returns
        -------
        params : Parameters
            A copy, float32.
        """
        ...

    def close(self) -> None:
        """Release data and other resources."""
        ...


@runtime_checkable
class ReplacesImages(Protocol):
    """A contender that can go on training on other images. Recipes with augmentation need one."""

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on, such as those of an epoch with augmentation.

        The images are converted to the contender's own form here. Labels, parameters and the state of the optimizer
        stay as they are.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as it was prepared with, of the same shape and dtype. The caller must not change them
            as long as they are trained on.
        """
        ...


@runtime_checkable
class ReplacesParameters(Protocol):
    """A contender whose parameters can be replaced. Recipes with averaging or early stopping need one."""

    def replace_parameters(self, parameters: Parameters) -> None:
        """Go on with other parameters. Images, labels and the state of the optimizer stay as they are.

        Parameters
        ----------
        parameters : Parameters
            Parameters of the same shapes; copied.
        """
        ...


@runtime_checkable
class SharesImages(Protocol):
    """A prepared contender whose training images are in the internal layout of a backend, which others can read too.

    Attributes
    ----------
    packed : PackedImages
        The images. They are replaced together with those that it trains on.
    """

    packed: PackedImages


@dataclass(frozen=True)
class Entry:
    """What is known about a contender before its framework is imported.

    Attributes
    ----------
    create : callable
        ``create() -> Contender``; imports the framework.
    description : str
        One line for lists and tables.
    packages : tuple of str
        Import names of the required packages.
    extra : str
        The extra of nnkernels that installs them.
    trains : bool
        Whether it can train. Otherwise it only predicts, with the parameters that it is prepared with.
    process : str
        The name of the separate process that it requires; contenders with the same name share a process. Empty if it
        can run in any process.
    from_profile : str
        The first profile of ``nnkernels bench`` that includes it by default: ``quick``, ``headline``, ``standard`` or
        ``full``.
    note : str
        A remark to show with its results, such as a setting that affects its time.
    """

    create: Callable[[], Contender]
    description: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    trains: bool = True
    process: str = ""
    from_profile: str = "quick"
    note: str = ""
