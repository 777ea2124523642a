"""PyTorch as everybody writes it: a module, a loss, ``backward`` and an optimizer of ``torch.optim``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._protocol import Entry
from nnkernels.contenders._torch import EXTRA, PACKAGES, PROCESS, TorchContender
from nnkernels.parameters import Parameters


def contenders() -> dict[str, Entry]:
    """Return this file's contender."""
    description = "PyTorch, a module and torch.optim"
    entry = Entry(TorchEager, description, PACKAGES, EXTRA, process=PROCESS, from_profile="standard")
    return {"torch-eager": entry}


class TorchEager(TorchContender):
    """Its update rules differ from ours in two places, which the optimizer's own settings make up for.

    PyTorch multiplies the velocity by the step's learning rate, so momentum runs at the rate 1 and the loss is
    multiplied by the rate. Adam's epsilon stands inside PyTorch's bias correction, so it is divided by that of each
    step.
    """

    def take(self, params: Parameters) -> None:
        """Build the module and its optimizer."""
        torch, rule = self.torch, self.recipe.optimizer
        inputs, hidden = params.W1.shape
        nn = torch.nn
        self.model = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, len(params.b2)))
        with torch.no_grad():
            for layer, W, b in ((self.model[0], params.W1, params.b1), (self.model[2], params.W2, params.b2)):
                layer.weight.copy_(W.T)
                layer.bias.copy_(b)
        if rule.name == "adam":
            self.optimizer = torch.optim.Adam(self.model.parameters(), betas=(rule.beta_1, rule.beta_2), fused=True)
        else:
            momentum = rule.momentum if rule.name == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1.0, momentum=momentum, fused=True)

    def logits(self, X: Any) -> Any:
        """Run the module."""
        return self.model(X)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Take a step a batch."""
        torch = self.torch
        cross_entropy = torch.nn.functional.cross_entropy
        batches = torch.tensor(order).split(self.recipe.batch_size) if len(order) else ()
        for rows, rate in zip(batches, learning_rates.tolist(), strict=True):
            loss_scale = self._set_rate(rate)
            loss = cross_entropy(self.logits(self.X[rows].to(torch.float32) * self.scale), self.y[rows])
            self.optimizer.zero_grad()
            (loss if loss_scale == 1 else loss * loss_scale).backward()
            self.optimizer.step()

    def _set_rate(self, rate: float) -> float:
        """Set the rate of the next step; return what its loss is to be multiplied by."""
        self.steps_done += 1
        rule, (settings,) = self.recipe.optimizer, self.optimizer.param_groups
        if rule.name == "momentum":
            return rate
        settings["lr"] = rate
        if rule.name == "adam":
            settings["eps"] = rule.epsilon / (1 - rule.beta_2**self.steps_done) ** 0.5
        return 1.0

    def parameters(self) -> Parameters:
        """Return a copy of the module's parameters."""
        arrays = [parameter.detach().numpy() for parameter in self.model.parameters()]
        W1, b1, W2, b2 = (np.array(array.T, order="C") for array in arrays)
        return Parameters(W1, b1, W2, b2)
