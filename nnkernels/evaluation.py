"""The evaluation of parameters on images: loss, error rate and probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.errors import DataError
from nnkernels.kernels import Activations, Backend
from nnkernels.kernels.stepwise import PackedImages, image_packer, packed_images
from nnkernels.parameters import FloatArray, Parameters, native
from nnkernels.transforms import as_features, feature_scale, recover_pixels

DEFAULT_JUDGE = "fused"
Evaluate = Callable[[Parameters], tuple[float, int] | None]
EVALUATION_BATCH = 2048  # images per forward pass: their features fit into the cache


def evaluate(
    params: Parameters, X: npt.NDArray[Any], y: npt.NDArray[np.integer[Any]], backend: Backend | None = None
) -> tuple[float, float]:
    """Return the mean cross-entropy and the error rate of parameters on images.

    Parameters
    ----------
    params : Parameters
        The parameters of the network.
    X : array-like, shape (N, D)
        Integers are pixels and floats are features, see :func:`nnkernels.transforms.as_images`.
    y : ndarray of integers, shape (N,)
        Class indices.
    backend : Backend, optional
        The backend whose forward pass and loss are used, by default the reference kernels. A network with other
        mathematics needs its own backend.

    Returns
    -------
    loss : float
        Mean cross-entropy in nats.
    error_rate : float
        Fraction of misclassified images, 0 to 1.

    Raises
    ------
    DataError
        If there are no images.
    """
    if len(X) == 0:
        raise DataError("there are no images to evaluate on")
    judge = backend or kernels.load("numpy")
    y = np.ascontiguousarray(y, y.dtype.newbyteorder("="))
    total_loss, wrong = 0.0, 0
    for batch, activations in _forward_in_batches(judge, params, X):
        logits = activations.logits
        total_loss += float(judge.loss(logits, y[batch])) * len(logits)  # a user's loss may return NumPy's float32
        wrong += int(np.count_nonzero(logits.argmax(axis=1) != y[batch]))
    return total_loss / len(X), wrong / len(X)


class Evaluator:
    """The evaluation of many parameters on the same images, such as those after each epoch of a training.

    Images are converted once, at the first evaluation, to the form that the judge reads fastest. By default the judge
    of all contenders is the evaluation kernel of ``fused``, so that differences come from the training alone. It agrees
    with :func:`evaluate` to rounding (about seven digits of the loss), and its results have the same bits for any
    number of threads. What it does not support (parameters that are not float32 or not finite, more than 64 classes,
    NUMBA_DISABLE_JIT), the reference kernels evaluate.

    Parameters
    ----------
    X : ndarray of uint8, float32 or float64, shape (N, D)
        Pixels or features, as in :class:`~nnkernels.data.LabelledImages`. They must not change.
    y : ndarray of integers, shape (N,)
        Class indices, at least 0.
    judge : Backend, optional
        Another backend that evaluates, by its ``evaluator`` if it has one. A network with other mathematics needs its
        own backend; with the backend ``numpy``, results are those of :func:`evaluate`.
    packed : PackedImages, optional
        The same images as a contender of nnkernels has converted them. If the judge reads this form, they are shared.

    Raises
    ------
    DataError
        If there are no images.
    """

    def __init__(
        self,
        X: npt.NDArray[Any],
        y: npt.NDArray[np.integer[Any]],
        judge: Backend | None = None,
        packed: PackedImages | None = None,
    ) -> None:
        if len(X) == 0:
            raise DataError("there are no images to evaluate on")
        self.X, self.y, self.judge, self.packed = X, y, judge, packed

    def __call__(self, params: Parameters) -> tuple[float, float]:
        """Return the mean cross-entropy and the error rate of parameters.

        Parameters
        ----------
        params : Parameters
            The parameters of the network.

        Returns
        -------
        loss : float
            Mean cross-entropy in nats.
        error_rate : float
            Fraction of misclassified images, 0 to 1.
        """
        fits = params.W1.shape[0] == self.X.shape[1] and self._labels_end <= len(params.b2)
        if fits and self._evaluate_packed and (found := self._evaluate_packed(params)):
            loss, errors = found
            return loss, errors / len(self.X)
        return evaluate(params, self.X, self.y, self.judge)

    @cached_property
    def _labels_end(self) -> int:
        return int(self.y.max()) + 1

    @cached_property
    def _evaluate_packed(self) -> Evaluate | None:
        backend = self.judge or kernels.load(DEFAULT_JUDGE)
        make: Callable[..., Evaluate] | None = getattr(backend, "evaluator", None)
        if make is None:
            return None
        packed = self.packed
        if packed is None or packed.pack is not image_packer(backend):
            images = recover_pixels(self.X)
            packed = packed_images(backend, images, feature_scale(images))
        return make(packed.images, self.y, packed.scale)


def probabilities(backend: Backend, params: Parameters, X: npt.NDArray[Any]) -> FloatArray:
    """Return the class probabilities of images, computed by a backend's forward pass.

    Apart from the result, the memory needed is that of :data:`EVALUATION_BATCH` images.

    Parameters
    ----------
    backend : Backend
        The backend that computes the forward pass.
    params : Parameters
        The parameters of the network.
    X : array-like, shape (N, D)
        Integers are pixels and floats are features, see :func:`nnkernels.transforms.as_images`.

    Returns
    -------
    probs : ndarray, shape (N, C)
        Probabilities in the dtype of the parameters.
    """
    probs = np.empty((len(X), len(params.b2)), params.W1.dtype)
    for batch, activations in _forward_in_batches(backend, params, X):
        probs[batch] = activations.probs
    return probs


def _forward_in_batches(
    backend: Backend, params: Parameters, X: npt.NDArray[Any]
) -> Iterator[tuple[slice, Activations]]:
    params = native(params)
    for start in range(0, len(X), EVALUATION_BATCH):
        batch = slice(start, start + EVALUATION_BATCH)
        yield batch, backend.forward(params, as_features(X[batch], params.W1.dtype))
