"""PyTorch with ``torch.compile`` over a whole step: fetching, forward pass, gradients and update in one graph."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._protocol import Entry
from nnkernels.contenders._torch import EXTRA, PACKAGES, PROCESS, TorchContender
from nnkernels.contenders._updates import fresh_memory, update_function
from nnkernels.kernels.contract import step_sizes, update_rule
from nnkernels.parameters import Parameters
from nnkernels.recipes import Optimizer


def contenders() -> dict[str, Entry]:
    """Return this file's contender."""
    description = "PyTorch, torch.compile over the step"
    entry = Entry(TorchCompile, description, PACKAGES, EXTRA, process=PROCESS, from_profile="standard")
    return {"torch-compile": entry}


class TorchCompile(TorchContender):
    """Gradients are ``torch.func.grad``'s, and updates formulas in the same graph: one call of it a step.

    A graph of several steps would be called less often, and takes minutes to compile. It is compiled for full
    batches; a shorter last one takes the same step uncompiled, for it would be compiled for that one alone.
    """

    params: Any  # Parameters of tensors

    def take(self, params: Parameters) -> None:
        """Keep the parameters, and take the compiled step of their optimizer."""
        rule = self.recipe.optimizer
        self.params = params
        self.memory = fresh_memory(rule, params, self.torch.zeros_like)
        self.rule = update_rule(rule)

    def logits(self, X: Any) -> Any:
        """Return the logits, uncompiled: it would compile anew for each number of images."""
        return _logits(self.torch, self.params, X)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Take a step a batch."""
        torch, batch_size = self.torch, self.recipe.batch_size
        rates = torch.tensor(step_sizes(self.rule, learning_rates, self.steps_done)).unbind()
        batches = torch.tensor(order).split(batch_size) if len(order) else ()
        compiled, plain = _step(self.recipe.optimizer, True), _step(self.recipe.optimizer, False)
        for rows, rate in zip(batches, rates, strict=True):
            step = compiled if len(rows) == batch_size else plain
            self.params, self.memory = step(self.params, self.memory, self.X, self.y, self.scale, rows, rate)
        self.steps_done += len(rates)

    def parameters(self) -> Parameters:
        """Return a copy of the parameters."""
        return Parameters(*(np.array(array, order="C") for array in self.params))


def _logits(torch: Any, params: Parameters, X: Any) -> Any:
    return torch.relu(X @ params.W1 + params.b1) @ params.W2 + params.b2


@cache
def _step(optimizer: Optimizer, compiled: bool) -> Any:
    """Return ``step(params, memory, images, labels, scale, rows, rate) -> params, memory``."""
    import torch

    def each(function: Any, *arrays: Any) -> Parameters:
        return Parameters(*map(function, *arrays))

    update = update_function(optimizer, each, torch.sqrt)

    def loss(params: Parameters, X: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(_logits(torch, params, X), y)

    def step(params: Parameters, memory: Any, images: Any, labels: Any, scale: float, rows: Any, rate: Any) -> Any:
        features = images[rows].to(torch.float32) * scale
        grads = torch.func.grad(loss)(params, features, labels[rows])
        return update(params, memory, grads, rate)

    return torch.compile(step, dynamic=False) if compiled else step
