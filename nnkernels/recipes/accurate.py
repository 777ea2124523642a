"""The recipes of the accuracy benchmark, whose values are chosen on the validation images alone."""

from __future__ import annotations

from nnkernels.augmentation import Augmentation
from nnkernels.recipes.optimizer import Optimizer
from nnkernels.recipes.recipe import Recipe

_AUGMENTATION = Augmentation(rotation_radians=0.1, scale=0.1, shear=0.1, shift_pixels=0.6)
_ADAM = Recipe("adam", Optimizer("adam"), batch_size=64, schedule="cosine")

ACCURATE = (
    _ADAM.with_changes(name="plain-best", epochs=20, learning_rate=0.002),
    _ADAM.with_changes(name="augmented-best", epochs=120, learning_rate=0.004, augmentation=_AUGMENTATION),
    _ADAM.with_changes(name="best", epochs=120, learning_rate=0.004, augmentation=_AUGMENTATION, deskew=True),
)
