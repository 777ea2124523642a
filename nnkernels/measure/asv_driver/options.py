"""What a run tells the benchmarks: the environment variables ``NNKERNELS_BENCH_*``, as one record."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from nnkernels.errors import ConfigurationError

PREFIX = "NNKERNELS_BENCH_"


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


PARSERS: dict[str, Callable[[str], object]] = {
    "str": str,
    "int | None": _count,
    "tuple[str, ...]": lambda text: tuple(text.split(",")),
    "tuple[int, ...]": lambda text: tuple(map(_count, text.split(","))),
}


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
    seeds : int or None
        Trainings of a contender, each from another start: of error rates, and of the time to an accuracy.
    samples : int or None
        Samples of a benchmark that takes its own: scaling, start-up, memory, large data, and the machine's limits.
    large_images : tuple of int
        Numbers of images of large data, in place of the benchmark's own.
    records : str
        A folder for what asv does not keep: interleaved runs, and what Keras was set to.
    """

    contenders: tuple[str, ...] = ()
    dataset: str = ""
    rounds: int | None = None
    seeds: int | None = None
    samples: int | None = None
    large_images: tuple[int, ...] = ()
    records: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> BenchOptions:
        """Read the variables of an environment, this process' if none is given.

        Raises
        ------
        ConfigurationError
            If one that begins with ``NNKERNELS_BENCH_`` is unknown, or its value is none for it.
        """
        environ = os.environ if environ is None else environ
        given = {name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
        types = {field.name: str(field.type) for field in fields(cls)}
        options: dict[str, Any] = {}
        for name, text in given.items():
            if name not in types:
                known = ", ".join(map(_variable, types))
                raise ConfigurationError(f"unknown variable {_variable(name)}; known are: {known}")
            try:
                if text:
                    options[name] = PARSERS[types[name]](text)
            except ValueError:
                expected = "whole numbers above 0" if "..." in types[name] else "a whole number above 0"
                raise ConfigurationError(f"{_variable(name)} is {text!r}; expected {expected}") from None
        return cls(**options)

    def as_environ(self) -> dict[str, str]:
        """Return the variables of what is said here."""
        said = {_variable(field.name): value for field in fields(self) if (value := getattr(self, field.name))}
        return {
            name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value) for name, value in said.items()
        }


def _variable(name: str) -> str:
    return PREFIX + name.upper()
