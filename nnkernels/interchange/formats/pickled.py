"""Pickled files of PyTorch, scikit-learn and others. They are never read, because unpickling executes code."""

from __future__ import annotations

from typing import NoReturn

from nnkernels.errors import DataError
from nnkernels.interchange.file_format import FileFormat, Source


def refuse_pickle(source: Source) -> NoReturn:
    """Refuse a pickled file, with what to do instead.

    Parameters
    ----------
    source : Source
        The file.

    Raises
    ------
    DataError
        Always.
    """
    raise DataError(
        f"{source.where}: is a pickled file, which can execute code when it is read, so nnkernels never does. In the "
        "program that wrote it, save PyTorch's model.state_dict() with safetensors.torch.save_file(state_dict, "
        '"model.safetensors"); convert an estimator of scikit-learn with nnkernels.interchange.from_sklearn'
    )


FORMAT = FileFormat(
    name="pickled file, which is never read",
    suffixes=(".pt", ".pth", ".pkl", ".pickle", ".joblib", ".bin"),
    requires="",
    readings=(),
    decode=refuse_pickle,
)
