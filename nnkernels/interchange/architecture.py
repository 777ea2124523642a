"""Recognition of the architecture dense -> ReLU -> dense in another library's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nnkernels.errors import DataError
from nnkernels.interchange.checks import checked_parameters
from nnkernels.parameters import FloatArray, Parameters

DENSE, RELU, SOFTMAX = "dense", "relu", "softmax"


class Step(NamedTuple):
    """One step of a sequential model.

    Attributes
    ----------
    kind : str
        ``dense``, ``relu`` or ``softmax``, or the other library's name of any other step.
    W : ndarray, shape (inputs, units), or None
        The weights of a dense step.
    b : ndarray, shape (units,), or None
        The biases of a dense step.
    """

    kind: str
    W: FloatArray | None = None
    b: FloatArray | None = None


def parameters_of_chain(steps: Sequence[Step], features: int | None, where: str) -> Parameters:
    """Return the parameters of a chain dense -> ReLU -> dense, optionally followed by softmax.

    Parameters
    ----------
    steps : sequence of Step
        The steps of the model. Steps without effect at inference, such as dropout, are left out.
    features : int or None
        The number of features per sample that the model takes, or None if the model does not fix it.
    where : str
        The name of the model, with which each error message begins.

    Returns
    -------
    params : Parameters
        Copies of the arrays. They may contain NaN, as after a training run that diverged.

    Raises
    ------
    DataError
        If the chain has other steps, or if the shapes or dtypes of the arrays do not fit.
    """
    kinds = [step.kind for step in steps]
    if kinds not in ([DENSE, RELU, DENSE], [DENSE, RELU, DENSE, SOFTMAX]):
        raise DataError(
            f"{where}: contains {describe_chain(kinds)}; expected dense -> relu -> dense, optionally softmax"
        )
    hidden, output = steps[0], steps[2]
    params = checked_parameters({"W1": hidden.W, "b1": hidden.b, "W2": output.W, "b2": output.b}, where, finite=False)
    if features not in (None, len(params.W1)):
        # Such a model applies its layers to each row of an image, or to a part of the image.
        raise DataError(f"{where}: takes {features} features per sample, but W1 has shape {params.W1.shape}")
    return params


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
