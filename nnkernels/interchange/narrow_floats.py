"""Exact conversion of floats of 8 and 16 bits, which NumPy does not know, to float32."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_MANTISSA_BITS = {4: 3, 5: 2}
_BIAS = {4: 7, 5: 15}


def bfloat16_to_float32(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Convert bfloat16 to float32: a bfloat16 consists of the upper 16 bits of a float32.

    Parameters
    ----------
    bits : ndarray of uint16
        The numbers' bits.

    Returns
    -------
    numbers : ndarray of float32
        The same numbers.
    """
    numbers: npt.NDArray[np.float32] = (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return numbers


def float8_to_float32(bits: npt.NDArray[np.uint8], exponent_bits: int) -> npt.NDArray[np.float32]:
    """Convert E4M3 or E5M2 to float32.

    Parameters
    ----------
    bits : ndarray of uint8
        The numbers' bits.
    exponent_bits : {4, 5}
        4 for E4M3 in its form without infinities, whose largest number is 448; 5 for E5M2, as in IEEE 754.

    Returns
    -------
    numbers : ndarray of float32
        The same numbers.

    References
    ----------
    P. Micikevicius et al., "FP8 formats for deep learning", arXiv:2209.05433, table 1.
    """
    numbers: npt.NDArray[np.float32] = _float8_table(exponent_bits)[bits]
    return numbers


@cache
def _float8_table(exponent_bits: int) -> npt.NDArray[np.float32]:
    mantissa_bits, bias = _MANTISSA_BITS[exponent_bits], _BIAS[exponent_bits]
    codes = np.arange(256)
    sign = np.where(codes & 0x80, -1.0, 1.0)
    exponent = (codes & 0x7F) >> mantissa_bits
    mantissa = (codes & (2**mantissa_bits - 1)) / 2**mantissa_bits
    numbers = sign * np.where(exponent == 0, mantissa, 1 + mantissa) * 2.0 ** (np.maximum(exponent, 1) - bias)
    if exponent_bits == 5:
        numbers[exponent == 31] = np.where(mantissa == 0, sign * np.inf, np.nan)[exponent == 31]
    else:
        numbers[codes & 0x7F == 0x7F] = np.nan
    table: npt.NDArray[np.float32] = numbers.astype(np.float32)
    return table
