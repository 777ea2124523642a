"""The base class of the contenders on PyTorch."""

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
PROCESS = "torch"  # PyTorch has its own OpenMP library and thread pools


class TorchContender:
    """A contender whose images and parameters are tensors. Subclasses define the training step."""

    whole_epochs_only = False
    threads_can_change = False  # compiled functions keep the number of threads

    def __init__(self) -> None:
        import torch

        self.torch: Any = torch

    def use_threads(self, threads: int) -> None:
        """Set the number of threads of PyTorch's operators.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If PyTorch reports another number afterwards.
        """
        self.torch.set_num_threads(threads)
        if (found := self.torch.get_num_threads()) != threads:
            raise ConfigurationError(f"PyTorch runs on {found} threads, not {threads}")

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy images and parameters to tensors. The images keep their dtype and are scaled batch by batch.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters.
        data : LabelledImages
            The training images.
        recipe : Recipe
            Optimizer and batch size.

        Raises
        ------
        DataError
            If a label is not a class of the network.
        """
        torch = self.torch
        check_labels(data, len(parameters.b2))
        self.recipe = recipe
        self.steps_done = 0
        self.replace_images(data.X)
        self.y = torch.tensor(data.y.astype(np.int64))
        self.scale = feature_scale(data.X)
        self.start_from(Parameters(*(torch.tensor(array) for array in native(parameters))))

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on; they are copied to a tensor of their own dtype.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as before, of the same shape and dtype. Labels, parameters and the state of the
            optimizer stay as they are.
        """
        self.X = self.torch.tensor(X)

    def replace_parameters(self, parameters: Parameters) -> None:
        """Go on with other parameters. Images, labels and the state of the optimizer stay as they are.

        Parameters
        ----------
        parameters : Parameters
            Parameters of the same shapes; copied.
        """
        with self.torch.no_grad():
            self.set_parameters(Parameters(*(self.torch.tensor(array) for array in native(parameters))))

    def start_from(self, params: Parameters) -> None:
        """Start a training run from initial parameters.

        Parameters
        ----------
        params : Parameters
            Tensors that the contender may keep and modify.
        """
        raise NotImplementedError

    def set_parameters(self, params: Parameters) -> None:
        """Replace the parameters, outside any computation of gradients.

        Parameters
        ----------
        params : Parameters
            Tensors that the contender may keep and modify.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the forward pass and softmax, without gradients.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        torch = self.torch
        with torch.inference_mode():
            images = as_images(X)
            features = torch.tensor(images).to(torch.float32) * feature_scale(images)
            probs: FloatArray = torch.softmax(self.logits(features), dim=1).numpy()
        return probs

    def close(self) -> None:
        """Release data and parameters."""
        torch = self.torch
        self.__dict__.clear()
        self.torch = torch
