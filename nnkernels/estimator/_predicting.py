"""The part of ``MLPClassifier`` that predicts, with parameters from its own training or from elsewhere."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted, validate_data

from nnkernels import kernels
from nnkernels.estimator._hyper_parameters import (
    HyperParameterError,
    seed_from,
    validate,
    validate_backend,
    validate_preprocessing,
)
from nnkernels.estimator._samples import SampleError, to_features
from nnkernels.evaluation import probabilities
from nnkernels.history import History
from nnkernels.interchange import Preprocessing, checked_parameters
from nnkernels.kernels import OptimizerState, initial_state
from nnkernels.parameters import FloatArray, Parameters


class PredictingNetwork:
    """The fitted attributes of a classifier, the predictions, and a classifier from existing parameters."""

    backend: str
    classes_: npt.NDArray[Any]
    n_features_in_: int
    params_: Parameters
    preprocessing_: Preprocessing
    history_: History
    _optimizer_state: OptimizerState

    @classmethod
    def from_parameters(
        cls,
        params: Parameters,
        *,
        classes: npt.ArrayLike | None = None,
        preprocessing: Preprocessing | None = None,
        **hyper_parameters: Any,
    ) -> Self:
        """Return a fitted classifier with existing parameters, such as those of another program.

        Parameters
        ----------
        params : Parameters
            Weights and biases, which are copied. Parameters from :func:`nnkernels.load_parameters` are for pixels / 255
            and need no `preprocessing`, whatever the program that wrote them had.
        classes : array-like, shape (C,), optional
            The label of each output, by default 0 to C - 1.
        preprocessing : Preprocessing, optional
            How pixels became the features on which the parameters were trained, if not by pixels / 255.
        **hyper_parameters
            The other hyperparameters, except ``hidden_size``, which follows from the parameters.

        Returns
        -------
        classifier : MLPClassifier
            A classifier that predicts, and whose training :meth:`partial_fit` or ``warm_start`` continues. Outputs are
            reordered if necessary, because ``classes_`` is sorted.

        Raises
        ------
        HyperParameterError
            If a hyperparameter is unknown or invalid.
        DataError
            If the parameters do not form a network, are not finite in float32, or do not fit the preprocessing.
        SampleError
            If there are not as many different classes as outputs.
        """
        W1, b1, W2, b2 = checked_parameters(Parameters(*params)._asdict(), "params")
        labels, order = _sorted_classes(classes, len(b2))
        hyper_parameters = {**hyper_parameters, "hidden_size": len(b1), "preprocessing": preprocessing}
        try:
            classifier = cls(**hyper_parameters)
        except TypeError as error:
            raise HyperParameterError(f"from_parameters: {error}") from error
        hyper = validate(classifier.get_params(deep=False))  # type: ignore[attr-defined]
        with np.errstate(over="ignore"):  # an overflow is reported by the check
            narrow = (array.astype(np.float32) for array in (W1, b1, W2[:, order], b2[order]))
            found = checked_parameters(Parameters(*narrow)._asdict(), "params in float32")
        validate_preprocessing(preprocessing, len(W1))
        classifier.classes_, classifier.n_features_in_, classifier.params_ = labels, len(W1), found
        classifier.preprocessing_, classifier._optimizer_state = hyper.preprocessing, initial_state(found)
        classifier.history_ = History(hyper.recipe, seed_from(hyper_parameters.get("random_state")), 0)
        return classifier

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return the class probabilities of samples.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Samples.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Probabilities in the order of ``classes_``.

        Raises
        ------
        HyperParameterError
            If there is no such backend.
        SampleError
            If an integer in X is outside 0..255, or if images cannot be deskewed.
        ValueError
            If the features of X differ from those of the training, or if a value is not finite in float32.

        Warns
        -----
        RuntimeWarning
            If probabilities are NaN, because the training diverged or features are too large.
        """
        check_is_fitted(self, "params_")
        backend = kernels.load(validate_backend(self.backend))
        samples = validate_data(self, X, dtype="numeric", reset=False)
        features = to_features(samples, self.preprocessing_)
        with np.errstate(over="ignore", invalid="ignore"):  # only some backends would warn; the check below covers all
            probs = probabilities(backend, self.params_, features)
        if undefined := int(np.isnan(probs).any(axis=1).sum()):
            warnings.warn(
                f"{undefined} of {len(probs)} samples have no probabilities (NaN), so their predictions are invalid: "
                "the training has diverged, or their features are too large for float32",
                RuntimeWarning,
                stacklevel=2,
            )
        return probs

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the most probable label of each sample.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Samples.

        Returns
        -------
        labels : ndarray, shape (N,)
            Elements of ``classes_``.

        Raises
        ------
        HyperParameterError, SampleError, ValueError
            As :meth:`predict_proba`.
        """
        probs = self.predict_proba(X)
        labels: npt.NDArray[Any] = self.classes_[probs.argmax(axis=1)]
        return labels


def _sorted_classes(classes: npt.ArrayLike | None, outputs: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Return the classes in order, and the output of each."""
    labels, order = np.unique(np.arange(outputs) if classes is None else np.asarray(classes), return_index=True)
    if len(labels) != outputs or (classes is not None and np.shape(classes) != (outputs,)):
        raise SampleError(
            f"classes has shape {np.shape(classes if classes is not None else ())} and {len(labels)} different labels; "
            f"the parameters have {outputs} outputs, each of which needs its own label"
        )
    return labels, order
