"""The readers under test. Which modules decode files is found in the source, so that none can be forgotten."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nnkernels.files import PACKAGE

Files = dict[str, bytes]  # content by path below a folder


@dataclass(frozen=True)
class Reader:
    """A reader, and what it reads.

    Attributes
    ----------
    name : str
        What is read.
    modules : tuple of str
        The modules of nnkernels that decode it, without the name of the package.
    read : callable
        ``read(path)`` reads what `place` names.
    seeds : callable
        ``seeds()`` returns valid files. One of them is mutated, the others stand beside it.
    place : str
        The file or folder that is read, below the folder of the files; empty for this folder.
    refuses : bool
        Whether even the intact file is refused, as pickled files are.
    heavy : bool
        Whether reading imports TensorFlow, so that each process is forked from a large one.
    """

    name: str
    modules: tuple[str, ...]
    read: Callable[[Path], object]
    seeds: Callable[[], Files]
    place: str = ""
    refuses: bool = False
    heavy: bool = False


# A call that decodes the content of a file, or the declaration of a format whose module does.
_DECODES = re.compile(
    r"json\.loads\([^\n]*read_text|read_json\(|read_versioned\(|safe_open\(|\bsafetensors\.deserialize\(|np\.load\(|zipfile\.ZipFile\(|"
    r"Image\.open\(|csv\.DictReader\(|h5py\.File\(|load_model_from_string\(|^FORMAT = ",
    re.MULTILINE,
)
# Modules that decode only what the same run of the same program wrote, and modules through which others read.
NOT_READERS = {
    "files": "read_json, which the others call",
    "measure.correctness.from_file": "arrays of its own child process",
    "measure.mutants.child": "arrays of its own parent process",
    "measure.regression.remote_contender": "arrays of its own child process",
    "measure.regression.side_process": "arrays of its own parent process",
    "measure.records.process_files": "files of its own child processes, written atomically",
    "measure.asv_driver.files": "files of asv, written by its own child process",
    "measure.records.environment": "Keras' settings, of which an unreadable file has none",
    "sweep.images": "arrays of its own parent process",
    "interchange.keras_import": "Keras' settings, as the reason why it could not be imported",
}


def decoding_modules() -> set[str]:
    """Return the modules of nnkernels that decode files.

    Returns
    -------
    modules : set of str
        Their names, without the name of the package.
    """
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
        if _DECODES.search(path.read_text("utf-8"))
    }


@cache
def readers() -> tuple[Reader, ...]:
    """Return all readers.

    Returns
    -------
    readers : tuple of Reader
        Those that import TensorFlow last.
    """
    from tests.fuzz.data_files import data_readers
    from tests.fuzz.record_files import record_readers
    from tests.fuzz.weight_files import weight_readers

    return tuple(
        sorted((*data_readers(), *record_readers(), *weight_readers()), key=lambda reader: reader.heavy),
    )
