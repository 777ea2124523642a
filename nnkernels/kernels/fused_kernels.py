"""The same names as ``numba_kernels``, and two entries that are faster than any composition of them.

``train_inplace`` runs a whole stretch of batches in one call, on the nonzero pixels alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.kernels import numba_kernels
from nnkernels.kernels.contract import OptimizerState, UpdateRule
from nnkernels.kernels.fused_model import Layout, new_workspace
from nnkernels.kernels.fused_training import Sizes, training_kernel
from nnkernels.kernels.nonzero import MAX_INPUTS, NonzeroImages, pack_nonzero
from nnkernels.kernels.numba_kernels import (
    adam_update_inplace,
    backward,
    forward,
    loss,
    momentum_update_inplace,
    sgd_update_inplace,
)
from nnkernels.kernels.team import run_together
from nnkernels.parameters import Parameters, copy

__all__ = [
    "adam_update_inplace",
    "backward",
    "forward",
    "loss",
    "momentum_update_inplace",
    "sgd_update_inplace",
    "train_inplace",
]

MOST_CLASSES = 64


def train_inplace(
    params: Parameters,
    state: OptimizerState,
    X: npt.NDArray[Any] | NonzeroImages,
    y: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    learning_rates: npt.NDArray[np.float32],
    batch_size: int,
    scale: float,
    rule: UpdateRule,
    threads: int = 1,
) -> None:
    images = X if isinstance(X, NonzeroImages) else pack_nonzero(X)
    layout = Layout.of(params)
    model = layout.packed(params, -np.inf)
    grads = layout.new()
    first, second = layout.packed(state.first), layout.packed(state.second)
    run_together(
        training_kernel(layout.panel_lanes, layout.class_lanes),
        threads,
        model,
        grads,
        first,
        second,
        new_workspace(layout, batch_size, threads),
        images,
        y,
        order,
        learning_rates,
        int(state.step[0]),
        Sizes(layout.inputs, layout.hidden, layout.classes, batch_size),
        np.float32(scale),
        rule,
    )
    layout.unpack(model, params)
    layout.unpack(first, state.first)
    layout.unpack(second, state.second)
    state.step[0] += len(learning_rates)
