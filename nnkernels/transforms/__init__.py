"""Preprocessing of pixels: scaling to features, and conversion of photos of digits to MNIST's form."""

from nnkernels.data.pixels import PIXEL_SCALE, as_features, as_images, feature_scale
from nnkernels.transforms.photo import Digit, digit_from_pixels, read_digit

__all__ = ["PIXEL_SCALE", "Digit", "as_features", "as_images", "digit_from_pixels", "feature_scale", "read_digit"]
