"""What happens to pixels before the network sees them."""

from nnkernels.transforms.photo import Digit, digit_from_pixels, read_digit
from nnkernels.transforms.pixels import PIXEL_SCALE, as_features, feature_scale

__all__ = ["PIXEL_SCALE", "Digit", "as_features", "digit_from_pixels", "feature_scale", "read_digit"]
