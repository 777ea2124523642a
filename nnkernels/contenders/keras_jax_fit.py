"""Keras' ``fit`` on the JAX backend, which compiles the step by XLA."""

from __future__ import annotations

from functools import partial

from nnkernels.contenders._keras import JAX_EXTRA, JAX_PACKAGES, JAX_PROCESS, OnJax
from nnkernels.contenders._keras_fit import KerasFit
from nnkernels.contenders._protocol import Entry

STEPS = 100


def contenders() -> dict[str, Entry]:
    """Return this file's contenders."""
    several = partial(KerasFit, OnJax, steps_per_execution=STEPS)
    of_all = {"packages": JAX_PACKAGES, "extra": JAX_EXTRA, "process": JAX_PROCESS}
    return {
        "keras-jax-fit": Entry(partial(KerasFit, OnJax), "Keras on JAX, model.fit by default", **of_all),
        "keras-jax-fit-steps": Entry(several, f"Keras on JAX, fit, {STEPS} steps an execution", **of_all),
    }
