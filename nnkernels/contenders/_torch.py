"""What the contenders on PyTorch share: threads, and the way in and out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._labels import check_labels
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.parameters import FloatArray, Parameters, native
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_images, feature_scale

PACKAGES = ("torch",)
EXTRA = "torch"
PROCESS = "torch"  # it brings an OpenMP and thread pools of its own


class TorchContender:
    """A contender whose images and parameters are tensors; its kind says how a step is taken."""

    whole_epochs_only = False
    threads_can_change = False  # what was compiled keeps the number that it was compiled for

    def __init__(self) -> None:
        import torch

        self.torch: Any = torch

    def use_threads(self, threads: int) -> None:
        """Set the threads that PyTorch's operations share their work among."""
        self.torch.set_num_threads(threads)
        if (found := self.torch.get_num_threads()) != threads:
            raise ConfigurationError(f"PyTorch runs on {found} threads, not {threads}")

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy images and parameters into tensors; the images stay in their dtype and are scaled batch by batch."""
        torch = self.torch
        check_labels(data, len(parameters.b2))
        self.recipe = recipe
        self.steps_done = 0
        self.X = torch.tensor(data.X)
        self.y = torch.tensor(data.y.astype(np.int64))
        self.scale = feature_scale(data.X)
        self.take(Parameters(*(torch.tensor(array) for array in native(parameters))))

    def take(self, params: Parameters) -> None:
        """Begin a training from these parameters, tensors of its own."""
        raise NotImplementedError

    def logits(self, X: Any) -> Any:
        """Return the logits (N, C) of features (N, D)."""
        raise NotImplementedError

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the forward pass and softmax without gradients."""
        torch = self.torch
        with torch.inference_mode():
            images = as_images(X)
            features = torch.tensor(images).to(torch.float32) * feature_scale(images)
            probs: FloatArray = torch.softmax(self.logits(features), dim=1).numpy()
        return probs

    def close(self) -> None:
        """Drop the data and the parameters."""
        torch = self.torch
        self.__dict__.clear()
        self.torch = torch
