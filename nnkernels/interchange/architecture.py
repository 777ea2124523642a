"""Recognition of the architecture dense -> ReLU -> dense in another library's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nnkernels.errors import DataError
from nnkernels.interchange.checks import checked_parameters
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.interchange.scaling import DenseLayer, Scaling, input_scaling
from nnkernels.parameters import FloatArray, Parameters

DENSE, RELU, SOFTMAX, SCALING = "dense", "relu", "softmax", "scaling"
_ARCHITECTURES = ([DENSE, RELU, DENSE], [DENSE, RELU, DENSE, SOFTMAX])


class Step(NamedTuple):
    """One step of a sequential model.

    Attributes
    ----------
    kind : str
        ``dense``, ``relu``, ``softmax`` or ``scaling``, or the other library's name of any other step.
    W : ndarray or None
        The weights of a dense step, of shape (inputs, units), or the gain of a scaling step, of shape () or
        (features,). None means a gain of 1.
    b : ndarray or None
        The biases of a dense step, of shape (units,), or the offset of a scaling step. None means zeros.
    remedy : str
        For any other step, what would make the model readable.
    """

    kind: str
    W: FloatArray | None = None
    b: FloatArray | None = None
    remedy: str = ""


def parameters_of_chain(
    steps: Sequence[Step],
    features: int | None,
    where: str,
    preprocessing: Preprocessing | None = None,
) -> Parameters:
    """Return the parameters of a chain dense -> ReLU -> dense, optionally followed by softmax.

    Scaling steps, such as normalisation of the input and batch normalisation, are folded into the weights in float64,
    which are rounded once. Weights without such steps stay as they are, bit for bit.

    Parameters
    ----------
    steps : sequence of Step
        The steps of the model. Steps without effect at inference, such as dropout, are left out.
    features : int or None
        The number of features per sample that the model takes, or None if the model does not fix it.
    where : str
        The name of the model, with which each error message begins.
    preprocessing : Preprocessing, optional
        How pixels became the inputs of the model. By default, a model that divides its input by about 255 takes pixels,
        and a model without normalisation takes pixels / 255.

    Returns
    -------
    params : Parameters
        Copies of the arrays, for features that are pixels / 255. They may contain NaN, as after a training run that
        diverged.

    Raises
    ------
    DataError
        If the chain has other steps, if the shapes or dtypes of the arrays do not fit, or if the model normalises its
        input and nothing states the range of this input.
    """
    kinds = [step.kind for step in steps if step.kind != SCALING]
    if kinds not in _ARCHITECTURES or (steps[-1].kind == SCALING and SOFTMAX in kinds):
        raise DataError(
            f"{where}: contains {describe_chain(_kinds(steps))}; expected dense -> relu -> dense, "
            f"optionally softmax{_remedy(steps)}"
        )
    hidden, output = _folded(steps, where, preprocessing)
    if features not in (None, *hidden.W.shape[:1]):
        # Such a model applies its layers to each row of an image, or to a part of the image.
        raise DataError(f"{where}: takes {features} features per sample, but W1 has shape {hidden.W.shape}")
    arrays = {"W1": hidden.W, "b1": hidden.biases(), "W2": output.W, "b2": output.biases()}
    return checked_parameters(arrays, where, finite=False)


def fold(params: Parameters, preprocessing: Preprocessing, where: str = "the parameters") -> Parameters:
    """Fold a preprocessing into the first layer.

    Parameters
    ----------
    params : Parameters
        Parameters for features with this preprocessing.
    preprocessing : Preprocessing
        How the features were made from pixels.
    where : str, default: "the parameters"
        The name of the parameters, with which each error message begins.

    Returns
    -------
    params : Parameters
        Parameters with the same predictions for features that are pixels / 255. W1 and b1 are computed in float64 and
        rounded once.

    Raises
    ------
    DataError
        If the arrays do not form a network, or if the preprocessing is of another number of features.
    ConfigurationError
        If the preprocessing deskews images.
    """
    preprocessing.require_no_deskewing(f"{where}: the first layer")
    W1, b1, W2, b2 = checked_parameters(params._asdict(), where, finite=False)
    return parameters_of_chain([Step(DENSE, W1, b1), Step(RELU), Step(DENSE, W2, b2)], None, where, preprocessing)


def describe_chain(kinds: Sequence[str], limit: int = 12) -> str:
    """Describe a chain in one line, for error messages.

    Parameters
    ----------
    kinds : sequence of str
        The kinds of the steps.
    limit : int, default: 12
        The number of kinds after which the description is cut.

    Returns
    -------
    description : str
        For example ``dense -> relu -> dense``.
    """
    if not kinds:
        return "no layer"
    return " -> ".join(kinds[:limit]) + (f" -> ... ({len(kinds)} in all)" if len(kinds) > limit else "")


def _kinds(steps: Sequence[Step]) -> list[str]:
    # An offset after a dense layer is its bias.
    before = ["", *(step.kind for step in steps)]
    return [
        step.kind
        for step, previous in zip(steps, before, strict=False)
        if not (step.kind == SCALING and step.W is None and previous == DENSE)
    ]


def _folded(steps: Sequence[Step], where: str, preprocessing: Preprocessing | None) -> list[DenseLayer]:
    dense: list[DenseLayer] = []
    before: list[Scaling] = []  # scalings that wait for the dense layer behind them
    after_dense = False
    for step in steps:
        if step.kind == SCALING:
            scaling = Scaling(step.W, step.b)
            if after_dense:
                dense[-1] = dense[-1].followed_by(scaling, where)
            else:
                before.append(scaling)
        elif step.kind == DENSE and step.W is not None:
            first = [] if dense else input_scaling(before, preprocessing, where)
            layer = DenseLayer(np.asarray(step.W), None if step.b is None else np.asarray(step.b))
            dense.append(layer.preceded_by([*first, *before], where))
            before = []
        after_dense = step.kind == DENSE or (step.kind == SCALING and after_dense)
    return [layer.rounded() for layer in dense]


def _remedy(steps: Sequence[Step]) -> str:
    known = (DENSE, RELU, SOFTMAX, SCALING)
    for step in steps:
        if step.kind not in known:
            return f". {step.kind[:80]}: {step.remedy or 'train the model without it'}"
    layers = sum(step.kind == DENSE for step in steps)
    if layers != 2:
        return f". It has {layers} dense layers: train a model with one hidden layer"
    return ". ReLU has to follow the first dense layer and nothing else: train a model of this form"
