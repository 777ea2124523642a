"""The functions of ``numba_kernels``, with faster ones for training and prediction.

The first layer does nearly all of the work. It visits nonzero pixels only, if fewer than half are nonzero, as in images
of digits. ``README.md`` in this folder describes the design, and which variants were tried.
"""

from __future__ import annotations

from nnkernels.kernels.fused.entries import evaluator, pack_images, path_of, predictor, train_inplace
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
    "pack_images",
    "path_of",
    "predictor",
    "sgd_update_inplace",
    "train_inplace",
]
