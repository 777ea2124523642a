"""Preprocessing of pixels: scaling, deskewing, random distortion, and conversion of photos to MNIST's form."""

from nnkernels.augmentation import Augmentation
from nnkernels.data.pixels import PIXEL_SCALE, as_features, as_images, feature_scale
from nnkernels.transforms.augment import augment
from nnkernels.transforms.deskew import deskew
from nnkernels.transforms.photo import Digit, digit_from_pixels, read_digit
from nnkernels.transforms.scaled_pixels import recover_pixels

__all__ = [
    "PIXEL_SCALE",
    "Augmentation",
    "Digit",
    "as_features",
    "as_images",
    "augment",
    "deskew",
    "digit_from_pixels",
    "feature_scale",
    "read_digit",
    "recover_pixels",
]
