"""The catalogue of mutants: each a change of one place in the text of the kernels, as data in TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from nnkernels.errors import MeasurementError, UnknownNameError
from nnkernels.files import PACKAGE

CATALOGUES = ("numpy", "from_file", "numba", "fused_training", "fused_prediction", "fused_dense")


@dataclass(frozen=True)
class Mutant:
    """A mistake that somebody could make in a kernel.

    Attributes
    ----------
    backend : str
        The contender that is judged.
    name : str
        The mistake, in words.
    file : str
        The file that is changed, seen from the package.
    before, after : str
        Its text: ``before`` occurs exactly once.
    gates : tuple of str
        Names in :data:`~nnkernels.measure.mutants.gates.GATES`: what precedes times of the changed code.
    equivalent : str
        Why no timed input can show the change, if none can; else empty.
    tolerated : str
        Why a gate may let it pass, where its effect there is known to lie within the tolerances; else empty. It counts
        as a survivor.
    """

    backend: str
    name: str
    file: str
    before: str
    after: str
    gates: tuple[str, ...]
    equivalent: str = ""
    tolerated: str = ""

    @property
    def label(self) -> str:
        """Backend and name: what tells mutants apart."""
        return f"{self.backend}: {self.name}"

    def mutated(self, package: Path = PACKAGE) -> str:
        """Return the changed text of the file.

        Raises
        ------
        MeasurementError
            If ``before`` does not occur exactly once: the kernels have changed since the mutant was written.
        """
        text = (package / self.file).read_text("utf-8")
        if (count := text.count(self.before)) != 1:
            raise MeasurementError(
                f"mutant {self.label!r}: {self.file} has its text {count} times, expected once; adapt the catalogue"
            )
        return text.replace(self.before, self.after)


def unchanged(backend: str, gates: tuple[str, ...]) -> Mutant:
    """Return a mutant of a backend in which nothing is changed: it has to pass."""
    line = "from __future__ import annotations\n"
    return Mutant(backend, "nothing changed", "kernels/contract.py", line, line, gates)


def read_catalogue(backends: Sequence[str] = ()) -> tuple[Mutant, ...]:
    """Return the mutants of some backends, of all if none is named.

    Raises
    ------
    UnknownNameError
        If there is no mutant of a backend.
    """
    found = tuple(mutant for name in CATALOGUES for mutant in _read(name))
    known = tuple(dict.fromkeys(mutant.backend for mutant in found))
    for backend in backends:
        if backend not in known:
            raise UnknownNameError("backend with mutants", backend, known)
    return tuple(mutant for mutant in found if not backends or mutant.backend in backends)


def _read(name: str) -> list[Mutant]:
    table = tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    mutants = []
    for entry in table["mutant"]:
        gates = tuple(entry.pop("where"))
        mutants.append(Mutant(table["backend"], gates=gates, **entry))
    return mutants
