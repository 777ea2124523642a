"""The options that a run passes to the benchmarks, as environment variables ``NNKERNELS_BENCH_*``."""

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
    """Options of the benchmarks. ``rounds`` is set by ``NNKERNELS_BENCH_ROUNDS``, and so on.

    Lists are separated by commas. If a variable is empty or not set, the benchmarks use their own default.

    Attributes
    ----------
    contenders : tuple of str
        Contenders of interleaved runs and of error rates; empty for all that are installed.
    dataset : str
        Name of an additional data set besides ``mnist`` and ``mnist-5k``.
    rounds : int or None
        Rounds of an interleaved run.
    seeds : int or None
        Training runs per contender for error rates.
    seeds_to_accuracy : int or None
        Training runs per contender for the time to an accuracy.
    samples : int or None
        Samples of benchmarks that do their own sampling: scaling, start-up, memory, large data and machine limits.
    profiles : tuple of str
        The profiles whose scenarios an interleaved run measures; empty for all.
    large_images : tuple of int
        Numbers of images of large data, instead of the default ones.
    records : str
        A folder for what asv does not store: interleaved runs, and the configuration of Keras.
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
        """Read the options from environment variables.

        Parameters
        ----------
        environ : mapping, optional
            Environment variables; by default, those of this process.

        Returns
        -------
        options : BenchOptions
            The options.

        Raises
        ------
        ConfigurationError
            If a number is not a positive integer.
        """
        environ = os.environ if environ is None else environ

        def numbers(field: str, several: bool = False) -> tuple[int, ...]:
            text = environ.get(PREFIX + field, "")
            if not re.fullmatch(r"([1-9]\d*(,[1-9]\d*)*)?" if several else r"([1-9]\d*)?", text):
                what = "positive integers, separated by commas" if several else "a positive integer"
                raise ConfigurationError(f"{PREFIX}{field} is {text!r}; expected {what}")
            return tuple(int(number) for number in text.split(",") if number)

        counts = {name: next(iter(numbers(name.upper())), None) for name in COUNTS}
        contenders, profiles = (
            tuple(filter(None, environ.get(PREFIX + field, "").split(","))) for field in ("CONTENDERS", "PROFILES")
        )
        dataset, records = (environ.get(PREFIX + field, "") for field in ("DATASET", "RECORDS"))
        large_images = numbers("LARGE_IMAGES", several=True)
        return cls(contenders, dataset, profiles=profiles, large_images=large_images, records=records, **counts)

    def as_environ(self) -> dict[str, str]:
        """Return the environment variables of these options.

        Returns
        -------
        environ : dict
            Variables of the options that differ from the benchmarks' defaults.
        """
        variables = {f"{PREFIX}{name.upper()}": value for name, value in vars(self).items() if value}
        return {
            name: ",".join(map(str, value)) if type(value) is tuple else str(value) for name, value in variables.items()
        }
