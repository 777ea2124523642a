"""The file formats of weights, one module each, which declares ``FORMAT``. A new module is found by itself."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from nnkernels.interchange.file_format import FileFormat


@cache
def all_formats() -> tuple[FileFormat, ...]:
    """Return the declared formats: those that can be written first, then by name of the module.

    Returns
    -------
    formats : tuple of FileFormat
        One per module of this package.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found: list[FileFormat] = [import_module(f"{__name__}.{name}").FORMAT for name in names]
    return tuple(sorted(found, key=lambda form: form.encode is None))


def suffixes(*, writable: bool = False) -> dict[str, FileFormat]:
    """Return the formats by suffix.

    Parameters
    ----------
    writable : bool, default: False
        Whether to leave out the formats that are only read.

    Returns
    -------
    formats : dict of str to FileFormat
        For example ``{".npz": ...}``.
    """
    formats = [form for form in all_formats() if form.encode or not writable]
    return {suffix: form for form in formats for suffix in form.suffixes}
