"""Keras on TensorFlow, its default backend, with ``compile``, ``fit`` and ``predict``."""

from __future__ import annotations

from functools import partial

from nnkernels.contenders._keras import EXTRA, PACKAGES
from nnkernels.contenders._keras_fit import KerasFit
from nnkernels.contenders._protocol import Entry

# Of 10, 100 and all steps of an epoch, 10 took a fifth more CPU time. 100 and all steps took about the same.
STEPS = 100


def contenders() -> dict[str, Entry]:
    """Return the contenders of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entries by name.
    """
    multi_step = partial(KerasFit, steps_per_execution=STEPS)
    xla = Entry(
        partial(KerasFit, jit_compile=True),
        "Keras on TensorFlow, fit, jit_compile=True",
        PACKAGES,
        EXTRA,
        from_profile="full",  # not faster than the default
    )
    return {
        "keras-fit": Entry(KerasFit, "Keras on TensorFlow, model.fit by default", PACKAGES, EXTRA),
        "keras-fit-steps": Entry(
            multi_step,
            f"Keras on TensorFlow, fit, {STEPS} steps per execution",
            PACKAGES,
            EXTRA,
            from_profile="standard",  # takes several times as long as an epoch in one tf.function
        ),
        "keras-fit-xla": xla,
    }
