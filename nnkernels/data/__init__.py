"""Readers of image data sets, and the sources of MNIST."""

from nnkernels.data.dataset import Dataset, LabelledImages
from nnkernels.data.sources import load_mnist

__all__ = ["Dataset", "LabelledImages", "load_mnist"]
