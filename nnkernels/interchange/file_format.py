"""What a module of :mod:`nnkernels.interchange.formats` declares: a file format, its readers and its writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nnkernels.interchange.architecture import Step
from nnkernels.interchange.preprocessing import Preprocessing
from nnkernels.parameters import Parameters


class Source(NamedTuple):
    """A file to read.

    Attributes
    ----------
    content : bytes
        The content of the file.
    where : str
        The name of the file, with which each error message begins.
    folder : Path
        The folder of the file.
    """

    content: bytes
    where: str
    folder: Path


class Decoded(NamedTuple):
    """The content of a file of weights.

    Attributes
    ----------
    steps : sequence of Step
        The steps of the model in order.
    features : int or None
        The number of features per sample that the model takes, if the file states it.
    preprocessing : Preprocessing or None
        The preprocessing that the file records beside the model.
    states_activation : bool
        Whether the file states the activation of the hidden layer. If not, ReLU is among the steps by assumption.
    """

    steps: Sequence[Step]
    features: int | None = None
    preprocessing: Preprocessing | None = None
    states_activation: bool = True


class Reading(NamedTuple):
    """A row of the table of what can be read.

    Attributes
    ----------
    content : str
        What the file contains, and which program writes it.
    recognised_by : str
        What it is recognised by.
    """

    content: str
    recognised_by: str


class FileFormat(NamedTuple):
    """A file format.

    Attributes
    ----------
    name : str
        The name of the format, for error messages.
    suffixes : tuple of str
        The suffixes of its files, in lower case.
    requires : str
        The extra of nnkernels that the format needs, or an empty string.
    readings : tuple of Reading
        What can be read, for the documentation.
    decode : callable
        ``decode(source) -> Decoded``.
    encode : callable or None
        ``encode(params, preprocessing) -> bytes``: the content of a file, or None if the format is only read.
    writes : str
        What is written, for the documentation.
    """

    name: str
    suffixes: tuple[str, ...]
    requires: str
    readings: tuple[Reading, ...]
    decode: Callable[[Source], Decoded]
    encode: Callable[[Parameters, Preprocessing], bytes] | None = None
    writes: str = ""
