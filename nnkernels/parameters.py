"""The parameters of the network, and their initialisation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnkernels import memory
from nnkernels.errors import ConfigurationError, DataError

FloatArray = npt.NDArray[Any]

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class Parameters(NamedTuple):
    """Weights and biases of a D-H-C network (784-20-10 for MNIST), or gradients of the same shapes.

    All arrays have the same dtype, float32 or float64, C order and native byte order (see :func:`native`).

    Attributes
    ----------
    W1 : ndarray, shape (D, H)
        Weights of the hidden layer.
    b1 : ndarray, shape (H,)
        Biases of the hidden layer.
    W2 : ndarray, shape (H, C)
        Weights of the output layer.
    b2 : ndarray, shape (C,)
        Biases of the output layer.
    """

    W1: FloatArray
    b1: FloatArray
    W2: FloatArray
    b2: FloatArray


def initial_parameters(
    seed: int,
    inputs: int = 784,
    hidden: int = 20,
    classes: int = 10,
    dtype: npt.DTypeLike = np.float32,
) -> Parameters:
    """Draw Glorot-uniform weights and zero biases. Keras' ``Dense`` uses the same distributions.

    ``W ~ U(-limit, limit)`` with ``limit = sqrt(6 / (fan_in + fan_out))``. Weights are drawn in float64 and rounded, so
    float32 and float64 parameters of the same seed agree within rounding.

    Parameters
    ----------
    seed : int
        Seed of ``numpy.random.default_rng``. The same seed gives the same parameters on every machine.
    inputs, hidden, classes : int
        Widths of the layers, at least 1 each.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    params : Parameters
        The parameters.

    Raises
    ------
    ConfigurationError
        If a width is below 1, the dtype is neither float32 nor float64, or the network does not fit into memory.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 16.
    """
    for width_name, width in (("inputs", inputs), ("hidden", hidden), ("classes", classes)):
        if width < 1:
            raise ConfigurationError(f"{width_name} is {width}; expected at least 1")
    if np.dtype(dtype) not in DTYPES:
        raise ConfigurationError(f"dtype {np.dtype(dtype)} is not supported; use float32 or float64")
    weights = hidden * (inputs + classes)
    memory.require(
        weights * (np.dtype(np.float64).itemsize + np.dtype(dtype).itemsize),
        f"a network of {inputs}-{hidden}-{classes} units",
        "choose fewer hidden units",
    )
    rng = np.random.default_rng(seed)

    def glorot_uniform(fan_in: int, fan_out: int) -> FloatArray:
        limit = np.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, size=(fan_in, fan_out)).astype(dtype)

    return Parameters(
        W1=glorot_uniform(inputs, hidden),
        b1=np.zeros(hidden, dtype),
        W2=glorot_uniform(hidden, classes),
        b2=np.zeros(classes, dtype),
    )


def zeros_like(params: Parameters) -> Parameters:
    """Return parameters of zeros.

    Parameters
    ----------
    params : Parameters
        Determines the shapes and the dtype.

    Returns
    -------
    zeros : Parameters
        All zero.
    """
    return Parameters(*(np.zeros_like(array) for array in params))


def native(params: Parameters, where: str = "the parameters") -> Parameters:
    """Convert parameters to C order and native byte order, which all kernels, frameworks and file formats accept.

    Parameters
    ----------
    params : Parameters
        All float32 or all float64, in any byte order, memory order and strides. Memory maps are allowed.
    where : str
        Source of the parameters, with which each error message begins.

    Returns
    -------
    params : Parameters
        C-contiguous, in native byte order. Arrays that are so already are not copied.

    Raises
    ------
    DataError
        If an array has another dtype, or the arrays differ in dtype.
    """
    dtypes = {name: array.dtype.newbyteorder("=") for name, array in params._asdict().items()}
    for name, dtype in dtypes.items():
        if dtype not in DTYPES:
            raise DataError(f"{where}: {name} is {dtype}; expected float32 or float64, so convert it first")
    if len(set(dtypes.values())) > 1:
        mixed = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise DataError(f"{where}: the arrays differ in dtype ({mixed}); convert them to the same dtype")
    return Parameters(*(np.asarray(array, dtypes[name], order="C") for name, array in params._asdict().items()))


def copy(params: Parameters) -> Parameters:
    """Copy parameters.

    Parameters
    ----------
    params : Parameters
        As for :func:`native`.

    Returns
    -------
    params : Parameters
        Writable copies, C-contiguous and in native byte order.

    Raises
    ------
    DataError
        As for :func:`native`.
    """
    return Parameters(*(np.array(array, order="C", copy=True) for array in native(params)))


def max_abs_difference(left: Parameters, right: Parameters) -> float:
    """Return the largest absolute difference of two sets of parameters.

    Parameters
    ----------
    left, right : Parameters
        Parameters of the same shapes.

    Returns
    -------
    difference : float
        Computed in float64; NaN if any value is NaN.
    """
    return float(
        np.max([np.max(np.abs(np.subtract(a, b, dtype=np.float64))) for a, b in zip(left, right, strict=True)])
    )
