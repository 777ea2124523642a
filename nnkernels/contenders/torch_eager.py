"""PyTorch in its usual form: a module, a loss, ``backward`` and an optimizer of ``torch.optim``."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._protocol import Entry
from nnkernels.contenders._torch import EXTRA, PACKAGES, PROCESS, TorchContender
from nnkernels.parameters import Parameters


def contenders() -> dict[str, Entry]:
    """Return the contender of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entry by name.
    """
    description = "PyTorch, a module and torch.optim"
    entry = Entry(TorchEager, description, PACKAGES, EXTRA, process=PROCESS, from_profile="standard")
    return {"torch-eager": entry}


class TorchEager(TorchContender):
    """A contender with a module and an optimizer of ``torch.optim``.

    PyTorch's update rules differ from those of nnkernels in three ways, which are compensated. PyTorch multiplies the
    whole velocity by the learning rate of the step, so momentum uses the learning rate 1, and the loss is multiplied by
    the rate. PyTorch's Adam adds epsilon after the bias correction, so epsilon is divided by the correction ``sqrt(1 -
    beta_2**t)`` of each step t. PyTorch's SGD adds the weight decay to the gradient, so the parameters are multiplied
    before the step.
    """

    def start_from(self, params: Parameters) -> None:
        """Build the module and its optimizer.

        Parameters
        ----------
        params : Parameters
            The initial parameters, as tensors.
        """
        torch, rule = self.torch, self.recipe.optimizer
        inputs, hidden = params.W1.shape
        nn = torch.nn
        self.model = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, len(params.b2)))
        with torch.no_grad():
            self.set_parameters(params)
        if rule.name == "adam":
            self.optimizer = torch.optim.Adam(self.model.parameters(), betas=(rule.beta_1, rule.beta_2), fused=True)
        else:
            momentum = rule.momentum if rule.name == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1.0, momentum=momentum, fused=True)

    def set_parameters(self, params: Parameters) -> None:
        """Replace the parameters, outside any computation of gradients.

        Parameters
        ----------
        params : Parameters
            Tensors, which are copied.
        """
        for layer, W, b in ((self.model[0], params.W1, params.b1), (self.model[2], params.W2, params.b2)):
            layer.weight.copy_(W.T)
            layer.bias.copy_(b)

    def logits(self, X: Any) -> Any:
        """Return the logits of features.

        Parameters
        ----------
        X : torch.Tensor of float32, shape (N, D)
            Features.

        Returns
        -------
        logits : torch.Tensor of float32, shape (N, C)
            The outputs before softmax.
        """
        return self.model(X)

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Take one gradient step per batch.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.
        """
        torch = self.torch
        cross_entropy = torch.nn.functional.cross_entropy
        batches = torch.tensor(order).split(self.recipe.batch_size) if len(order) else ()
        for rows, rate in zip(batches, learning_rates.tolist(), strict=True):
            loss_scale = self._set_rate(rate)
            logits = self.logits(self.X[rows].to(torch.float32) * self.scale)
            loss = cross_entropy(logits, self.y[rows], label_smoothing=self.recipe.label_smoothing)
            self.optimizer.zero_grad()
            (loss if loss_scale == 1 else loss * loss_scale).backward()
            if decay := self.recipe.optimizer.weight_decay:
                with torch.no_grad():
                    for parameter in self.model.parameters():
                        parameter.mul_(1 - rate * decay)
            self.optimizer.step()

    def _set_rate(self, rate: float) -> float:
        """Set the learning rate of the next step, and return the factor of its loss."""
        self.steps_done += 1
        rule, (settings,) = self.recipe.optimizer, self.optimizer.param_groups
        if rule.name == "momentum":
            return rate
        settings["lr"] = rate
        if rule.name == "adam":
            settings["eps"] = rule.epsilon / (1 - rule.beta_2**self.steps_done) ** 0.5
        return 1.0

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The parameters of the module, float32.
        """
        arrays = [parameter.detach().numpy() for parameter in self.model.parameters()]
        W1, b1, W2, b2 = (np.array(array.T, order="C") for array in arrays)
        return Parameters(W1, b1, W2, b2)
