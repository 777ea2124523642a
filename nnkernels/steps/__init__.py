"""From naive to fast: the same training in eight steps, one small file per step.

Every file trains the 784-20-10 network by minibatch gradient descent, from the same parameters, on the same images in
the same order. It defines ``train_inplace(params, images, y, order, learning_rates, batch_size)``, and
``pack_images(X)`` if it uses an image layout other than rows of pixels. Functions keep their names and their order
where possible, so that a diff of two files shows the idea.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module, resources
from types import ModuleType
from typing import TYPE_CHECKING

from nnkernels.errors import UnknownNameError

if TYPE_CHECKING:
    from nnkernels.contenders import Contender

__all__ = ["STEPS", "Step", "changes", "create", "load", "names", "step"]


@dataclass(frozen=True)
class Step:
    """An implementation of the training, and its difference from the implementation that it builds on.

    Attributes
    ----------
    name : str
        Name of the step and of its file.
    idea : str
        The change, in one line.
    builds_on : str
        Name of the step that is changed; empty for the first.
    threads : str
        Thread setting at which the step is timed: ``1`` or ``all``.
    gate_images : int
        Number of images of the correctness check.
    timed_images : int
        Maximum number of images in a timed segment. The time of a segment is scaled to an epoch.
    """

    name: str
    idea: str
    builds_on: str
    threads: str = "1"
    gate_images: int = 2049
    timed_images: int = 15_008

    @property
    def source(self) -> str:
        """The source code of the step."""
        return (resources.files(__name__) / f"{self.name}.py").read_text("utf-8")


STEPS = (
    # An epoch takes minutes, and so would the full gate. Here the gate trains on 4 batches and one image.
    Step("python_loops", "plain Python loops, one number at a time", "", gate_images=129, timed_images=128),
    Step("numpy_arrays", "whole arrays at a time, matrix products in BLAS", "python_loops"),
    Step("numba_loops", "the loops of python_loops, compiled by Numba", "python_loops", timed_images=3_200),
    Step("numba_blas", "compiled loops, matrix products in BLAS again", "numba_loops"),
    Step("fused_batch", "one function per batch, gradient of W1 not stored", "numba_blas"),
    Step("nonzero_lists", "the first layer visits nonzero pixels only", "fused_batch"),
    Step("vectors", "eight numbers per instruction, sums in registers", "nonzero_lists"),
    Step("threads", "every batch is divided among the threads", "vectors", threads="all"),
)


def names() -> tuple[str, ...]:
    """Return the names of the steps.

    Returns
    -------
    names : tuple of str
        From naive to fast.
    """
    return tuple(known.name for known in STEPS)


def step(name: str) -> Step:
    """Return a step.

    Parameters
    ----------
    name : str
        Name of the step.

    Returns
    -------
    step : Step
        The step.

    Raises
    ------
    UnknownNameError
        If there is no such step.
    """
    for known in STEPS:
        if known.name == name:
            return known
    raise UnknownNameError("step", name, names())


def changes(name: str, against: str = "", context: int = 1) -> list[str]:
    """Compare the source code of two steps.

    Parameters
    ----------
    name : str
        Name of the step.
    against : str
        Name of the step to compare with; if empty, the one that ``name`` builds on.
    context : int
        Number of unchanged lines around each change.

    Returns
    -------
    lines : list of str
        A unified diff, without line ends; empty for a step that builds on none.

    Raises
    ------
    UnknownNameError
        If there is no such step.
    """
    after = step(name)
    if not (against or after.builds_on):
        return []
    before = step(against or after.builds_on)
    files = f"{before.name}.py", f"{after.name}.py"
    lines = difflib.unified_diff(before.source.splitlines(), after.source.splitlines(), *files, n=context, lineterm="")
    return list(lines)


def create(name: str) -> Contender:
    """Create a contender that trains as a step does.

    Parameters
    ----------
    name : str
        Name of the step.

    Returns
    -------
    contender : Contender
        The contender, not prepared yet.

    Raises
    ------
    UnknownNameError
        If there is no such step.
    """
    from nnkernels.steps.contender import StepContender

    return StepContender(name)


def load(name: str) -> ModuleType:
    """Import the module of a step, and Numba if the step needs it.

    Parameters
    ----------
    name : str
        Name of the step.

    Returns
    -------
    module : module
        The module.

    Raises
    ------
    UnknownNameError
        If there is no such step.
    """
    return import_module(f"{__name__}.{step(name).name}")
