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
from tests.fuzz.readers import Files, Reader, readers


def mutations_of(data: bytes) -> list[Mutation]:
    """Return the mutations that some bytes stand for, ten bytes each."""
    numbers = struct.iter_unpack("<HIi", data[: len(data) // 10 * 10])
    return [Mutation(kind, where / 2**32, value % 2**32) for kind, where, value in numbers][:4]


def read_mutated(reader: Reader, seeds: Files, name: str, data: bytes) -> None:
    """Read files of which one is mutated; an error that is not one of nnkernels passes."""
    with written(seeds | {name: mutate(seeds[name], mutations_of(data))}) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(NNKernelsError):
            reader.read(folder / reader.place)


def main() -> None:
    """Search until the time is over, or until a fault is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", metavar="READER", help="a name of the table in tests/fuzz/README.md")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    try:
        import atheris
    except ImportError as error:
        raise SystemExit(str(MissingDependencyError("the search guided by coverage", "atheris", "fuzz"))) from error
    with atheris.instrument_imports(include=["nnkernels"]):  # most of it is imported by the first read
        by_name = {reader.name: reader for reader in readers()}
        if options.reader not in by_name:
            raise SystemExit(f"unknown reader {options.reader!r}; expected one of: {', '.join(by_name)}")
        reader = by_name[options.reader]
        seeds = reader.seeds()
        files = sorted(seeds)
        read_mutated(reader, seeds, files[0], b"")
    with tempfile.TemporaryDirectory(prefix="nnkernels-fuzz-") as folder:
        arguments = [
            sys.argv[0],
            f"-max_total_time={options.seconds}",
            f"-artifact_prefix={folder}/",
            "-rss_limit_mb=0",
            "-max_len=49",  # up to four mutations
            "-len_control=0",
        ]
        atheris.Setup(arguments, lambda data: read_mutated(reader, seeds, files[len(data) % len(files)], data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
