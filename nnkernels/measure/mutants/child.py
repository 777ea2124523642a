"""The program that checks one mutant. It runs in a changed copy of the package and prints one line per verdict."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nnkernels.data import Dataset
from nnkernels.data.dataset import PARTS
from nnkernels.files import PACKAGE
from nnkernels.measure.mutants.gates import judge


def main(cpu_seconds: str, backend: str, folder: str, *gates: str) -> None:
    """Print the location of the imported package, then each gate's verdict, as lines of JSON.

    Parameters
    ----------
    cpu_seconds : str
        Limit of CPU time in seconds, after which the process is killed (not on Windows).
    backend : str
        Name of the backend.
    folder : str
        Folder of the data set, as ``.npy`` files.
    *gates : str
        Names of the gates.
    """
    if find_spec("resource"):  # missing on Windows, where the user must kill a process that never ends
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds), hard))
    print(json.dumps({"package": str(PACKAGE)}), flush=True)
    arrays = (np.load(Path(folder, f"{name}.npy"), allow_pickle=False) for name in PARTS)
    dataset = Dataset(*arrays)
    with np.errstate(all="ignore"):  # intermediate values of a mutant may overflow; only its results count
        for verdict in judge(backend, gates, dataset):
            print(json.dumps(asdict(verdict)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
