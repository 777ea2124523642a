"""Parameters as a safetensors file: four named arrays and a header, without executable code."""

from __future__ import annotations

import json

import safetensors.numpy

from nnkernels.errors import DataError
from nnkernels.parameters import FloatArray, Parameters

# Format and version share one entry, so that equal parameters give equal files: with several entries, safetensors
# writes them in an order that varies between processes.
_FORMAT = "nnkernels-parameters"
FORMAT = f"{_FORMAT} 1"


def to_safetensors(params: Parameters) -> bytes:
    """Return the content of a safetensors file with the arrays ``W1``, ``b1``, ``W2`` and ``b2``.

    The header's metadata contain ``format: nnkernels-parameters 1``, where 1 is the version.

    Parameters
    ----------
    params : Parameters
        C-contiguous.

    Returns
    -------
    content : bytes
        The content of the file, the same for the same parameters.
    """
    return safetensors.numpy.save(params._asdict(), metadata={"format": FORMAT})


def from_safetensors(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of a safetensors file by name, without checking them. Any program may have written the file.

    Parameters
    ----------
    content : bytes
        The content of the file.
    where : str
        The name of the file, with which each error message begins.

    Returns
    -------
    arrays : dict of str to ndarray
        All arrays of the file.

    Raises
    ------
    DataError
        If the file has a later version of nnkernels' format.
    Exception
        Any exception of safetensors on a damaged file.
    """
    arrays = safetensors.numpy.load(content)
    found = _format(content)
    if found.startswith(_FORMAT) and found != FORMAT:
        raise DataError(
            f"{where}: has the format {found}, but this version of nnkernels reads {FORMAT}; install a newer version"
        )
    return arrays


def _format(content: bytes) -> str:
    # safetensors can read metadata from a file, but not from bytes. The header is its length, followed by JSON.
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    return str(metadata.get("format", ""))
