"""The fused kernels with a dense first layer, for data that is not sparse."""

from __future__ import annotations

from nnkernels.kernels.fused.entries import evaluator, predictor, train_inplace
from nnkernels.kernels.numba_kernels import (
    adam_update_inplace,
    backward,
    forward,
    loss,
    momentum_update_inplace,
    sgd_update_inplace,
)

# Training does not call BLAS, and the order of each sum does not depend on the number of threads.
SAME_BITS_ON_ANY_THREADS = True

__all__ = [
    "adam_update_inplace",
    "backward",
    "evaluator",
    "forward",
    "loss",
    "momentum_update_inplace",
    "predictor",
    "sgd_update_inplace",
    "train_inplace",
]
