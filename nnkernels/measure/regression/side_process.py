"""One side of a comparison: a program that, on request, runs the version of nnkernels that it imports.

:mod:`~nnkernels.measure.regression.sides` starts it by the path of this file. It imports no other file of this folder,
because the version that it measures may be older than this file. For the same reason, it uses little besides the
protocol of contenders.

A request is a line of JSON on the standard input, ``{"do": NAME, ...}``. The answer is a line on the standard output,
``{"answer": ...}`` or ``{"error": TEXT}``. Arrays are passed as ``.npz`` files in the data folder. The process ends
when its standard input ends.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

IMAGES, LABELS, ORDER, ONE_BY_ONE, TOGETHER = "images", "labels", "order", "one_by_one", "together"


class Side:
    """Prepared contenders, and work that they can run. The public methods are the requests.

    Parameters
    ----------
    folder : Path
        The data folder, with ``images.npy``, ``labels.npy`` and others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays: dict[str, Any] = {}
        self.prepared: dict[str, Any] = {}
        self.work: list[Callable[[], object]] = []
        self.gate_contender: Any = None

    def array(self, name: str) -> Any:
        """Return an array of the data folder. Each array is read once.

        Parameters
        ----------
        name : str
            Name of the file, without ``.npy``.

        Returns
        -------
        array : ndarray
            The array.
        """
        import numpy as np

        if name not in self.arrays:
            self.arrays[name] = np.load(self.folder / f"{name}.npy", allow_pickle=False)
        return self.arrays[name]

    def where(self) -> dict[str, Any]:
        """Return the location of the imported nnkernels.

        Returns
        -------
        location : dict
            ``package``: a path in the package.
        """
        from nnkernels import contenders

        return {"package": str(contenders.__file__)}

    def add(
        self, backend: str, recipe: dict[str, Any], kind: str, batches: int = 0, calls: int = 0, extra: int = 0
    ) -> int:
        """Prepare a piece of work, and run it once.

        Parameters
        ----------
        backend : str
            Name of the backend.
        recipe : dict
            Training recipe; see :func:`nnkernels.measure.regression.comparisons.recipe_fields`.
        kind : str
            ``train``: training on ``batches`` batches. ``one image``: ``calls`` predictions, each of a different image.
            ``many images``: ``calls`` predictions of all images together.
        batches, calls : int
            Amount of work.
        extra : int
            For ``train``: number of additional batches in the same call, as a slowdown of known size. Their images are
            from another part of the epoch, so that no image is used twice in a row. The trained parameters are not
            used.

        Returns
        -------
        work : int
            Identifier of the work, for :meth:`run`.
        """
        contender = self._contender(backend, recipe)
        if kind == "train":
            run = self._training(contender, recipe, batches, extra)
        else:
            X = self.array(ONE_BY_ONE if kind == "one image" else TOGETHER)
            turns = itertools.cycle([X[i : i + 1] for i in range(len(X))] if kind == "one image" else [X])

            def run() -> None:
                for images in itertools.islice(turns, calls):
                    contender.predict(images)

        run()
        self.work.append(run)
        return len(self.work) - 1

    def run(self, work: int, times: int = 1) -> list[int]:
        """Time a piece of work.

        Parameters
        ----------
        work : int
            Identifier of the work, from :meth:`add`.
        times : int
            Number of repetitions.

        Returns
        -------
        nanoseconds : list of int
            The time of each repetition.
        """
        task, clock = self.work[work], time.perf_counter_ns
        nanoseconds = []
        for _ in range(times):
            started = clock()
            task()
            nanoseconds.append(clock() - started)
        return nanoseconds

    def prepare(self, backend: str, recipe: dict[str, Any], start: str) -> None:
        """Create and prepare the contender for the gate, on one thread.

        Parameters
        ----------
        backend : str
            Name of the backend.
        recipe : dict
            Training recipe.
        start : str
            Name of the ``.npz`` file of the initial parameters.
        """
        from nnkernels import contenders

        self.gate_contender = contenders.create(backend)
        self.gate_contender.use_threads(1)
        self.gate_contender.prepare(self._parameters(start), self._data(), self._recipe(recipe))

    def advance(self, batches: str) -> None:
        """Train the gate's contender.

        Parameters
        ----------
        batches : str
            Name of the ``.npz`` file of the image order and the learning rates.
        """
        import numpy as np

        with np.load(self.folder / batches, allow_pickle=False) as arrays:
            self.gate_contender.advance(arrays["order"], arrays["learning_rates"])

    def predict(self, images: str, predictions: str) -> None:
        """Write the predictions of the gate's contender.

        Parameters
        ----------
        images : str
            Name of the ``.npy`` file of the images.
        predictions : str
            Name of the ``.npy`` file to write.
        """
        import numpy as np

        np.save(
            self.folder / predictions, self.gate_contender.predict(np.load(self.folder / images, allow_pickle=False))
        )

    def parameters(self, parameters: str) -> None:
        """Write the parameters of the gate's contender.

        Parameters
        ----------
        parameters : str
            Name of the ``.npz`` file to write.
        """
        import numpy as np

        np.savez(self.folder / parameters, **self.gate_contender.parameters()._asdict())

    def _contender(self, backend: str, recipe: dict[str, Any]) -> Any:
        from nnkernels import contenders
        from nnkernels.parameters import initial_parameters

        key = json.dumps([backend, recipe])
        if key not in self.prepared:
            data, contender = self._data(), contenders.create(backend)
            contender.use_threads(1)
            start = initial_parameters(0, data.X.shape[1], classes=max(10, int(data.y.max()) + 1))
            contender.prepare(start, data, self._recipe(recipe))
            self.prepared[key] = contender
        return self.prepared[key]

    def _training(self, contender: Any, recipe: dict[str, Any], batches: int, extra: int) -> Callable[[], object]:
        import numpy as np

        order, size = self.array(ORDER), recipe["batch_size"]
        length = batches * size
        orders = []
        for start in range(0, len(order) - length + 1, length):
            additional = np.roll(order, -(start + len(order) // 2))[: extra * size]
            orders.append(np.concatenate([order[start : start + length], additional]))
        turns = itertools.cycle(orders)
        learning_rates = np.full(batches + extra, recipe["learning_rate"], np.float32)
        return lambda: contender.advance(next(turns), learning_rates)

    def _data(self) -> Any:
        from nnkernels.data import LabelledImages

        return LabelledImages(self.array(IMAGES), self.array(LABELS))

    def _recipe(self, recipe: dict[str, Any]) -> Any:
        from nnkernels.recipes import Optimizer, Recipe

        return Recipe(**{**recipe, "optimizer": Optimizer(recipe["optimizer"])})

    def _parameters(self, file: str) -> Any:
        import numpy as np

        from nnkernels.parameters import Parameters

        with np.load(self.folder / file, allow_pickle=False) as arrays:
            return Parameters(**arrays)


def serve(side: Side, requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until the input ends.

    Parameters
    ----------
    side : Side
        Performs the requests.
    requests, answers : file object
        Text streams of lines of JSON.
    """
    for line in requests:
        request = json.loads(line)
        try:
            answer = {"answer": getattr(side, request.pop("do"))(**request)}
        except Exception as error:  # the measured code may raise anything; the caller gets the error
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Serve requests, pinned to one CPU: ``side_process.py FOLDER CPU``, with -1 for any CPU."""
    folder, cpu = Path(sys.argv[1]), int(sys.argv[2])
    if cpu >= 0:
        # This must precede the imports of NumPy and Numba, which count the available CPUs.
        os.sched_setaffinity(0, {cpu})
    # Other output of this process goes to the standard error, so that it is not mistaken for an answer.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(Side(folder), sys.stdin, answers)


if __name__ == "__main__":
    main()
