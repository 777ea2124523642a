"""Keras' ``fit`` on the JAX backend, which compiles the step by XLA."""

from __future__ import annotations

from functools import partial

from nnkernels.contenders._keras import JAX_EXTRA, JAX_PACKAGES, JAX_PROCESS, OnJax
from nnkernels.contenders._keras_fit import KerasFit
from nnkernels.contenders._protocol import Entry

# Of 10, 100 and all steps of an epoch, 100 took the least CPU time: 10 a tenth more, all of them 2 % more.
STEPS = 100


def contenders() -> dict[str, Entry]:
    """Return this file's contenders."""
    several = partial(KerasFit, OnJax, steps_per_execution=STEPS)
    on_jax = partial(Entry, packages=JAX_PACKAGES, extra=JAX_EXTRA, process=JAX_PROCESS)
    return {
        "keras-jax-fit": on_jax(partial(KerasFit, OnJax), "Keras on JAX, model.fit by default"),
        "keras-jax-fit-steps": on_jax(several, f"Keras on JAX, fit, {STEPS} steps an execution"),
    }
