"""Declarative record of random distortions of training images."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nnkernels.errors import ConfigurationError

# Upper limits. Beyond them, little of a digit would remain, and coordinates might exceed 32-bit integers.
LIMITS = {
    "rotation_radians": math.pi,
    "scale": 0.5,
    "shear": 1.0,
    "shift_pixels": 1024.0,
    "elastic_alpha": 1024.0,
    "elastic_sigma": 64.0,
}


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random distortions of training images, which :func:`nnkernels.transforms.augment` applies.

    Every image of every epoch gets its own affine map, and its own displacement field if ``elastic_alpha`` is not 0.
    The default values leave images unchanged.

    Attributes
    ----------
    rotation_radians : float
        Rotations are uniform in [-rotation_radians, rotation_radians].
    scale : float
        Height and width are multiplied by two independent factors, uniform in [1 - scale, 1 + scale]. At most 0.5.
    shear : float
        Each row is moved right by its distance below the centre times a factor, uniform in [-shear, shear]. At most 1.
    shift_pixels : float
        Shifts in x and y are independent and uniform in [-shift_pixels, shift_pixels].
    elastic_alpha : float
        Factor of the displacements, in pixels; 0 for no elastic distortion. See the reference.
    elastic_sigma : float
        Standard deviation, in pixels, of the Gaussian filter that smooths the displacements.

    Raises
    ------
    ConfigurationError
        If a value is not a number in its range.

    References
    ----------
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", ICDAR 2003, section 2.
    """

    rotation_radians: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift_pixels: float = 0.0
    elastic_alpha: float = 0.0
    elastic_sigma: float = 4.0

    def __post_init__(self) -> None:
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ConfigurationError(f"augmentation: {name} is {value!r}; expected a number")
            lowest = 0.5 if name == "elastic_sigma" else 0.0
            if not lowest <= value <= limit:
                raise ConfigurationError(f"augmentation: {name} is {value}; expected {lowest:g} to {limit:g}")
            object.__setattr__(self, name, float(value))  # so that equal records are stored alike

    @property
    def is_identity(self) -> bool:
        """Whether all images stay unchanged."""
        return not any((self.rotation_radians, self.scale, self.shear, self.shift_pixels, self.elastic_alpha))
