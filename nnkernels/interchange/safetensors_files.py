"""Parameters as a safetensors file: four named arrays and a header, nothing that could run."""

from __future__ import annotations

import json

import safetensors.numpy

from nnkernels.errors import DataError
from nnkernels.parameters import FloatArray, Parameters

# Format and version in one entry: safetensors writes several in an order that differs from process to process, and
# equal parameters are to give equal files.
_FORMAT = "nnkernels-parameters"
FORMAT = f"{_FORMAT} 1"


def to_safetensors(params: Parameters) -> bytes:
    """Return the content of a safetensors file of the arrays ``W1``, ``b1``, ``W2`` and ``b2``.

    The header's metadata say ``format: nnkernels-parameters 1``, where 1 is the version.
    """
    return safetensors.numpy.save(params._asdict(), metadata={"format": FORMAT})


def from_safetensors(content: bytes, where: str) -> dict[str, FloatArray]:
    """Return the arrays of a safetensors file by name, unchecked; the file may be another program's.

    Raises
    ------
    DataError
        If the file is of a later version of our own format.
    Exception
        What safetensors raises on a damaged file.
    """
    arrays = safetensors.numpy.load(content)
    found = _format(content)
    if found.startswith(_FORMAT) and found != FORMAT:
        raise DataError(f"{where}: has the format {found}; this nnkernels reads {FORMAT}, so install a newer one")
    return arrays


def _format(content: bytes) -> str:
    # safetensors itself reads the metadata of a file only, not of bytes. The header: its length, then JSON.
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    return str(metadata.get("format", ""))
