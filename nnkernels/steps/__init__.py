"""From naive to fast: the same training in eight steps, a small file each.

Every file trains the network 784-20-10 by gradient descent in batches, from the same parameters, on the same images in
the same order. It offers ``train_inplace(params, images, y, order, learning_rates, batch_size)``, and
``pack_images(X)`` if it reads images in another form than rows of pixels. Functions have the same names in the same
order wherever that is possible, so that a diff of two files shows the idea.
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
    """A way to train the network, and what is changed in it to be faster than another one.

    Attributes
    ----------
    name : str
        Also the name of its file.
    idea : str
        What is changed, in one line.
    builds_on : str
        The step whose lines are changed; empty for the first.
    threads : str
        Thread setting at which it is timed: ``1`` or ``all``.
    gate_images : int
        Images of the correctness check.
    timed_images : int
        Images of one timed segment, at most; the time of an epoch is that of a segment times epoch over segment.
    """

    name: str
    idea: str
    builds_on: str
    threads: str = "1"
    gate_images: int = 2049
    timed_images: int = 15_008

    @property
    def source(self) -> str:
        """The text of its file."""
        return (resources.files(__name__) / f"{self.name}.py").read_text("utf-8")


STEPS = (
    # A whole epoch would take minutes, and so would the whole gate: this one has 4 batches and an image.
    Step("python_loops", "loops in plain Python, a number at a time", "", gate_images=129, timed_images=128),
    Step("numpy_arrays", "whole arrays at a time, matrix products by BLAS", "python_loops"),
    Step("numba_loops", "the loops of python_loops, compiled by Numba", "python_loops", timed_images=3_200),
    Step("numba_blas", "compiled, and matrix products by BLAS again", "numba_loops"),
    Step("fused_batch", "a batch in one function, no gradient of W1 stored", "numba_blas"),
    Step("nonzero_lists", "the first layer visits nonzero pixels only", "fused_batch"),
    Step("vectors", "eight numbers an instruction, sums in registers", "nonzero_lists"),
    Step("threads", "each thread takes a part of every batch", "vectors", threads="all"),
)


def names() -> tuple[str, ...]:
    """Return the names of all steps, from naive to fast."""
    return tuple(known.name for known in STEPS)


def step(name: str) -> Step:
    """Return a step by name; raises UnknownNameError if there is none."""
    for known in STEPS:
        if known.name == name:
            return known
    raise UnknownNameError("step", name, names())


def changes(name: str, against: str = "", context: int = 1) -> list[str]:
    """Return the lines that differ between the files of two steps, as a unified diff.

    Parameters
    ----------
    name : str
    against : str
        The step to compare with; the one that ``name`` builds on if empty.
    context : int
        Unchanged lines around each change.

    Returns
    -------
    list of str
        Without line ends; empty for a step without a predecessor.

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
    """Return a step in the place of a contender, not yet prepared; raises UnknownNameError if there is none."""
    from nnkernels.steps.contender import StepContender

    return StepContender(name)


def load(name: str) -> ModuleType:
    """Return the module of a step, which imports Numba if the step needs it."""
    return import_module(f"{__name__}.{step(name).name}")
