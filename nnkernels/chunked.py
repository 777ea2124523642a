"""Training on images in a file, chunk by chunk, in memory that does not depend on the size of the file."""

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
from nnkernels.data.image_file import ImageFile, read_labels
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.evaluation import Evaluator
from nnkernels.history import EpochRecord, History
from nnkernels.kernels.contract import OptimizerState
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import Callback

CHUNK_IMAGES = 65_536


class Chunk(NamedTuple):
    """Consecutive images of a file, and the order in which an epoch trains on them.

    Attributes
    ----------
    start, stop : int
        The range of images in the file, ``stop`` excluded.
    order : ndarray of int64, shape (stop - start,)
        A permutation of the images, counted from ``start``.
    """

    start: int
    stop: int
    order: npt.NDArray[np.int64]


@runtime_checkable
class _StatefulContender(Contender, Protocol):
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
    """Train a contender with a recipe on images in a file, with at most two chunks of images in memory.

    The next chunk is read while the contender trains on the current one. An epoch uses every image once: the chunks are
    visited in random order, and the images within a chunk are shuffled. If all images fit into one chunk, the order and
    the result are the same as with :func:`nnkernels.train`, bit for bit. (For kernels other than the fused ones, this
    requires the same BLAS and number of threads.) Otherwise the order differs, and images that are far apart in the
    file never share a batch. So a file that is sorted by class should be shuffled first.

    The learning rates of the recipe apply to the whole epoch. Its one short batch is at the end of the file's last
    chunk.

    Parameters
    ----------
    contender : Contender
        The contender to train. It is prepared again for each chunk, and not closed, so that its parameters remain
        available.
    images : ImageFile, str or PathLike
        An IDX or ``.npy`` file, see :class:`nnkernels.ImageFile`. Integers are pixels and are scaled by 1/255. Floats
        and booleans are features and keep their values.
    labels : ndarray of integers, str or PathLike
        Class indices, shape (N,). A file of labels is read as a whole.
    recipe : Recipe
        Optimizer, batch size, epochs, learning rates and width of the hidden layer.
    seed : int, default: 0
        Seed of the initial parameters and of the order of the images.
    start : Parameters, optional
        The initial parameters. By default they are drawn with ``seed``, for ten classes.
    chunk_images : int, default: 65536
        The number of images per chunk, rounded down to whole batches.
    validation : LabelledImages, optional
        Images in memory, evaluated after every epoch.
    callbacks : iterable of callables
        As in :func:`nnkernels.train`.

    Returns
    -------
    history : History
        One record per epoch. The seconds include reading. Loss and error rate of the training images are NaN, because
        their evaluation would read the whole file again.

    Raises
    ------
    DataError
        If a file is missing or damaged, a pixel is outside 0..255, or images, labels and network do not match.
    ConfigurationError
        If a batch does not fit into a chunk, if the recipe deskews or augments images, averages or stops early, or if
        the contender cannot carry the optimizer state from chunk to chunk.

    Warns
    -----
    UnscaledPixelsWarning
        If float features look like unscaled pixels, or integers look like binary features.
    """
    file = images if isinstance(images, ImageFile) else ImageFile(images)
    y = labels if isinstance(labels, np.ndarray) else read_labels(labels)
    if start is None:
        start = initial_parameters(seed, file.inputs, recipe.hidden)
    _check_inputs(file, y, start, contender, recipe)
    evaluate_validation = Evaluator(validation.X, validation.y) if validation is not None else None
    step = chunk_starts(len(file), chunk_images, recipe.batch_size).step
    buffers = [np.empty((step, file.inputs), file.dtype) for _ in range(2)]
    history, callbacks = History(recipe, seed, len(file)), tuple(callbacks)
    params, state = start, None
    for epoch in range(recipe.epochs):
        chunks = epoch_chunks(seed, epoch, len(file), chunk_images, recipe.batch_size)
        remaining_rates = recipe.learning_rates(epoch, len(file))
        started = time.perf_counter()
        for chunk, X in _prefetch(file, chunks, buffers):
            contender.prepare(params, LabelledImages(X, y[chunk.start : chunk.stop]), recipe)
            if state is not None and isinstance(contender, _StatefulContender):
                contender.restore(state)
            batches = recipe.batches(len(X))
            contender.advance(chunk.order, remaining_rates[:batches])
            remaining_rates = remaining_rates[batches:]
            params = contender.parameters()
            state = contender.optimizer_state() if isinstance(contender, _StatefulContender) else None
        seconds = time.perf_counter() - started
        validation_metrics = evaluate_validation(params) if evaluate_validation else ()
        history.epochs.append(EpochRecord(epoch + 1, seconds, math.nan, math.nan, *validation_metrics))
        # Call every callback, even if one of them stops the training.
        stop_requests = [callback(history, contender) for callback in callbacks]
        if any(stop_requests):
            break
    return history


