"""Conversion of scikit-learn's ``MLPClassifier`` to parameters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnkernels.errors import ConfigurationError, DataError
from nnkernels.interchange.architecture import DENSE, RELU, SCALING, SOFTMAX, Step, parameters_of_chain
from nnkernels.interchange.preprocessing import Preprocessing, stated_preprocessing
from nnkernels.parameters import Parameters


def from_sklearn(
    estimator: Any,
    where: str = "the estimator",
    *,
    input_range: Sequence[float] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Parameters:
    """Return a copy of the parameters of a fitted classifier of scikit-learn.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier, MLPClassifier or sklearn.pipeline.Pipeline
        A classifier with one hidden layer, ReLU and at least three classes, or a pipeline of scalers and such a
        classifier. ``StandardScaler``, ``MinMaxScaler`` and ``MaxAbsScaler`` are folded into the first layer. The
        package's own :class:`~nnkernels.estimator.MLPClassifier` is accepted too; its ``preprocessing_`` is folded.
    where : str, default: "the estimator"
        The name of the estimator, with which each error message begins.
    input_range : sequence of two floats, optional
        What the estimator takes for a pixel of 0 and for a pixel of 255, such as ``(0, 255)`` if it was fitted on
        unscaled pixels (default: ``(0, 1)``; required for a pipeline with scalers).
    preprocessing : Preprocessing, optional
        The preprocessing of the features that the estimator was fitted on, instead of `input_range`.

    Returns
    -------
    params : Parameters
        For features that are pixels / 255, in the dtype of the estimator's weights. The outputs are in the order of
        ``estimator.classes_``.

    Raises
    ------
    DataError
        If the estimator is not fitted, is of another kind, or has another architecture; or if it has scalers, and
        nothing states the range of its input.
    ConfigurationError
        If `input_range` is invalid, `preprocessing` is given too, or the estimator has another one. If the
        estimator deskews images, and `preprocessing` does not say so.
    """
    stated = stated_preprocessing(input_range, preprocessing)
    # An estimator exists only if scikit-learn is imported; comparing modules does not import it.
    members = _members(estimator)
    own = (
        getattr(members[0], "preprocessing_", None) if len(members) == 1 else None
    )  # behind a scaler, it has no effect
    if isinstance(own, Preprocessing):
        if stated not in (None, own):
            raise ConfigurationError(f"{where}: has the preprocessing {own}, but {stated} is given; leave it out")
        if own.deskew and stated is None:
            raise ConfigurationError(
                f"{where}: deskews its images, which parameters cannot state; pass preprocessing={own}, and deskew the "
                "images of its parameters (Preprocessing.deskewed)"
            )
        stated = own
    steps = [step for member in members for step in _steps(member, where)]
    return parameters_of_chain(steps, None, where, stated)


def _members(estimator: Any) -> list[Any]:
    if _is(estimator, "pipeline", "Pipeline"):
        return [inner for _name, member in estimator.steps for inner in _members(member)]
    return [] if estimator is None or (isinstance(estimator, str) and estimator == "passthrough") else [estimator]


def _is(estimator: Any, module: str, name: str) -> bool:
    loaded = sys.modules.get(f"sklearn.{module}")
    return loaded is not None and type(estimator) is getattr(loaded, name)  # a subclass may compute anything


def _steps(estimator: Any, where: str) -> list[Step]:
    if _is(estimator, "preprocessing", "StandardScaler") and hasattr(estimator, "n_features_in_"):
        mean = np.asarray(0.0 if estimator.mean_ is None else estimator.mean_)
        scale = np.asarray(1.0 if estimator.scale_ is None else estimator.scale_)
        return [Step(SCALING, 1 / scale, -mean / scale)]
    if _is(estimator, "preprocessing", "MinMaxScaler") and hasattr(estimator, "scale_"):
        if estimator.clip:
            return [Step("MinMaxScaler with clip=True", remedy="fit it with clip=False")]
        return [Step(SCALING, np.asarray(estimator.scale_), np.asarray(estimator.min_))]
    if _is(estimator, "preprocessing", "MaxAbsScaler") and hasattr(estimator, "scale_"):
        return [Step(SCALING, 1 / np.asarray(estimator.scale_))]
    if _is(estimator, "neural_network", "MLPClassifier"):
        return _classifier_steps(estimator, where)
    if isinstance(getattr(estimator, "params_", None), Parameters):
        W1, b1, W2, b2 = estimator.params_
        return [Step(DENSE, W1, b1), Step(RELU), Step(DENSE, W2, b2)]
    kind = type(estimator).__name__
    return [
        Step(
            kind if hasattr(estimator, "n_features_in_") else f"{kind} that is not fitted",
            remedy="fit a MLPClassifier, alone or in a pipeline after StandardScaler, MinMaxScaler or MaxAbsScaler",
        )
    ]


def _classifier_steps(estimator: Any, where: str) -> list[Step]:
    if not hasattr(estimator, "coefs_"):
        raise DataError(f"{where}: is not fitted; call its method fit first")
    hidden = RELU if estimator.activation == "relu" else f"activation {estimator.activation}"
    output = SOFTMAX if estimator.out_activation_ == "softmax" else f"output activation {estimator.out_activation_}"
    steps: list[Step] = []
    for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        steps += [Step(DENSE, W, b), Step(hidden, remedy="fit the classifier with activation='relu'")]
    return [*steps[:-1], Step(output, remedy="fit it on at least three classes, each sample with one label")]
