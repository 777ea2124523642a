"""The parameters a training run ends with, if they are not those of its last step: an average, or the best ones."""

from __future__ import annotations

import numpy as np

from nnkernels.history import History
from nnkernels.parameters import Parameters


def keep_average(history: History, epoch: int, params: Parameters) -> Parameters:
    """Include the parameters at the end of an epoch in the mean of a recipe with ``averaged_epochs``.

    Parameters
    ----------
    history : History
        The training. Its ``kept`` parameters are the mean so far, in float64, and are replaced.
    epoch : int
        The number of epochs done.
    params : Parameters
        The parameters at the end of the epoch.

    Returns
    -------
    mean : Parameters
        The mean in the dtype of ``params``; ``params`` themselves before the first averaged epoch.
    """
    count = epoch - (history.recipe.epochs - history.recipe.averaged_epochs)
    if count < 1:
        return params
    values = [array.astype(np.float64) for array in params]
    if history.kept is not None:
        values = [mean + (value - mean) / count for mean, value in zip(history.kept, values, strict=True)]
    history.kept = Parameters(*values)
    return as_parameters(history.kept, params)


def keep_best(history: History, params: Parameters) -> None:
    """Keep the parameters of the last record of a training with early stopping, if it is the best one.

    Parameters
    ----------
    history : History
        The training. Its ``kept`` parameters are replaced if the last epoch has the lowest validation loss.
    params : Parameters
        The parameters at the end of the last epoch.
    """
    if history.best is history.epochs[-1]:
        history.kept = params


def as_parameters(kept: Parameters, like: Parameters) -> Parameters:
    """Return kept parameters in the dtype of a contender's.

    Parameters
    ----------
    kept : Parameters
        Kept parameters.
    like : Parameters
        Parameters of the contender.

    Returns
    -------
    params : Parameters
        A copy, C-contiguous.
    """
    return Parameters(*(array.astype(other.dtype, order="C") for array, other in zip(kept, like, strict=True)))
