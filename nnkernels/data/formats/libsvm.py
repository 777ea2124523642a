"""LIBSVM text: a label, then the indices and values of the pixels that are not zero."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import PIXELS, ByteArray
from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions
from nnkernels.data.formats._files import File
from nnkernels.data.formats._pixels import as_labels, as_pixels
from nnkernels.data.formats._rows import MAX_BYTES, NEWLINE, chunks_of_lines, unsigned_numbers
from nnkernels.data.formats._tables import read_tables
from nnkernels.errors import DataError, MissingDependencyError

# A line without any pair is an empty image.
_LINE = re.compile(rb"[+-]?\d+(?:\.0*)?(?:[ \t]+\d+:[-+.\deE]+)+[ \t]*(?:#[^\n]*)?\r?(?:\n|$)")
DENSE_ROWS = 4096
SPACE, COLON = ord(" "), ord(":")


def _recognises(file: File) -> bool:
    return bool(_LINE.match(file.head))


def _read_table(file: File, options: ReadOptions) -> Part:
    base = 1 if options.index_base is None else options.index_base
    return _read_integers(file, base) or _read_by_scikit_learn(file, base)


def _read_integers(file: File, base: int) -> Part | None:
    """Read a file of integers in chunks. Return None if there is anything else, such as fractions or comments."""
    images, labels = bytearray(), []
    with file.open() as stream:
        for lines in chunks_of_lines(stream, file.where):
            values, after = unsigned_numbers(lines.replace(b" \n", b"\n"))
            starts = np.concatenate([[True], after[:-1] == NEWLINE])[: len(values)]
            indices, pixels = values[~starts][::2], values[~starts][1::2]
            well_formed = (
                len(indices) == len(pixels) > 0
                and (after[starts] == SPACE).all()
                and (after[~starts][::2] == COLON).all()
                and np.isin(after[~starts][1::2], (SPACE, NEWLINE)).all()
            )
            if not well_formed or pixels.max() > 255:
                return None
            rows = (np.cumsum(starts) - 1)[~starts][::2]
            if not ((np.diff(indices) > 0) | (np.diff(rows) > 0)).all():
                return None  # repeated or unsorted indices
            _check_indices(file, indices, base)
            part = np.zeros((np.count_nonzero(starts), PIXELS), np.uint8)
            part[rows, indices - base] = pixels
            images += part.data
            labels.append(values[starts])
            if len(images) > MAX_BYTES:
                raise DataError(f"{file.where}: has more than {MAX_BYTES:,} pixels; give a smaller file")
    y = np.concatenate(labels).astype(np.int64) if labels else np.zeros(0, np.int64)
    X = np.frombuffer(images, np.uint8).reshape(-1, PIXELS)
    return Part(X, as_labels(y, file.where)) if len(X) and X.max() > 1 else None


def _read_by_scikit_learn(file: File, base: int) -> Part:
    try:
        from sklearn.datasets import load_svmlight_file
    except ImportError as error:
        raise MissingDependencyError("reading LIBSVM files", "scikit-learn", "learn") from error
    try:
        with file.open() as stream, warnings.catch_warnings():
            warnings.simplefilter("error")
            values, y = load_svmlight_file(stream, dtype=np.float32, zero_based=True)
    except DataError:
        raise
    except (ValueError, OverflowError, MemoryError, Warning, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{file.where}: not LIBSVM text ({reason}); download it again") from error
    _check_indices(file, values.indices, base)
    if not (y == np.floor(y)).all():
        raise DataError(f"{file.where}: has a label that is not an integer")
    return Part(_dense(file, values, base), as_labels(y.astype(np.int64), file.where))


def _check_indices(file: File, indices: npt.NDArray[Any], base: int) -> None:
    if not indices.size:
        raise DataError(f"{file.where}: all images are empty")
    lowest, highest = int(indices.min()), int(indices.max())
    if lowest < base or highest > base + PIXELS - 1:
        index = lowest if lowest < base else highest
        other = 1 - base
        hint = (
            f"if its indices count from {other}, use --index-base {other}"
            if other <= lowest and highest <= other + PIXELS - 1
            else "it does not contain images of 28 x 28 pixels"
        )
        raise DataError(
            f"{file.where}: has the index {index}; pixels are counted from {base} to {base + PIXELS - 1}; {hint}"
        )


def _dense(file: File, values: Any, base: int) -> ByteArray:
    """Convert rows of nonzero pixels to images, a few at a time."""
    scale = 255 if values.data.size and values.data.max() <= 1 else 1
    images = np.zeros((values.shape[0], PIXELS), np.uint8)
    for start in range(0, len(images), DENSE_ROWS):
        part = values[start : start + DENSE_ROWS].tocoo()
        dense = np.zeros((part.shape[0], PIXELS), np.float32)
        dense[part.row, part.col - base] = part.data
        scaled = dense * scale
        whole = np.rint(scaled)
        # Fractions of 255 are rounded to a few digits in text.
        if np.abs(scaled - whole).max() > (0.3 if scale == 255 else 0):
            raise DataError(f"{file.where}: has values that are neither pixels from 0 to 255 nor pixels divided by 255")
        images[start : start + DENSE_ROWS] = as_pixels(whole.astype(np.int64), file.where)
    return images


def _read(files: Sequence[File], options: ReadOptions) -> Content:
    content = read_tables(files, options, _read_table)
    base = 1 if options.index_base is None else options.index_base
    content.notes.append(f"pixels are counted from index {base}" + (" (--index-base 0 counts from 0)" if base else ""))
    return content


FORMAT = Format(
    name="LIBSVM",
    used_by="the LIBSVM data sets (`mnist.bz2` and `mnist.t.bz2`, `mnist.scale`)",
    recognised_by="a first line of a label and pairs such as `5 153:3 154:18`; pixels are counted from 1",
    example="mnist.bz2",
    suffixes=(".libsvm", ".svmlight", ".scale", ".t"),
    recognises=_recognises,
    read=_read,
)
