"""The catalogue of mutants, in TOML files. Each mutant replaces one passage in the source text of the kernels."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from nnkernels.errors import MeasurementError, UnknownNameError
from nnkernels.files import PACKAGE
from nnkernels.kernels.fused.paths import LISTS, with_path

CATALOGUES = (
    "numpy",
    "from_file",
    "numba",
    "fused_training",
    "fused_tiles",
    "fused_regularized",
    "fused_prediction",
    "fused_bytes",
    "fused_evaluation",
    "fused_dense",
)

DEFAULT_PATHS = LISTS


@dataclass(frozen=True)
class Mutant:
    """A plausible mistake in a kernel.

    Attributes
    ----------
    backend : str
        The contender that is checked.
    name : str
        Description of the mistake.
    file : str
        The file to change, relative to the package.
    before, after : str
        The text to replace, which occurs exactly once, and its replacement.
    gates : tuple of str
        Names in :data:`~nnkernels.measure.mutants.gates.GATES`: the checks that precede timings of the changed code.
    equivalent : str
        Why no timed input can reveal the change; empty if one can.
    tolerated : str
        Why a gate may pass the mutant, because its effect is known to be within the tolerances; empty otherwise. Such a
        mutant still counts as a survivor.
    paths : str
        Value of ``NNKERNELS_FUSED_PATHS`` for the checks, so that they run the changed code on every CPU.
    """

    backend: str
    name: str
    file: str
    before: str
    after: str
    gates: tuple[str, ...]
    equivalent: str = ""
    tolerated: str = ""
    paths: str = DEFAULT_PATHS

    @property
    def label(self) -> str:
        """Backend, paths and name, which identify the mutant."""
        return f"{code_label(self.backend, self.paths)}: {self.name}"

    def mutated(self, package: Path = PACKAGE) -> str:
        """Return the changed source text.

        Parameters
        ----------
        package : Path
            Folder of the unchanged package.

        Returns
        -------
        text : str
            Content of the file, with the mistake.

        Raises
        ------
        MeasurementError
            If ``before`` does not occur exactly once because the kernels have changed.
        """
        text = (package / self.file).read_text("utf-8")
        if (count := text.count(self.before)) != 1:
            raise MeasurementError(
                f"mutant {self.label!r}: {self.file} contains the text to replace {count} times, expected "
                "once: update the catalogue"
            )
        return text.replace(self.before, self.after)


def code_label(backend: str, paths: str) -> str:
    """Describe the code that is checked.

    Parameters
    ----------
    backend : str
        Name of the backend.
    paths : str
        See :class:`Mutant`.

    Returns
    -------
    label : str
        Such as ``fused (tiles)``; only the name for the usual paths.
    """
    return with_path(backend, "" if paths == DEFAULT_PATHS else paths)


def unchanged(backend: str, gates: tuple[str, ...], paths: str = DEFAULT_PATHS) -> Mutant:
    """Return a control: a mutant without a change, which every gate must pass.

    Parameters
    ----------
    backend : str
        The contender that is checked.
    gates : tuple of str
        Names of the gates.
    paths : str
        As in :class:`Mutant`.

    Returns
    -------
    mutant : Mutant
        Its replacement equals the original text.
    """
    line = "from __future__ import annotations\n"
    return Mutant(backend, "nothing changed", "kernels/contract.py", line, line, gates, paths=paths)


def read_catalogue(backends: Sequence[str] = ()) -> tuple[Mutant, ...]:
    """Read the mutants of some backends.

    Parameters
    ----------
    backends : sequence of str
        Names of the backends; empty for all.

    Returns
    -------
    mutants : tuple of Mutant
        In the order of the catalogue.

    Raises
    ------
    UnknownNameError
        If the catalogue has no mutants of a backend.
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
        mutants.append(Mutant(table["backend"], gates=gates, paths=table.get("paths", DEFAULT_PATHS), **entry))
    return mutants
