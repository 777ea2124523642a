"""Reading the weights that an ONNX model stores in other files. This module requires onnx."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from onnx.external_data_helper import uses_external_data

from nnkernels.errors import DataError
from nnkernels.interchange.checks import MAX_BYTES


def external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield the tensors of the main graph that are stored in other files.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.

    Yields
    ------
    tensor : onnx.TensorProto
        An initializer, or the value of a Constant.
    """
    values = [attribute.t for node in model.graph.node for attribute in node.attribute if attribute.HasField("t")]
    yield from (tensor for tensor in [*model.graph.initializer, *values] if uses_external_data(tensor))


def load_external_data(model: onnx.ModelProto, folder: Path, where: str) -> None:
    """Load the tensors that are stored in other files into the model.

    Parameters
    ----------
    model : onnx.ModelProto
        The model, which is changed.
    folder : Path
        The folder of the model's file.
    where : str
        The name of the model's file, with which each error message begins.

    Raises
    ------
    DataError
        If a data file lies outside the folder, is a symbolic link or lies behind one, is not a regular file, is too
        short, or is larger than parameters need.
    """
    total = 0
    for tensor in external_tensors(model):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = _data_file(entries.get("location", ""), folder, where)
        data = _read(path, entries, tensor.name, where)
        total += len(data)
        if total > MAX_BYTES:
            raise DataError(f"{where}: its weights have more than {MAX_BYTES} bytes; a parameter file has fewer")
        tensor.raw_data = data
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _data_file(location: str, folder: Path, where: str) -> Path:
    root = Path(os.path.realpath(folder))
    parts = PurePosixPath(location.replace("\\", "/")).parts
    path = root.joinpath(*parts)
    # The path must be its own real path: then no part of it is a symbolic link, and it has no `..`.
    if "\0" in location or not parts or Path(os.path.realpath(path)) != path or root not in path.parents:
        raise DataError(
            f"{where}: stores weights in {location[:80]!r}; data files are only read from the folder of the model, "
            "without symbolic links, so copy the file there or save the model as one file"
        )
    return path


def _read(path: Path, entries: dict[str, str], name: str, where: str) -> bytes:
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{where}: the weights of {name!r} in {path.name!r} cannot be read ({error}); keep the data file beside "
            "the model, or save the model as one file"
        ) from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if "length" not in entries:
            length = status.st_size - offset
        if not stat.S_ISREG(status.st_mode) or offset < 0 or not 0 <= length <= min(status.st_size - offset, MAX_BYTES):
            raise DataError(
                f"{where}: {name!r} is {length} bytes at {offset} of {path.name!r}, which has {status.st_size} bytes; "
                "save the model again"
            )
        stream.seek(offset)
        return stream.read(length)
