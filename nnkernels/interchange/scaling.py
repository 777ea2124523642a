"""Folding of scaling steps, such as normalisation of the input and batch normalisation, into dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nnkernels.data.pixels import MAX_PIXEL, PIXEL_SCALE
from nnkernels.errors import DataError
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.parameters import FloatArray

# A first factor in this range maps pixels to a range of length 1 or 2: 1 / 256, 1 / 255, 1 / 128, 1 / 127.5.
_PIXEL_FACTORS = (0.9 / MAX_PIXEL, 2.1 / MAX_PIXEL)


class Scaling(NamedTuple):
    """An affine function of each feature: ``gain * x + offset``.

    Attributes
    ----------
    gain : ndarray, shape () or (features,), or None
        None means 1.
    offset : ndarray, shape () or (features,), or None
        None means 0.
    """

    gain: FloatArray | None
    offset: FloatArray | None

    def scalar_gain(self) -> float | None:
        """Return the gain if it is the same for all features, without the rounding of 1/255 to float32.

        Returns
        -------
        gain : float or None
            None if there is no gain, or if it differs between the features.
        """
        if self.gain is None or not np.size(self.gain):
            return None
        values = np.asarray(self.gain, np.float64).ravel()
        if not (values == values[0]).all():
            return None
        for exact in (PIXEL_SCALE, 2 * PIXEL_SCALE):
            if np.float32(values[0]) == np.float32(exact):
                return exact
        return float(values[0])


class DenseLayer(NamedTuple):
    """A dense layer.

    Attributes
    ----------
    W : ndarray, shape (inputs, units)
        The weights.
    b : ndarray, shape (units,), or None
        The biases. None means zeros.
    dtype : dtype or None
        The dtype to which folded weights are rounded, or None if nothing was folded.
    """

    W: FloatArray
    b: FloatArray | None
    dtype: np.dtype[np.generic] | None = None

    def biases(self) -> FloatArray:
        """Return the biases, zeros if the layer has none.

        Returns
        -------
        b : ndarray, shape (units,)
            In the dtype of the layer.
        """
        return np.zeros(self.W.shape[-1:], self.W.dtype) if self.b is None else self.b

    def followed_by(self, scaling: Scaling, where: str) -> Self:
        """Return the layer with a scaling of its outputs.

        Parameters
        ----------
        scaling : Scaling
            The scaling.
        where : str
            The name of the model, for error messages.

        Returns
        -------
        layer : DenseLayer
            In float64, except that an offset on its own becomes the bias as it is.
        """
        units = self.W.shape[-1:]
        if scaling.gain is None and self.b is None and scaling.offset is not None:
            b = np.broadcast_to(np.ravel(scaling.offset), units) if _fits(scaling.offset, units) else scaling.offset
            return self._replace(b=b)
        W, b = self._float64(where)
        gain, offset = (_broadcast(value, units, where) for value in scaling)
        return self._replace(
            W=W if gain is None else W * gain,
            b=(b if gain is None else b * gain) + (0.0 if offset is None else offset),
            dtype=self.dtype or self.W.dtype,
        )

    def preceded_by(self, scalings: Sequence[Scaling], where: str) -> Self:
        """Return the layer with scalings of its inputs.

        Parameters
        ----------
        scalings : sequence of Scaling
            The scalings, in the order in which they are applied.
        where : str
            The name of the model, for error messages.

        Returns
        -------
        layer : DenseLayer
            In float64. The layer itself if the scalings have no effect.
        """
        total_gain: FloatArray = np.ones(1)
        total_offset: FloatArray = np.zeros(1)
        inputs = self.W.shape[:1]
        for scaling in scalings:
            factor = scaling.scalar_gain()
            gain = np.array([factor]) if factor is not None else _broadcast(scaling.gain, inputs, where)
            offset = _broadcast(scaling.offset, inputs, where)
            if gain is not None:
                total_gain, total_offset = total_gain * gain, total_offset * gain
            if offset is not None:
                total_offset = total_offset + offset
        if np.all(total_gain == 1) and np.all(total_offset == 0):
            return self
        W, b = self._float64(where)
        b = b + np.broadcast_to(total_offset, inputs) @ W
        return self._replace(W=total_gain[:, np.newaxis] * W, b=b, dtype=self.dtype or self.W.dtype)

    def rounded(self) -> Self:
        """Return the layer in the dtype of its weights.

        Returns
        -------
        layer : DenseLayer
            The layer itself if nothing was folded.
        """
        if self.dtype is None:
            return self
        with np.errstate(over="ignore", invalid="ignore"):  # infinities are reported with the entry
            return self._replace(W=self.W.astype(self.dtype), b=self.biases().astype(self.dtype))

    def _float64(self, where: str) -> tuple[FloatArray, FloatArray]:
        b = self.biases()
        if self.W.ndim != 2 or b.shape != self.W.shape[1:] or self.W.dtype.kind != "f":
            raise DataError(
                f"{where}: the shapes do not form a network (weights {self.W.dtype} {self.W.shape}, biases {b.shape}); "
                "expected float weights (inputs, units) and biases (units,)"
            )
        return self.W.astype(np.float64), b.astype(np.float64)


def input_scaling(scalings: Sequence[Scaling], preprocessing: Preprocessing | None, where: str) -> list[Scaling]:
    """Return the scaling that turns pixels / 255 into the input of a model.

    Parameters
    ----------
    scalings : sequence of Scaling
        The scalings with which the model itself begins.
    preprocessing : Preprocessing or None
        The stated preprocessing of the input, if any.
    where : str
        The name of the model, for error messages.

    Returns
    -------
    scalings : list of Scaling
        Empty if the model takes pixels / 255.

    Raises
    ------
    DataError
        If the model normalises its input, and nothing states the range of the input.
    """
    if preprocessing is not None:
        return [] if preprocessing.scaling.is_default else [Scaling(*preprocessing.affine())]
    if not scalings:
        return []
    factor = next((scaling.scalar_gain() for scaling in scalings if scaling.gain is not None), None)
    if factor is not None and _PIXEL_FACTORS[0] <= factor <= _PIXEL_FACTORS[1]:
        return [Scaling(np.asarray(float(MAX_PIXEL)), None)]
    raise DataError(
        f"{where}: normalises its input, but nothing states the range of this input; pass input_range=(0, 255) if the "
        "model takes pixels, or input_range=(0, 1) if it takes pixels / 255"
    )


def _fits(value: npt.ArrayLike, shape: tuple[int, ...]) -> bool:
    return np.size(value) == 1 or np.ravel(value).shape == shape


def _broadcast(value: FloatArray | None, shape: tuple[int, ...], where: str) -> FloatArray | None:
    if value is None:
        return None
    if not _fits(value, shape):
        raise DataError(f"{where}: scales {np.size(value)} features, but the dense layer has {shape[0]} there")
    return np.ravel(value).astype(np.float64)
