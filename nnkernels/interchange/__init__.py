"""Parameters to and from other systems' forms, one form a file."""

from nnkernels.interchange.keras_models import from_keras, keras_optimizer, to_keras

__all__ = ["from_keras", "keras_optimizer", "to_keras"]
