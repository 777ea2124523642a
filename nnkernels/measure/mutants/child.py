"""The program that judges one mutant: it runs in a changed copy of the package, and prints a line a verdict."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nnkernels.data import Dataset
from nnkernels.files import PACKAGE
from nnkernels.measure.mutants.gates import judge


def main(cpu_seconds: str, backend: str, folder: str, *gates: str) -> None:
    """Print which package this is, then the verdict of each gate, as JSON; end after so much CPU time."""
    if find_spec("resource"):  # not on Windows, where who never ends is ended by hand
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds), hard))
    print(json.dumps({"package": str(PACKAGE)}), flush=True)
    arrays = (np.load(Path(folder, f"{field.name}.npy"), allow_pickle=False) for field in fields(Dataset))
    dataset = Dataset(*arrays)
    with np.errstate(all="ignore"):  # a mutant may blow up on the way; what counts is the answer
        for verdict in judge(backend, gates, dataset):
            print(json.dumps(asdict(verdict)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
