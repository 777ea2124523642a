"""The fused kernels with the first layer on every pixel: what they are worth where the data is not sparse."""

from __future__ import annotations

from nnkernels.kernels.fused.entries import predictor, train_inplace
from nnkernels.kernels.numba_kernels import (
    adam_update_inplace,
    backward,
    forward,
    loss,
    momentum_update_inplace,
    sgd_update_inplace,
)

# Training calls no BLAS, and divides the work among threads so that each sum keeps its order.
SAME_BITS_ON_ANY_THREADS = True

__all__ = [
    "adam_update_inplace",
    "backward",
    "forward",
    "loss",
    "momentum_update_inplace",
    "predictor",
    "sgd_update_inplace",
    "train_inplace",
]
