"""Search for faults guided by coverage: ``python -m tests.fuzz.atheris_front READER --seconds N``.

It needs the extra ``fuzz``. Only what is written in Python is instrumented, and everything runs in one process, so a
crash inside a native library ends the search; atheris then writes the input that did it to a temporary folder.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
import warnings
from contextlib import suppress

from nnkernels.errors import MissingDependencyError, NNKernelsError
from tests.fuzz.isolation import written
from tests.fuzz.mutations import Mutation, mutate
from tests.fuzz.readers import Reader, readers


def mutations_of(data: bytes) -> list[Mutation]:
    """Return the mutations that some bytes stand for, ten bytes each."""
    numbers = struct.iter_unpack("<HIi", data[: len(data) // 10 * 10])
    return [Mutation(kind, where / 2**32, value % 2**32) for kind, where, value in numbers][:4]


def read_mutated(reader: Reader, name: str, data: bytes) -> None:
    """Read files of which one is mutated; an error that is not one of nnkernels passes."""
    seeds = reader.seeds()
    with written(seeds | {name: mutate(seeds[name], mutations_of(data))}) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(NNKernelsError):
            reader.read(folder / reader.place)


def main() -> None:
    """Search until the time is over, or until a fault is found."""
    names = [reader.name for reader in readers()]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=names, metavar="READER", help=", ".join(names))
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    try:
        import atheris
    except ImportError as error:
        raise SystemExit(str(MissingDependencyError("the search guided by coverage", "atheris", "fuzz"))) from error
    reader = readers()[names.index(options.reader)]
    files = sorted(reader.seeds())
    atheris.instrument_all()
    with tempfile.TemporaryDirectory(prefix="nnkernels-fuzz-") as folder:
        arguments = [
            sys.argv[0],
            f"-max_total_time={options.seconds}",
            f"-artifact_prefix={folder}/",
            "-rss_limit_mb=0",
        ]
        atheris.Setup(arguments, lambda data: read_mutated(reader, files[len(data) % len(files)], data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
