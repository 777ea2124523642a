"""What a run tells the benchmarks: the environment variables ``NNKERNELS_BENCH_*``, as one record."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from nnkernels.errors import ConfigurationError

PREFIX = "NNKERNELS_BENCH_"
COUNTS = ("rounds", "seeds", "seeds_to_accuracy", "samples")


@dataclass(frozen=True)
class BenchOptions:
    """The variables by the names of their fields: ``rounds`` is ``NNKERNELS_BENCH_ROUNDS``.

    Lists are separated by commas. A variable that is not set, or empty, leaves the benchmarks their own default.

    Attributes
    ----------
    contenders : tuple of str
        Those that interleaved runs and error rates measure; empty: all that are installed.
    dataset : str
        A data set to measure on beside ``mnist`` and ``mnist-5k``, by name.
    rounds : int or None
        Rounds of an interleaved run.
    seeds, seeds_to_accuracy : int or None
        Trainings of a contender, each from another start: of error rates, and of the time to an accuracy.
    samples : int or None
        Samples of a benchmark that takes its own: scaling, start-up, memory, large data, and the machine's limits.
    profiles : tuple of str
        The profiles whose scenarios an interleaved run measures; empty: all.
    large_images : tuple of int
        Numbers of images of large data, in place of the benchmark's own.
    records : str
        A folder for what asv does not keep: interleaved runs, and what Keras was set to.
    """

    contenders: tuple[str, ...] = ()
    dataset: str = ""
    rounds: int | None = None
    seeds: int | None = None
    seeds_to_accuracy: int | None = None
    samples: int | None = None
    profiles: tuple[str, ...] = ()
    large_images: tuple[int, ...] = ()
    records: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> BenchOptions:
        """Read the variables of an environment, this process' if none is given.

        Raises
        ------
        ConfigurationError
            If a variable that counts something holds no whole number above 0.
        """
        environ = os.environ if environ is None else environ

        def numbers(field: str, several: bool = False) -> tuple[int, ...]:
            text = environ.get(PREFIX + field, "")
            if not re.fullmatch(r"([1-9]\d*(,[1-9]\d*)*)?" if several else r"([1-9]\d*)?", text):
                what = "whole numbers" if several else "a whole number"
                raise ConfigurationError(f"{PREFIX}{field} is {text!r}; expected {what} above 0")
            return tuple(int(number) for number in text.split(",") if number)

        counts = {name: next(iter(numbers(name.upper())), None) for name in COUNTS}
        contenders, profiles = (
            tuple(filter(None, environ.get(PREFIX + field, "").split(","))) for field in ("CONTENDERS", "PROFILES")
        )
        dataset, records = (environ.get(PREFIX + field, "") for field in ("DATASET", "RECORDS"))
        large_images = numbers("LARGE_IMAGES", several=True)
        return cls(contenders, dataset, profiles=profiles, large_images=large_images, records=records, **counts)

    def as_environ(self) -> dict[str, str]:
        """Return the variables of what is said here."""
        said = {f"{PREFIX}{name.upper()}": value for name, value in vars(self).items() if value}
        return {name: ",".join(map(str, value)) if type(value) is tuple else str(value) for name, value in said.items()}
