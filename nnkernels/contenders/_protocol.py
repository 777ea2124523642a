"""What a contender is: anything that can train from given parameters, on given data, in a given order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnkernels.data import LabelledImages
from nnkernels.parameters import FloatArray, Parameters
from nnkernels.recipes import Recipe


class Contender(Protocol):
    """One way to train and run the network.

    Attributes
    ----------
    whole_epochs_only : bool
        Whether a short stretch would be charged an overhead that belongs to a whole epoch (Keras' ``fit``
        starts anew at each call); it is then timed in whole epochs only.
    threads_can_change : bool
        Whether :meth:`use_threads` may be called again with another number after the first work.
    """

    whole_epochs_only: bool
    threads_can_change: bool

    def use_threads(self, threads: int) -> None:
        """Limit the arithmetic to that many threads, and make sure of it.

        The libraries that it computes with are limited in the whole process, until another call;
        :func:`nnkernels.contenders.thread_limit` gives them the numbers of before back.

        Raises
        ------
        ConfigurationError
            If the number cannot be set any more, or reads back as another.
        """
        ...

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Take the start: copy the parameters, bring the data into the contender's own form, reset the optimizer."""
        ...

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on the images ``order`` (M,), in batches of the recipe; the last may be shorter.

        ``learning_rates`` has shape (ceil(M / batch_size),). The call returns when the work is done.

        Raises
        ------
        InferenceOnlyError
            If this contender cannot train; its :class:`Entry` says so beforehand.
        """
        ...

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Return the probabilities (N, C) of images (N, D), integer pixels or float features.

        In any byte order, memory order and strides; :func:`nnkernels.transforms.as_images` says which is which.
        """
        ...

    def parameters(self) -> Parameters:
        """Return the parameters as they are now, float32."""
        ...

    def close(self) -> None:
        """Free what was taken."""
        ...


@dataclass(frozen=True)
class Entry:
    """What is known of a contender before anything of it is imported.

    Attributes
    ----------
    create : callable
        Makes the contender; imports its framework.
    description : str
        One line for lists and tables.
    packages : tuple of str
        Import names of the packages that it needs.
    extra : str
        The extra of nnkernels that installs them.
    trains : bool
        Whether it can train; else it only predicts, from the parameters that it was prepared with.
    process : str
        Which contenders share a process with it: those of the same name. Empty: all that need no other.
    from_profile : str
        The first profile of ``nnkernels bench`` in which it takes part without being named: ``quick``,
        ``headline``, ``standard`` or ``full``.
    note : str
        What belongs beside its numbers: a setting that costs or spares it time.
    """

    create: Callable[[], Contender]
    description: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    trains: bool = True
    process: str = ""
    from_profile: str = "quick"
    note: str = ""
