"""What decides the machine code that kernels are compiled to, as one hash.

Numba's own cache looks at the file of the function that is compiled and at nothing else: neither at the other files
that the function calls into, nor at the settings. Two processes with the same hash here compile the same code.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from nnkernels.files import PACKAGE

# Files and folders of the package that kernels are compiled from, and that say how they are compiled and kept.
SOURCES = ("compile_cache.py", "jit.py", "kernels", "machine_code.py", "parameters.py", "recipes.py")

# Every setting of Numba counts but these, so that one which a new version adds counts as well. They cannot change a
# kernel: paths, numbers of threads (kernels without `parallel=True` have none), the look of messages, and graphics
# cards.
IRRELEVANT = {
    "CACHE_DIR",
    "CACHE_LOCATOR_CLASSES",
    "CHROME_TRACE",
    "COLOR_SCHEME",
    "DEBUG_CACHE",
    "DISABLE_CUDA",
    "DISABLE_PERFORMANCE_WARNINGS",
    "FORCE_CUDA_CC",
    "FUNCTION_CACHE_SIZE",
    "GDB_BINARY",
    "HIGHLIGHT_DUMPS",
    "HTML",
    "NUMBA_DEFAULT_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "SHOW_HELP",
    "THREADING_LAYER",
    "THREADING_LAYER_PRIORITY",
}


@dataclass(frozen=True)
class MachineCode:
    """What this process compiles.

    Attributes
    ----------
    digest : str
        Hash of the sources, of Numba's settings, of the versions of what compiles, and of the CPU: 32 digits.
    stamps : dict
        Of each source file, when it was read: times and size.
    settings : str
        Numba's, when they were read.
    """

    digest: str
    stamps: dict[Path, tuple[int, ...]]
    settings: str

    def is_current(self) -> bool:
        """Return whether neither a source file nor a setting has changed since.

        If one has, nobody can tell which of the two states the modules in memory are of.
        """
        try:
            return all(_stamp(path) == stamp for path, stamp in self.stamps.items()) and self.settings == _settings()
        except OSError:
            return False


@cache
def machine_code() -> MachineCode:
    """Return what this process compiles: read once, at the first call.

    Raises
    ------
    OSError
        If the sources cannot be read.
    """
    # The stamps first: an edit while the files are read then shows as one.
    stamps = {path: _stamp(path) for name in SOURCES for path in python_files(PACKAGE / name)}
    settings = _settings()
    parts = (
        digest_of(stamps, PACKAGE),
        settings,
        f"{sys.implementation.cache_tag}, NumPy {np.__version__}, Numba {numba.__version__}",
        f"llvmlite {llvmlite.__version__}, LLVM {llvm.llvm_version_info}, {llvm.get_process_triple()}",
        f"{llvm.get_host_cpu_name()} {sorted(llvm.get_host_cpu_features().items())}",
    )
    return MachineCode(hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32], stamps, settings)


def digest_of(paths: Iterable[Path], root: Path) -> str:
    """Return the hash of files: where they lie seen from ``root``, and what is in them."""
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{os.path.relpath(path, root)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def python_files(path: Path) -> Iterator[Path]:
    """Yield a Python file, or those of a folder and below it, in order; hidden folders are left out."""
    if path.suffix == ".py":
        yield path
        return
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        folder = entry.is_dir(follow_symlinks=False)
        if not entry.name.startswith((".", "__pycache__")) if folder else entry.name.endswith(".py"):
            yield from python_files(path / entry.name)


def _stamp(path: Path) -> tuple[int, ...]:
    status = path.stat()
    # The time of the last change of anything, which no tool sets back, beside that of the content.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def _settings() -> str:
    settings = (
        f"{name}={value!r}"
        for name, value in sorted(vars(numba.config).items())
        if name.isupper() and not name.startswith(("_", "CUDA_")) and name not in IRRELEVANT
    )
    return " ".join(settings)
