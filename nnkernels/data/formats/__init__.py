"""Formats of data files, one module per format: what it declares, how it is recognised by content, and its reader.

Adding a format means adding a module with a ``FORMAT``; nothing else lists the formats.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions, Role
from nnkernels.data.formats._files import File
from nnkernels.data.formats._sources import Source, open_source
from nnkernels.errors import DataError

__all__ = ["Content", "Format", "Part", "ReadOptions", "Role", "formats", "read_content", "what_can_be_read"]


@cache
def formats() -> tuple[Format, ...]:
    """Return the declarations of all formats.

    Returns
    -------
    formats : tuple of Format
        In the alphabetical order of their modules.
    """
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return tuple(import_module(f"{__name__}.{name}").FORMAT for name in modules)


def what_can_be_read() -> str:
    """Return the names of all formats in one sentence.

    Returns
    -------
    text : str
        The sentence, without a full stop.
    """
    names = ", ".join(f"{known.name} ({known.example})" for known in formats() if known.is_read)
    return f"can be read: {names}; a folder or .zip of these"


def read_content(path: Path, options: ReadOptions) -> tuple[Format, Content]:
    """Recognise the format of a file, folder or ZIP archive by its content, and read it.

    Parameters
    ----------
    path : Path
        The source.
    options : ReadOptions
        What the file itself leaves open.

    Returns
    -------
    format : Format
        The recognised format.
    content : Content
        The images and labels by their role.

    Raises
    ------
    DataError
        If the source is missing or damaged, or if its format is not recognised or not unique.
    MissingDependencyError
        If a package that reads this format is not installed.
    """
    with open_source(path) as source:
        found: dict[int, list[File]] = {}
        for file in source.files:
            place = _recognised(file)
            if place is not None:
                found.setdefault(place, []).append(file)
        place = _only(source, found)
        return formats()[place], formats()[place].read(found.get(place, source.files), options)


def _recognised(file: File) -> int | None:
    # Formats of this suffix first: of 70,000 pictures, none is opened only to be recognised.
    places = sorted(range(len(formats())), key=lambda place: not file.stem.endswith(formats()[place].suffixes))
    return next((place for place in places if formats()[place].recognises(file)), None)


def _only(source: Source, found: dict[int, list[File]]) -> int:
    found = {place: files for place, files in found.items() if formats()[place].is_read} or found
    if len(found) == 1:
        return next(iter(found))
    if found:
        listed = ", ".join(f"{formats()[place].name} ({files[0].name})" for place, files in sorted(found.items()))
        raise DataError(f"{source.where}: contains files of several formats: {listed}; give one of them")
    if not source.alone:
        raise DataError(f"{source.where}: contains no data set; {_inner_archive(source)}{what_can_be_read()}")
    file = source.files[0]
    for place, known in enumerate(formats()):
        if file.stem.endswith(known.suffixes):
            return place  # its reader explains what is wrong
    start = f"starts with {file.head[:8].hex()}" if file.head else "empty or damaged"
    raise DataError(f"{source.where}: not a data set in a known format ({start}); {what_can_be_read()}")


def _inner_archive(source: Source) -> str:
    inner = [file.name for file in source.files if file.in_archive and file.head.startswith(b"PK")]
    return f"it contains another archive, {inner[0]}, so unpack it first; " if inner else ""
