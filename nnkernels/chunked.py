"""Training on images in a file, chunk by chunk: memory is bounded by the chunk, whatever the size of the file."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nnkernels import kernels
from nnkernels.contenders import Contender
from nnkernels.data import LabelledImages
from nnkernels.data.mapped import ImageFile, read_labels
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.history import EpochRecord, History
from nnkernels.kernels.contract import OptimizerState
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import Callback, evaluate

CHUNK_IMAGES = 65_536


class Chunk(NamedTuple):
    """A part of an epoch: neighbouring images of the file.

    Attributes
    ----------
    start, stop : int
        Where they are in the file.
    order : ndarray of int64, shape (stop - start,)
        In which order they are trained on, counted from ``start``.
    """

    start: int
    stop: int
    order: npt.NDArray[np.int64]


@runtime_checkable
class _Remembering(Contender, Protocol):
    def optimizer_state(self) -> OptimizerState: ...

    def restore(self, state: OptimizerState) -> None: ...


def train_from_file(
    contender: Contender,
    images: ImageFile | str | os.PathLike[str],
    labels: npt.NDArray[np.integer[Any]] | str | os.PathLike[str],
    recipe: Recipe,
    *,
    seed: int = 0,
    start: Parameters | None = None,
    chunk_images: int = CHUNK_IMAGES,
    validation: LabelledImages | None = None,
    callbacks: Iterable[Callback] = (),
) -> History:
    """Train a contender by a recipe on images that stay in their file, but for two chunks of them.

    The next chunk is read while one is trained on. An epoch sees every image once, chunk by chunk in a shuffled order,
    and the images of a chunk in a shuffled order. That is another order than :func:`nnkernels.train` has, unless all
    images fit into one chunk: then the training is the same bit for bit. (The fused kernels may run on any number of
    threads, the others need the same BLAS on the same number.) Images far apart in the file never share a batch, so a
    file that is sorted by class should be shuffled first.

    The recipe's learning rates go over the whole epoch. Its one short batch comes where the file's last chunk does.

    Parameters
    ----------
    contender : Contender
        Prepared here, for each chunk anew; left open, so that its parameters can be had.
    images : ImageFile, str or PathLike
        An IDX or ``.npy`` file, see :class:`nnkernels.ImageFile`: integers are pixels, which are scaled by 1/255;
        floats and booleans are features, which are taken as they are.
    labels : ndarray of integers, str or PathLike
        Classes counted from 0, shape (N,); of a file they are read whole.
    recipe : Recipe
    seed : int
        Of the initial parameters and of the order.
    start : Parameters, optional
        The initial parameters; else they are drawn by ``seed``, for ten classes.
    chunk_images : int
        Images that are in memory at a time, twice; rounded down to whole batches.
    validation : LabelledImages, optional
        Images in memory, evaluated after every epoch.
    callbacks : iterable of callables
        As in :func:`nnkernels.train`.

    Returns
    -------
    History
        Of every epoch. The seconds include reading. Loss and error rate of the training images are NaN: to judge by
        them, the whole file would have to be read again.

    Raises
    ------
    DataError
        If a file is missing or damaged, a pixel is outside of 0..255, or images, labels and network do not fit
        together.
    ConfigurationError
        If no batch fits into a chunk, or the contender cannot carry the optimizer's memory from chunk to chunk.

    Warns
    -----
    UnscaledPixelsWarning
        If float features look like pixels that are not scaled, or integers like features.
    """
    file = images if isinstance(images, ImageFile) else ImageFile(images)
    y = labels if isinstance(labels, np.ndarray) else read_labels(labels)
    if start is None:
        start = initial_parameters(seed, file.inputs, recipe.hidden)
    _check(file, y, start, contender, recipe)
    step = chunk_starts(len(file), chunk_images, recipe.batch_size).step
    buffers = [np.empty((step, file.inputs), file.dtype) for _ in range(2)]
    history, callbacks = History(recipe, seed, len(file)), tuple(callbacks)
    params, state = start, None
    for epoch in range(recipe.epochs):
        chunks = epoch_chunks(seed, epoch, len(file), chunk_images, recipe.batch_size)
        rest = recipe.learning_rates(epoch, len(file))
        started = time.perf_counter()
        for chunk, X in _read_ahead(file, chunks, buffers):
            contender.prepare(params, LabelledImages(X, y[chunk.start : chunk.stop]), recipe)
            if state is not None and isinstance(contender, _Remembering):
                contender.restore(state)
            batches = recipe.batches(len(X))
            contender.advance(chunk.order, rest[:batches])
            rest = rest[batches:]
            params = contender.parameters()
            state = contender.optimizer_state() if isinstance(contender, _Remembering) else None
        seconds = time.perf_counter() - started
        held_out = evaluate(params, validation.X, validation.y) if validation is not None else ()
        history.epochs.append(EpochRecord(epoch + 1, seconds, math.nan, math.nan, *held_out))
        answers = [callback(history, contender) for callback in callbacks]  # each is called, whoever ends it
        if any(answers):
            break
    return history


def chunk_starts(images: int, chunk_images: int, batch_size: int) -> range:
    """Return where the chunks of a file begin: each has as many whole batches as fit into ``chunk_images``.

    So only the last chunk of the file may end in a short batch, and an epoch has as many batches as it has in memory.

    Raises
    ------
    ConfigurationError
        If not even one batch fits.
    """
    if images <= chunk_images:
        return range(0, images, images)
    if chunk_images < batch_size:
        raise ConfigurationError(
            f"a batch has {batch_size} images and a chunk {chunk_images}; let chunk_images be at least {batch_size}"
        )
    return range(0, images, chunk_images // batch_size * batch_size)


def epoch_chunks(seed: int, epoch: int, images: int, chunk_images: int, batch_size: int) -> Iterator[Chunk]:
    """Yield the chunks of an epoch (counted from 0) in the order in which they are trained on.

    One generator, seeded by seed and epoch, permutes the chunks, and then the images of each chunk when it comes. To
    permute a single chunk takes nothing from the generator: then this is :func:`nnkernels.batch_order`.
    """
    rng = np.random.default_rng((seed, epoch))
    starts = chunk_starts(images, chunk_images, batch_size)
    for number in rng.permutation(len(starts)).tolist():
        start = starts[number]
        stop = min(start + starts.step, images)
        yield Chunk(start, stop, rng.permutation(stop - start))


def _read_ahead(
    file: ImageFile, chunks: Iterable[Chunk], buffers: list[npt.NDArray[Any]]
) -> Iterator[tuple[Chunk, npt.NDArray[Any]]]:
    # The images of a chunk are valid until the next is asked for: then the one after that is read into their memory,
    # which costs no page faults any more, by a thread of its own. Of a file in the page cache that saves nothing to
    # speak of (a tenth of the fastest training is reading); of one on a disk it saves a third of the time.
    with ThreadPoolExecutor(1, thread_name_prefix="nnkernels-reader") as reader:
        ahead: deque[tuple[Chunk, Future[npt.NDArray[Any]]]] = deque()
        for number, chunk in enumerate(chunks):
            memory = buffers[number % 2][: chunk.stop - chunk.start]
            ahead.append((chunk, reader.submit(file.read, chunk.start, chunk.stop, memory)))
            if number:
                now, images = ahead.popleft()
                yield now, images.result()
        now, images = ahead.popleft()
        yield now, images.result()


def _check(
    file: ImageFile, y: npt.NDArray[np.integer[Any]], start: Parameters, contender: Contender, recipe: Recipe
) -> None:
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"labels are {y.dtype} of shape {y.shape}; expected integers (N,)")
    if len(y) != len(file):
        raise DataError(f"{file.path}: {len(file)} images, but there are {len(y)} labels")
    inputs, classes = len(start.W1), len(start.b2)
    if inputs != file.inputs:
        raise DataError(f"{file.path}: images of {file.inputs} pixels; the network takes {inputs}")
    if y.min() < 0 or y.max() >= classes:  # now, and not after half of the file
        raise DataError(f"labels go from {y.min()} to {y.max()}; the network has the classes 0 to {classes - 1}")
    if recipe.optimizer.name != "sgd" and not isinstance(contender, _Remembering):
        raise ConfigurationError(
            f"{type(contender).__name__} cannot carry what {recipe.optimizer.name} remembers from one chunk to the "
            f"next; train by sgd, or with one of {', '.join(kernels.names())}"
        )
