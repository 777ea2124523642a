"""The names of ``numba_kernels``, and entries that are faster than any composition of them: whole stretches in a call.

The first layer, which is nearly all the work, runs on nonzero pixels alone where there are few of them, as in digits,
else on all. What was tried, and what it gave, stands in ``README.md`` beside this file.
"""

from __future__ import annotations

from nnkernels.kernels.fused.entries import pack_images, predictor, train_inplace
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
    "pack_images",
    "predictor",
    "sgd_update_inplace",
    "train_inplace",
]
