"""Keras' ``fit`` on the JAX backend, where XLA compiles the training step."""

from __future__ import annotations

from functools import partial

from nnkernels.contenders._keras import JAX_EXTRA, JAX_PACKAGES, JAX_PROCESS, JaxBackend
from nnkernels.contenders._keras_fit import KerasFit
from nnkernels.contenders._protocol import Entry

# Steps per execution. 100 took the least CPU time: 10 steps took 10 % more, and all steps of an epoch 2 % more.
STEPS = 100


def contenders() -> dict[str, Entry]:
    """Return the contenders of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entries by name.
    """
    multi_step = partial(KerasFit, JaxBackend, steps_per_execution=STEPS)
    on_jax = partial(Entry, packages=JAX_PACKAGES, extra=JAX_EXTRA, process=JAX_PROCESS)
    return {
        "keras-jax-fit": on_jax(partial(KerasFit, JaxBackend), "Keras on JAX, model.fit by default"),
        "keras-jax-fit-steps": on_jax(multi_step, f"Keras on JAX, fit, {STEPS} steps per execution"),
    }
