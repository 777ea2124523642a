"""What the fused kernels were asked to reach, row by row, and what of it a run reached."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nnkernels.measure.works import ERROR_RATE
from nnkernels.report import formats
from nnkernels.report.evidence import (
    ALL_AGAINST_ALL,
    ALL_AGAINST_ONE,
    ONE_AGAINST_FASTER,
    SAME_NUMBER,
    Difference,
    Evidence,
    Measure,
    Paired,
    Quotient,
    RowKey,
    Settings,
    Value,
)
from nnkernels.report.runs import Run
from nnkernels.report.summary import KERAS_FORMS_PREFIX
from nnkernels.report.tidy import PAIRED, tidy
from nnkernels.statistics import Estimate

OURS = "fused"
MEGABYTES_PER_MIB = 2**20 / 1e6


@dataclass(frozen=True)
class Target:
    """A row of what was asked.

    Attributes
    ----------
    work, against : str
        In words.
    asked, stretch : float
        The least that was asked, or the most where ``at_most``; NaN for no stretch.
    """

    work: str
    against: str
    measure: Measure
    asked: float
    stretch: float = math.nan
    at_most: bool = False

    def verdict(self, reached: Estimate | None) -> str:
        """Return ``not measured``, ``missed``, ``reached`` or ``stretch reached``, by the value."""
        if reached is None:
            return "not measured"
        if self._meets(reached.value, self.stretch):
            return "stretch reached"
        return "reached" if self._meets(reached.value, self.asked) else "missed"

    def limit(self, asked: float) -> str:
        """Return what is asked in words."""
        if math.isnan(asked):
            return "-"
        return f"{'at most ' if self.at_most else ''}{asked:,g} {self.measure.unit}"

    def _meets(self, value: float, asked: float) -> bool:
        return value <= asked if self.at_most else value >= asked


@dataclass(frozen=True)
class Row:
    """A target and what a run has of it."""

    target: Target
    against: str
    reached: Estimate | None
    cpu: str

    @property
    def verdict(self) -> str:
        """In words."""
        return self.target.verdict(self.reached)

    def cells(self) -> tuple[str, ...]:
        """Return the row as texts, in the order of :data:`HEADINGS`."""
        target = self.target
        value, _space, interval = formats.ratio(self.reached).partition(" ")
        reached = f"{value} {target.measure.unit} {interval}".rstrip() if self.reached else value
        asked, stretch = target.limit(target.asked), target.limit(target.stretch)
        return (target.work, self.against, self.verdict, reached, asked, stretch, self.cpu)


# What one looks for first, first: on a narrow page the end of a row is out of sight.
HEADINGS = ("work", "against", "verdict", "reached", "asked", "stretch", "CPU")

_EPOCH, _ADAM, _LARGE_BATCH = "epoch", "epoch, Adam", "epoch, batch 1,024"
_BEST_KERAS = f"{KERAS_FORMS_PREFIX}*"


def _paired(words: str, work: str, settings: Settings, *asked: tuple[str, str, float, float]) -> tuple[Target, ...]:
    return tuple(
        Target(words, name, Paired(work, OURS, against, settings), least, stretch)
        for name, against, least, stretch in asked
    )


def _large_data(benchmark: str, images: int) -> RowKey:
    return (f"large_data.MemoryMap.{benchmark}", "", f"images={images}", "1")


def _first_call(cache: str) -> RowKey:
    return ("startup.FirstCall.track_seconds", OURS, f"cache={cache}", "all")


TARGETS = (
    *_paired(
        "epoch, SGD, batch 32",
        _EPOCH,
        ONE_AGAINST_FASTER,
        ("NumPy", "numpy", 6, 12),
        ("JAX scan", "jax-scan", 9, 18),
        ("best Keras", _BEST_KERAS, 14, 30),
        ("keras-fit", "keras-fit", 100, 200),
    ),
    *_paired(
        "epoch, Adam, batch 32",
        _ADAM,
        ONE_AGAINST_FASTER,
        ("NumPy", "numpy", 5, 9),
        ("best Keras", _BEST_KERAS, 10, 18),
        ("keras-fit", "keras-fit", 60, 110),
    ),
    *_paired(
        "epoch, SGD, batch 1,024, all threads",
        _LARGE_BATCH,
        ALL_AGAINST_ALL,
        ("NumPy on all threads", "numpy", 4, 6),
    ),
    *_paired(
        "epoch, SGD, batch 1,024, all threads",
        _LARGE_BATCH,
        ALL_AGAINST_ONE,
        ("fused on one thread", OURS, 1.6, 1.9),
    ),
    *_paired(
        "one image, from Python",
        "one image",
        ONE_AGAINST_FASTER,
        ("ONNX Runtime", "onnxruntime", 10, 20),
        ("a tf.function", "keras-graph", 200, 400),
        ("Keras' predict", "keras-fit", 20_000, 50_000),
    ),
    *_paired(
        "10,000 images, from uint8, same number of threads",
        "10,000 images",
        SAME_NUMBER,
        ("ONNX Runtime", "onnxruntime", 3, 6),
        ("NumPy", "numpy", 5, 10),
    ),
    *(
        target
        for hidden in (128, 512)
        for target in _paired(
            f"epoch, SGD, batch 128, hidden {hidden}",
            f"epoch, hidden {hidden}",
            ONE_AGAINST_FASTER,
            ("NumPy", "numpy", 1, 2),
            ("JAX scan", "jax-scan", 1, 2),
            ("best Keras", _BEST_KERAS, 1, 2),
        )
    ),
    Target(
        "epoch, SGD, batch 32",
        "share of the sparsity-aware limit",
        Quotient(("limits.Bound.track_epoch", "", "bound=sparse", "1"), (PAIRED, OURS, "work=epoch", "1"), 100, "%"),
        25,
        50,
    ),
    *_paired(
        f"time to {100 * (1 - ERROR_RATE):.1f} % test from uint8, preparation included",
        "time to 8.7 % error",
        ONE_AGAINST_FASTER,
        ("best Keras", _BEST_KERAS, 50, 100),
    ),
    Target(
        "1,000,000 images from a memory map",
        "time per image of 60,000",
        Quotient(_large_data("track_seconds_per_image", 1_000_000), _large_data("track_seconds_per_image", 60_000)),
        1.15,
        at_most=True,
    ),
    Target(
        "1,000,000 images from a memory map",
        "peak memory beyond the import",
        Value(_large_data("track_peak_beyond_import", 1_000_000), MEGABYTES_PER_MIB, "MB"),
        400,
        at_most=True,
    ),
    Target(
        "first ten batches of a process",
        "seconds, nothing compiled before",
        Value(_first_call("empty"), 1, "s"),
        5,
        at_most=True,
    ),
    Target(
        "first ten batches of a process",
        "seconds beyond Numba's own, compiled before",
        Difference(_first_call("warm"), ("startup.NumbaItself.track_seconds", "", "cache=warm", "all"), "s"),
        0.3,
        at_most=True,
    ),
)

LEGEND = (
    "Times as fast: the median of paired ratios, all taking turns in one process, ours on one thread against the "
    "other's faster number of threads unless the row says otherwise; the best Keras is the form that comes nearest. "
    "The first ten batches are timed from the import on, with preparation. "
    "In brackets: 95 % intervals; verdicts are by the value."
)


def rows(run: Run, tidied: pd.DataFrame | None = None) -> list[Row]:
    """Return what was asked, row by row, with what the run reached.

    Parameters
    ----------
    tidied : DataFrame, optional
        The run's tidy table, where it is at hand.
    """
    evidence = Evidence(run, tidy(run) if tidied is None else tidied)
    found = []
    for target in TARGETS:
        reached, form = target.measure.reached(evidence)
        against = f"{target.against} ({form})" if form else target.against
        found.append(Row(target, against, reached, run.record.provenance["cpu"] if reached else "-"))
    return found


def any_measured(of_run: list[Row]) -> bool:
    """Return whether the run has any of what was asked."""
    return any(row.reached for row in of_run)


def elsewhere(run: Run) -> str:
    """Say where nothing of this was measured."""
    provenance = run.record.provenance
    here = {
        "ARM": provenance["architecture"].lower() in ("arm64", "aarch64"),
        "macOS": provenance["os"].startswith("Darwin"),
    }
    absent = [name for name, is_here in here.items() if not is_here]
    return f"{' and '.join(absent)}: not measured." if absent else ""


def frame(of_run: list[Row]) -> pd.DataFrame:
    """Return the rows as a table for other programs: numbers as numbers, in the row's unit."""
    return pd.DataFrame(
        [
            {
                "work": row.target.work,
                "against": row.against,
                "asked": float(row.target.asked),
                "stretch": float(row.target.stretch),
                "reached": row.reached.value if row.reached else np.nan,
                "ci_low": row.reached.low if row.reached else np.nan,
                "ci_high": row.reached.high if row.reached else np.nan,
                "unit": row.target.measure.unit,
                "verdict": row.verdict,
                "cpu": row.cpu,
            }
            for row in of_run
        ]
    )
