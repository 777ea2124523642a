"""One side of a comparison: a program that runs work of the nnkernels on its path, when it is told to.

It is started by its path, by :mod:`~nnkernels.measure.regression.sides`, and imports no other file of this folder: the
nnkernels that it measures may be older than this program. Of that it needs only the protocol of contenders.

A request is a line of JSON on the standard input, ``{"do": NAME, ...}``; the answer is a line on the standard output,
``{"answer": ...}`` or ``{"error": TEXT}``. Arrays travel in ``.npz`` files in the folder of the data. Where the input
ends, the process ends.
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
    """Contenders, and pieces of work that they are prepared for.

    Parameters
    ----------
    folder : Path
        Holds the data: ``images.npy``, ``labels.npy``, and the like.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays: dict[str, Any] = {}
        self.prepared: dict[str, Any] = {}
        self.work: list[Callable[[], object]] = []
        self.gated: Any = None

    def array(self, name: str) -> Any:
        """Return an array of the folder, read once."""
        import numpy as np

        if name not in self.arrays:
            self.arrays[name] = np.load(self.folder / f"{name}.npy", allow_pickle=False)
        return self.arrays[name]

    def where(self) -> dict[str, Any]:
        """Say which nnkernels this is."""
        from nnkernels import contenders

        return {"package": str(contenders.__file__)}

    def add(
        self, backend: str, recipe: dict[str, Any], kind: str, batches: int = 0, calls: int = 0, extra: int = 0
    ) -> int:
        """Prepare a piece of work, do it once, and return its number.

        Parameters
        ----------
        kind : str
            ``train``: that many batches. ``one image``: that many calls, each of another image. ``many images``: that
            many calls of all images at once.
        extra : int
            Of ``train``: so many more batches, of images elsewhere in the epoch, in the same call. It is a slowdown of
            a known size: no call is added, and no image comes twice in a row. Nobody looks at what is trained here.
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
        """Return the nanoseconds of a piece of work, done some times."""
        task, clock = self.work[work], time.perf_counter_ns
        nanoseconds = []
        for _ in range(times):
            started = clock()
            task()
            nanoseconds.append(clock() - started)
        return nanoseconds

    def prepare(self, backend: str, recipe: dict[str, Any], start: str) -> None:
        """Prepare the contender of the gate."""
        from nnkernels import contenders

        self.gated = contenders.create(backend)
        self.gated.use_threads(1)
        self.gated.prepare(self._parameters(start), self._data(), self._recipe(recipe))

    def advance(self, stretch: str) -> None:
        """Train the contender of the gate."""
        import numpy as np

        with np.load(self.folder / stretch, allow_pickle=False) as arrays:
            self.gated.advance(arrays["order"], arrays["learning_rates"])

    def predict(self, images: str, predictions: str) -> None:
        """Write what the contender of the gate predicts."""
        import numpy as np

        np.save(self.folder / predictions, self.gated.predict(np.load(self.folder / images, allow_pickle=False)))

    def parameters(self, parameters: str) -> None:
        """Write the parameters of the contender of the gate."""
        import numpy as np

        np.savez(self.folder / parameters, **self.gated.parameters()._asdict())

    def _contender(self, backend: str, recipe: dict[str, Any]) -> Any:
        from nnkernels import contenders
        from nnkernels.parameters import initial_parameters

        key = json.dumps([backend, recipe])
        if key not in self.prepared:
            data, contender = self._data(), contenders.create(backend)
            contender.use_threads(1)
            contender.prepare(initial_parameters(0, data.X.shape[1]), data, self._recipe(recipe))
            self.prepared[key] = contender
        return self.prepared[key]

    def _training(self, contender: Any, recipe: dict[str, Any], batches: int, extra: int) -> Callable[[], object]:
        import numpy as np

        order, size = self.array(ORDER), recipe["batch_size"]
        length = batches * size
        stretches = []
        for start in range(0, len(order) - length + 1, length):
            elsewhere = np.roll(order, -(start + len(order) // 2))[: extra * size]
            stretches.append(np.concatenate([order[start : start + length], elsewhere]))
        turns = itertools.cycle(stretches)
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
    """Answer requests until there are no more."""
    for line in requests:
        request = json.loads(line)
        try:
            answer = {"answer": getattr(side, request.pop("do"))(**request)}
        except Exception as error:  # what is measured may raise anything; whoever asked is told
            answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Serve on one CPU: ``side_process.py FOLDER CPU``; -1 for any CPU."""
    folder, cpu = Path(sys.argv[1]), int(sys.argv[2])
    if cpu >= 0:
        # Before NumPy and Numba count the CPUs that they may use.
        os.sched_setaffinity(0, {cpu})
    # Whatever else is printed here must not be taken for an answer.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(Side(folder), sys.stdin, answers)


if __name__ == "__main__":
    main()
