"""The steps from the input of an ONNX model to one of its tensors."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

from nnkernels.interchange.architecture import Step
from nnkernels.interchange.onnx_constants import Shape


class Chain(NamedTuple):
    """The steps from the input of the model to a tensor.

    Attributes
    ----------
    steps : tuple of Step
        The steps.
    shape : tuple of int or None
        The shape of the tensor, samples first. None stands for an unknown size.
    element_type : int
        The element type of the model's input, as a value of ``onnx.TensorProto.DataType``.
    """

    steps: tuple[Step, ...]
    shape: Shape
    element_type: int

    @property
    def width(self) -> int | None:
        """The number of features per sample, None if it is unknown."""
        sizes = [size for size in self.shape[1:] if size is not None]
        return math.prod(sizes) if len(sizes) == len(self.shape) - 1 and sizes else None

    def then(self, *steps: Step, shape: Shape | None = None) -> Self:
        """Return the chain with further steps.

        Parameters
        ----------
        *steps : Step
            The steps to append.
        shape : tuple, optional
            The new shape (default: unchanged).

        Returns
        -------
        chain : Chain
            The longer chain.
        """
        return self._replace(steps=(*self.steps, *steps), shape=self.shape if shape is None else shape)

    def until(self, kind: str) -> Self:
        """Return the chain before its first step of a kind.

        Parameters
        ----------
        kind : str
            The kind of the step.

        Returns
        -------
        chain : Chain
            The shorter chain, or the same one if it has no such step.
        """
        kinds = [step.kind for step in self.steps]
        return self._replace(steps=self.steps[: kinds.index(kind)]) if kind in kinds else self

    def unreadable(self, what: str, remedy: str = "") -> Self:
        """Return the chain with a step that no network of ours has.

        Parameters
        ----------
        what : str
            The name of the step, for the message.
        remedy : str, default: ""
            What would make the model readable.

        Returns
        -------
        chain : Chain
            The longer chain.
        """
        return self.then(Step(what, remedy=remedy or "export the model without it"))
