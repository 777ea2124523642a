"""What happens to pixels before the network sees them."""

from nnkernels.transforms.pixels import PIXEL_SCALE, as_features, feature_scale

__all__ = ["PIXEL_SCALE", "as_features", "feature_scale"]
