"""Keras as everybody writes it, on TensorFlow, which is its default: ``compile``, ``fit`` and ``predict``."""

from __future__ import annotations

from functools import partial

from nnkernels.contenders._keras import EXTRA, PACKAGES
from nnkernels.contenders._keras_fit import KerasFit
from nnkernels.contenders._protocol import Entry

# Of 10, 100 and all steps of an epoch, 10 took a fifth more CPU time; 100 and all were within what repeats differ by.
STEPS = 100


def contenders() -> dict[str, Entry]:
    """Return this file's contenders."""
    several = partial(KerasFit, steps_per_execution=STEPS)
    by_xla = Entry(
        partial(KerasFit, jit_compile=True),
        "Keras on TensorFlow, fit, jit_compile=True",
        PACKAGES,
        EXTRA,
        from_profile="full",  # no faster than by default
    )
    return {
        "keras-fit": Entry(KerasFit, "Keras on TensorFlow, model.fit by default", PACKAGES, EXTRA),
        "keras-fit-steps": Entry(
            several,
            f"Keras on TensorFlow, fit, {STEPS} steps an execution",
            PACKAGES,
            EXTRA,
            from_profile="standard",  # a multiple of the time of tf.function over the epoch
        ),
        "keras-fit-xla": by_xla,
    }
