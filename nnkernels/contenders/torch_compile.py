"""PyTorch with ``torch.compile`` over a whole step: gathering, forward pass, gradients and update in one graph."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._protocol import Entry
from nnkernels.contenders._torch import EXTRA, PACKAGES, PROCESS, TorchContender
from nnkernels.contenders._updates import initial_moments, update_function
from nnkernels.kernels.contract import decay_factors, step_sizes, update_rule
from nnkernels.parameters import Parameters
from nnkernels.recipes import Optimizer


def contenders() -> dict[str, Entry]:
    """Return the contender of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entry by name.
    """
    description = "PyTorch, torch.compile over the step"
    entry = Entry(TorchCompile, description, PACKAGES, EXTRA, process=PROCESS, from_profile="standard")
    return {"torch-compile": entry}


class TorchCompile(TorchContender):
    """A contender with one compiled graph per step.

    The gradients come from ``torch.func.grad``, and the update is part of the graph. A graph of several steps would
    need fewer calls, but takes minutes to compile. The graph is compiled for full batches. A short last batch runs
    uncompiled, because it would need another compilation.
    """

    params: Any  # Parameters of tensors

    def start_from(self, params: Parameters) -> None:
        """Start a training run from initial parameters.

        Parameters
        ----------
        params : Parameters
            Tensors.
        """
        rule = self.recipe.optimizer
        self.params = params
        self.moments = initial_moments(rule, params, self.torch.zeros_like)
        self.rule = update_rule(rule)

    def set_parameters(self, params: Parameters) -> None:
        """Replace the parameters, outside any computation of gradients.

        Parameters
        ----------
        params : Parameters
            Tensors.
        """
        self.params = params

    def logits(self, X: Any) -> Any:
        """Return the logits of features, uncompiled, because each number of images would need another compilation.

        Parameters
        ----------
        X : torch.Tensor of float32, shape (N, D)
            Features.

        Returns
        -------
        logits : torch.Tensor of float32, shape (N, C)
            The outputs before softmax.
        """
        return _logits(self.torch, self.params, X)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Take one gradient step per batch.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.
        """
        torch, batch_size = self.torch, self.recipe.batch_size
        rates = torch.tensor(step_sizes(self.rule, learning_rates, self.steps_done)).unbind()
        decays = torch.tensor(decay_factors(self.rule, learning_rates)).unbind()
        batches = torch.tensor(order).split(batch_size) if len(order) else ()
        rule, smoothing = self.recipe.optimizer, self.recipe.label_smoothing
        compiled, uncompiled = _step(rule, smoothing, True), _step(rule, smoothing, False)
        for rows, rate, decay in zip(batches, rates, decays, strict=True):
            step = compiled if len(rows) == batch_size else uncompiled
            self.params, self.moments = step(self.params, self.moments, self.X, self.y, self.scale, rows, rate, decay)
        self.steps_done += len(rates)

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The current parameters, float32.
        """
        return Parameters(*(np.array(array, order="C") for array in self.params))


def _logits(torch: Any, params: Parameters, X: Any) -> Any:
    return torch.relu(X @ params.W1 + params.b1) @ params.W2 + params.b2


@cache
def _step(optimizer: Optimizer, label_smoothing: float, compiled: bool) -> Any:
    """Return ``step(params, moments, images, labels, scale, rows, rate, decay) -> (params, moments)``."""
    import torch

    def tree_map(function: Any, *arrays: Any) -> Parameters:
        return Parameters(*map(function, *arrays))

    update = update_function(optimizer, tree_map, torch.sqrt)

    def loss(params: Parameters, X: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(_logits(torch, params, X), y, label_smoothing=label_smoothing)

    def step(
        params: Parameters, moments: Any, images: Any, labels: Any, scale: float, rows: Any, rate: Any, decay: Any
    ) -> Any:
        features = images[rows].to(torch.float32) * scale
        grads = torch.func.grad(loss)(params, features, labels[rows])
        return update(params, moments, grads, rate, decay)

    return torch.compile(step, dynamic=False) if compiled else step
