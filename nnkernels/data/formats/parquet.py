"""Parquet files of pixels, or of pictures with a label as on Hugging Face."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.data.dataset import PIXELS, ByteArray
from nnkernels.data.formats._columns import LABELS, columns_of_header
from nnkernels.data.formats._declaration import Content, Format, Part, ReadOptions, concatenated
from nnkernels.data.formats._files import File
from nnkernels.data.formats._pictures import decoded
from nnkernels.data.formats._pixels import as_labels, as_pixels
from nnkernels.data.formats._tables import read_tables
from nnkernels.errors import DataError, MissingDependencyError, NNKernelsError, one_line
from nnkernels.files import MALFORMED

BATCH_ROWS = 1024
MAX_ROWS = 2**31 // PIXELS
IMAGES = ("image", "images", "img", "pixels", "pixel_values", "x")


def _recognises(file: File) -> bool:
    return file.head.startswith(b"PAR1")


def _read(files: Sequence[File], options: ReadOptions) -> Content:
    content = read_tables(files, options, _read_table)
    content.class_names = _class_names(files[0])
    return content


def _read_table(file: File, options: ReadOptions) -> Part | None:
    import_pyarrow()
    import pyarrow.parquet

    try:
        with file.open_seekable() as stream, pyarrow.parquet.ParquetFile(stream) as table:
            names = list(table.schema_arrow.names)
            if table.metadata.num_rows > MAX_ROWS:
                raise DataError(f"{file.where}: has {table.metadata.num_rows:,} rows; give a smaller file")
            parts = list(_parts(table, names, file, options))
    except NNKernelsError:
        raise
    except Exception as error:  # a damaged file can make pyarrow raise nearly anything
        raise DataError(f"{file.where}: damaged Parquet file ({one_line(error)[:200]}); download it again") from error
    if not parts:
        raise DataError(f"{file.where}: has no rows")
    return None if parts[0] is None else concatenated([part for part in parts if part is not None])


def import_pyarrow() -> None:
    """Check that pyarrow is installed.

    Raises
    ------
    MissingDependencyError
        If it is not.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("reading Parquet files", "pyarrow", "parquet") from error


def _parts(table: Any, names: list[str], file: File, options: ReadOptions) -> Iterator[Part | None]:
    """Yield the labelled images of each batch of rows."""
    lower = [name.lower() for name in names]
    image = next((names[lower.index(name)] for name in IMAGES if name in lower), None)
    if image is not None:
        label = next((names[lower.index(name)] for name in LABELS if name in lower), None)
        for batch in table.iter_batches(BATCH_ROWS, columns=[image] + ([label] if label else [])):
            yield (
                None if label is None else Part(_images(batch.column(image), file), _labels(batch.column(label), file))
            )
        return
    columns = columns_of_header(names, file.where, options.label)
    if columns.candidates:
        raise DataError(f"{file.where}: no column is named label; choose with --label first or --label last")
    for batch in table.iter_batches(BATCH_ROWS):
        if columns.label is None:
            yield None
            continue
        pixels = np.stack([_numbers(batch.column(place), file) for place in columns.pixels], axis=1)
        yield Part(as_pixels(pixels, file.where), _labels(batch.column(columns.label), file))


def _images(column: Any, file: File) -> ByteArray:
    """Return images that are stored as pictures, or as lists of pixels."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_struct(kind):
        if kind.get_field_index("bytes") < 0:
            raise DataError(f"{file.where}: the column of images has no field bytes; expected pictures or pixels")
        column = column.field("bytes")
        kind = column.type
    if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
        pictures = column.to_pylist()
        if None in pictures:
            raise DataError(f"{file.where}: an image is missing; the file refers to pictures elsewhere")
        return np.stack([decoded(content, f"{file.where}, image {row}") for row, content in enumerate(pictures)])
    images = len(column)
    while pyarrow.types.is_list(column.type) or pyarrow.types.is_fixed_size_list(column.type):
        column = column.flatten()
    pixels = _numbers(column, file)
    if len(pixels) != images * PIXELS:
        raise DataError(f"{file.where}: has {len(pixels) // max(1, images)} pixels per image; expected {PIXELS}")
    return as_pixels(pixels.reshape(-1, PIXELS), file.where)


def _labels(column: Any, file: File) -> npt.NDArray[np.int64]:
    values = _numbers(column, file)
    if values.dtype.kind == "f" and (values == np.floor(values)).all():
        values = values.astype(np.int64)
    return as_labels(values, file.where)


def _numbers(column: Any, file: File) -> npt.NDArray[Any]:
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):  # labels such as "5"
        column = column.cast(pyarrow.int64())
    if column.null_count:
        raise DataError(f"{file.where}: has missing values; expected a number in each cell")
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    if values.dtype.kind not in "iufb":
        raise DataError(f"{file.where}: has values of the type {column.type}; expected numbers")
    return values


def _class_names(file: File) -> tuple[str, ...] | None:
    """Return the names of the classes in the metadata that Hugging Face's library writes."""
    import pyarrow.parquet

    try:
        with file.open_seekable() as stream:
            metadata = pyarrow.parquet.read_schema(stream).metadata or {}
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        names = next(found["names"] for found in features.values() if "names" in found)
        return tuple(map(str, names))
    except (*MALFORMED, OSError, RecursionError, StopIteration, pyarrow.ArrowException):
        return None


FORMAT = Format(
    name="Parquet",
    used_by="Hugging Face (`ylecun/mnist`), OpenML, pandas",
    recognised_by="`PAR1`; a column `image` of pictures or pixels and a column `label`, or 785 columns as in CSV files",
    example="train-00000-of-00001.parquet",
    suffixes=(".parquet", ".pq"),
    recognises=_recognises,
    read=_read,
)
