"""A hash of everything that determines the machine code of the kernels: sources, settings, versions and CPU.

Two processes with the same hash compile the same code. Numba's own cache only checks the file of the compiled function,
neither the other files with functions that it calls, nor the settings.
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

# Files and folders of the package that contain kernels, or that determine how kernels are compiled and cached.
SOURCES = (
    "compile_cache.py",
    "cpu_features.py",
    "jit.py",
    "kernels",
    "machine_code.py",
    "parameters.py",
    "recipes/optimizer.py",
    "team.py",
    "thread_placement.py",
)

# Settings of Numba that cannot change a kernel: paths, numbers of threads (no kernel uses `parallel=True`), the format
# of messages, and GPUs. All other settings are hashed, including any that future versions add.
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
    """Identity of the machine code that this process compiles.

    Attributes
    ----------
    digest : str
        Hash of the sources, Numba's settings, the versions of compiler and libraries, and the CPU: 32 hexadecimal
        digits.
    stamps : dict of Path to tuple
        Modification times and size of each source file when it was read.
    settings : str
        Numba's settings when they were read.
    """

    digest: str
    stamps: dict[Path, tuple[int, ...]]
    settings: str

    def is_current(self) -> bool:
        """Return whether source files and settings are still unchanged.

        If they have changed, it is unknown which state the modules in memory are from.

        Returns
        -------
        current : bool
            Whether nothing has changed.
        """
        try:
            return all(_stamp(path) == stamp for path, stamp in self.stamps.items()) and self.settings == _settings()
        except OSError:
            return False


@cache
def machine_code() -> MachineCode:
    """Return the identity of this process's machine code, which is determined at the first call.

    Returns
    -------
    code : MachineCode
        The identity.

    Raises
    ------
    OSError
        If the sources cannot be read.
    """
    # Stamps are taken before the files are read, so that an edit in between is noticed.
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
    """Return a hash of files.

    Parameters
    ----------
    paths : iterable of Path
        The files, in a defined order.
    root : Path
        Folder to which the hashed paths are relative.

    Returns
    -------
    digest : str
        SHA-256 of the relative paths and contents, 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{os.path.relpath(path, root)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def python_files(path: Path) -> Iterator[Path]:
    """Find the Python files of a folder and its subfolders.

    Parameters
    ----------
    path : Path
        A folder, or a Python file.

    Yields
    ------
    path : Path
        The next file, in alphabetical order. Hidden folders and ``__pycache__`` are omitted.
    """
    if path.suffix == ".py":
        yield path
        return
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        folder = entry.is_dir(follow_symlinks=False)
        if not entry.name.startswith((".", "__pycache__")) if folder else entry.name.endswith(".py"):
            yield from python_files(path / entry.name)


def _stamp(path: Path) -> tuple[int, ...]:
    status = path.stat()
    # Programs can reset the modification time (mtime), but not the time of the last status change (ctime).
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def _settings() -> str:
    settings = (
        f"{name}={value!r}"
        for name, value in sorted(vars(numba.config).items())
        if name.isupper() and not name.startswith(("_", "CUDA_")) and name not in IRRELEVANT
    )
    return " ".join(settings)
