"""The recipes of the accuracy benchmark. They are frozen.

Their values were chosen by the last 10,000 training images alone, from the trainings in ``results/search/``: mostly
three seeds for each candidate, and five fresh ones for the finalists of ``plain-best`` and ``best``. Test images chose
no value, but a look at them made the search go on; the README there lists each look.
"""

from __future__ import annotations

from nnkernels.augmentation import Augmentation
from nnkernels.recipes.optimizer import Optimizer
from nnkernels.recipes.recipe import Recipe

# A constant learning rate and the mean of many epochs were better than a decreasing rate in each of the three.
ACCURATE = (
    # A high rate with strong weight decay: the 784 x 20 weights see the same images in each epoch.
    Recipe(
        "plain-best",
        Optimizer("adam", weight_decay=0.05),
        batch_size=32,
        epochs=60,
        learning_rate=0.004,
        averaged_epochs=45,
    ),
    Recipe(
        "augmented-best",
        Optimizer("adam"),
        batch_size=64,
        epochs=450,
        learning_rate=0.002,
        augmentation=Augmentation(rotation_radians=0.1, scale=0.1, shear=0.1, shift_pixels=0.6),
        averaged_epochs=300,
    ),
    Recipe(
        "best",
        Optimizer("adam"),
        batch_size=64,
        epochs=250,
        learning_rate=0.001,
        deskew=True,
        normalize_size=True,
        augmentation=Augmentation(rotation_radians=0.1, scale=0.05, shear=0.1, shift_pixels=0.8),
        averaged_epochs=125,
    ),
)