def chunk_starts(images: int, chunk_images: int, batch_size: int) -> range:
    """Return the first image of each chunk of a file.

    A chunk has as many whole batches as fit into ``chunk_images``. So only the last chunk of the file can end in a
    short batch, and an epoch has as many batches as with all images in memory.

    Parameters
    ----------
    images : int
        The number of images in the file.
    chunk_images : int
        The maximum number of images per chunk.
    batch_size : int
        Images per batch.

    Returns
    -------
    starts : range
        The indices of the first images. Its step is the number of images per chunk.

    Raises
    ------
    ConfigurationError
        If a batch does not fit into a chunk.
    """
    if images <= chunk_images:
        return range(0, images, images)
    if chunk_images < batch_size:
        raise ConfigurationError(
            f"chunk_images is {chunk_images}, but a batch has {batch_size} images; "
            f"set chunk_images to at least {batch_size}"
        )
    return range(0, images, chunk_images // batch_size * batch_size)


def epoch_chunks(seed: int, epoch: int, images: int, chunk_images: int, batch_size: int) -> Iterator[Chunk]:
    """Yield the chunks of an epoch in the order in which they are trained on.

    One random generator, seeded with ``(seed, epoch)``, permutes the chunks, and then the images of each chunk.
    Permuting a single chunk consumes no random numbers, so for a single chunk the order is that of
    :func:`nnkernels.batch_order`.

    Parameters
    ----------
    seed : int
        Seed of the training.
    epoch : int
        The epoch, counted from 0.
    images, chunk_images, batch_size : int
        As in :func:`chunk_starts`.

    Yields
    ------
    chunk : Chunk
        A range of images and its order.
    """
    rng = np.random.default_rng((seed, epoch))
    starts = chunk_starts(images, chunk_images, batch_size)
    for number in rng.permutation(len(starts)).tolist():
        start = starts[number]
        stop = min(start + starts.step, images)
        yield Chunk(start, stop, rng.permutation(stop - start))


def _prefetch(
    file: ImageFile, chunks: Iterable[Chunk], buffers: list[npt.NDArray[Any]]
) -> Iterator[tuple[Chunk, npt.NDArray[Any]]]:
    # Yield chunks with their images, while a thread reads the next chunk. Two buffers take turns, so that reading does
    # not cause page faults; the images of a chunk are valid until the next chunk is requested. For a file on disk, this
    # saves a third of the time. If the file is in the page cache, it saves hardly anything, because reading takes only
    # a tenth of the time of the fastest training.
    with ThreadPoolExecutor(1, thread_name_prefix="nnkernels-reader") as reader:
        ahead: deque[tuple[Chunk, Future[npt.NDArray[Any]]]] = deque()
        for number, chunk in enumerate(chunks):
            buffer = buffers[number % 2][: chunk.stop - chunk.start]
            ahead.append((chunk, reader.submit(file.read, chunk.start, chunk.stop, buffer)))
            if number:
                current, images = ahead.popleft()
                yield current, images.result()
        current, images = ahead.popleft()
        yield current, images.result()


def _check_inputs(
    file: ImageFile, y: npt.NDArray[np.integer[Any]], start: Parameters, contender: Contender, recipe: Recipe
) -> None:
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(f"labels have dtype {y.dtype} and shape {y.shape}; expected integers (N,)")
    if len(y) != len(file):
        raise DataError(f"{file.path}: has {len(file)} images, but there are {len(y)} labels")
    inputs, classes = len(start.W1), len(start.b2)
    if inputs != file.inputs:
        raise DataError(f"{file.path}: images have {file.inputs} pixels; the network has {inputs} inputs")
    if y.min() < 0 or y.max() >= classes:  # check now, rather than after training on half of the file
        raise DataError(f"labels range from {y.min()} to {y.max()}; the network has the classes 0 to {classes - 1}")
    if recipe.deskew or recipe.augmentation:
        raise ConfigurationError(
            f"training from a file takes images as they are, but the recipe {recipe.name!r} deskews or augments them; "
            "load the images into memory, or use another recipe"
        )
    if recipe.averaged_epochs or recipe.patience is not None:
        raise ConfigurationError(
            f"training from a file ends with its last parameters, but the recipe {recipe.name!r} averages or stops "
            "early; load the images into memory, or use another recipe"
        )
    if recipe.optimizer.name != "sgd" and not isinstance(contender, _StatefulContender):
        raise ConfigurationError(
            f"{type(contender).__name__} cannot carry the optimizer state of {recipe.optimizer.name} from one chunk to "
            f"the next; train with sgd, or with one of {', '.join(kernels.names())}"
        )
