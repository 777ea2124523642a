"""Recognising dense -> ReLU -> dense in what another system's model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nnkernels.errors import DataError
from nnkernels.interchange.checks import checked_parameters
from nnkernels.parameters import FloatArray, Parameters

DENSE, RELU, SOFTMAX = "dense", "relu", "softmax"


class Step(NamedTuple):
    """One step of a model that is a chain.

    Attributes
    ----------
    kind : str
        ``dense``, ``relu``, ``softmax``, or the other system's name of a step that is none of these.
    W, b : ndarray or None
        Of a dense step: shapes (inputs, units) and (units,).
    """

    kind: str
    W: FloatArray | None = None
    b: FloatArray | None = None


def parameters_of_chain(steps: Sequence[Step], features: int | None, where: str) -> Parameters:
    """Return the parameters of dense -> relu -> dense, with or without a softmax behind it.

    Parameters
    ----------
    steps : sequence of Step
        Without the steps that change nothing, such as dropout in inference.
    features : int or None
        Numbers a sample that the model takes; None where it leaves that open.
    where : str
        The beginning of each error message.

    Returns
    -------
    params : Parameters
        Copies; they may hold NaN, as the weights of a training that diverged do.

    Raises
    ------
    DataError
        If the chain is another one, or the arrays do not fit.
    """
    kinds = [step.kind for step in steps]
    if kinds not in ([DENSE, RELU, DENSE], [DENSE, RELU, DENSE, SOFTMAX]):
        raise DataError(f"{where}: holds {described(kinds)}; expected dense -> relu -> dense, then softmax or nothing")
    hidden, output = steps[0], steps[2]
    params = checked_parameters({"W1": hidden.W, "b1": hidden.b, "W2": output.W, "b2": output.b}, where, finite=False)
    if features not in (None, len(params.W1)):
        # Such a model applies its layers to each row of an image, or to part of it.
        raise DataError(f"{where}: takes {features} numbers a sample, but W1 has the shape {params.W1.shape}")
    return params


def described(kinds: Sequence[str], most: int = 12) -> str:
    """Return a chain in one line, a long one cut."""
    if not kinds:
        return "no layer"
    return " -> ".join(kinds[:most]) + (f" -> ... ({len(kinds)} in all)" if len(kinds) > most else "")
