"""Readers of image files, and the places that MNIST comes from."""

from nnkernels.data.dataset import Dataset, LabelledImages
from nnkernels.data.sources import load_mnist

__all__ = ["Dataset", "LabelledImages", "load_mnist"]
