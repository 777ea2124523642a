"""The readers under test, each with small valid files to start from."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from nnkernels.data import Dataset, load_mnist
from nnkernels.data.folder import write_folder
from nnkernels.data.npz import write_npz
from nnkernels.interchange import load_parameters, save_parameters
from nnkernels.parameters import initial_parameters


@dataclass(frozen=True)
class Reader:
    """A reader, and what it reads.

    Attributes
    ----------
    name : str
        The format.
    read : callable
        ``read(path)`` reads the folder or file that :attr:`place` returns.
    seeds : callable
        ``seeds()`` returns valid files: the content by name. One of them is mutated, the others stand beside it.
    place : callable
        ``place(folder)`` returns what to read after all files were written to ``folder``.
    """

    name: str
    read: Callable[[Path], object]
    seeds: Callable[[], dict[str, bytes]]
    place: Callable[[Path], Path]


@cache
def _digits() -> Dataset:
    rng = np.random.default_rng(0)
    X = np.where(rng.random((140, 784)) < 0.1, rng.integers(1, 256, (140, 784)), 0).astype(np.uint8)
    y = (np.arange(140) % 10).astype(np.uint8)
    return Dataset(X[:120], y[:120], X[120:], y[120:])


def _made(write: Callable[[Path], object]) -> dict[str, bytes]:
    """Return the files that ``write`` writes into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _idx() -> dict[str, bytes]:
    return _made(lambda folder: write_folder(folder, _digits()))


def _gzipped_idx() -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(content, 1, mtime=0) for name, content in _idx().items()}


def _npz() -> dict[str, bytes]:
    return _made(lambda folder: write_npz(folder / "digits.npz", _digits()))


def _csv() -> dict[str, bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["label", *(f"pixel{pixel}" for pixel in range(784))])
    writer.writerows([label, *image] for label, image in zip(_digits().y_train, _digits().X_train, strict=True))
    return {"train.csv": text.getvalue().encode()}


def _picture(suffix: str) -> Callable[[], dict[str, bytes]]:
    def seeds() -> dict[str, bytes]:
        from PIL import Image

        canvas = np.zeros((40, 40), np.uint8)
        canvas[8:32, 16:24] = 255
        content = io.BytesIO()
        Image.fromarray(canvas).save(content, suffix)
        return {f"digit.{suffix}": content.getvalue()}

    return seeds


def _parameters(suffix: str) -> Callable[[], dict[str, bytes]]:
    return lambda: _made(
        lambda folder: save_parameters(
            initial_parameters(0, inputs=8, hidden=3, classes=4), folder / f"weights.{suffix}"
        )
    )


def _checkpoint() -> dict[str, bytes]:
    from nnkernels import contenders, recipes, training
    from nnkernels.checkpoints import Checkpoint, save_checkpoint

    contender = contenders.create("numpy")
    recipe = recipes.named_recipe("adam", 120).with_changes(epochs=1, hidden=3)
    history = training.train(contender, _digits().training, recipe, seed=0)
    state = contender.optimizer_state()
    saved = Checkpoint(contender.parameters(), state, history, {"kernels": "numpy"})
    return _made(lambda folder: save_checkpoint(folder / "checkpoint.safetensors", saved))


def _run() -> dict[str, bytes]:
    from nnkernels.measure.records.run import write_run
    from tests import synthetic

    run = synthetic.run()
    return _made(lambda folder: write_run(folder, run.record, run.interleaved, run.asv_results))


def _published() -> dict[str, bytes]:
    return {"published.json": json.dumps({"version": 2, "runs": ["20260101T000000Z-0123abcd"]}).encode()}


def _read_run(path: Path) -> object:
    """Read a run as the reports do: a damaged number must be noticed here at the latest."""
    from nnkernels.report.runs import load_run
    from nnkernels.report.summary import summarise
    from nnkernels.report.tidy import tidy

    run = load_run(path)
    return summarise(run), tidy(run)


def _read_published(path: Path) -> object:
    from nnkernels.report.runs import published_ids

    return published_ids(path)


def _read_checkpoint(path: Path) -> object:
    from nnkernels.checkpoints import load_checkpoint

    return load_checkpoint(path)


def _read_picture(path: Path) -> object:
    from nnkernels.transforms import read_digit

    return read_digit(path)


def _only_file(folder: Path) -> Path:
    return next(path for path in folder.iterdir())


def readers() -> list[Reader]:
    """Return all readers.

    Returns
    -------
    readers : list of Reader
        One per format.
    """

    def load(path: Path) -> object:
        return load_mnist(path)

    def whole(folder: Path) -> Path:
        return folder

    return [
        Reader("idx", load, _idx, whole),
        Reader("idx.gz", load, _gzipped_idx, whole),
        Reader("npz", load, _npz, _only_file),
        Reader("csv", load, _csv, _only_file),
        Reader("png", _read_picture, _picture("png"), _only_file),
        Reader("jpeg", _read_picture, _picture("jpeg"), _only_file),
        Reader("parameters.safetensors", load_parameters, _parameters("safetensors"), _only_file),
        Reader("parameters.npz", load_parameters, _parameters("npz"), _only_file),
        Reader("parameters.onnx", load_parameters, _parameters("onnx"), _only_file),
        Reader("parameters.keras", load_parameters, _parameters("keras"), _only_file),
        Reader("checkpoint", _read_checkpoint, _checkpoint, _only_file),
        Reader("run", _read_run, _run, whole),
        Reader("published.json", _read_published, _published, whole),
    ]
