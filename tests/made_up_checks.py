"""Synthetic measurements and records of `nnkernels check`, and git checkouts for it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from nnkernels.measure.regression import rule
from nnkernels.measure.regression.comparisons import Comparison
from nnkernels.measure.regression.measuring import Plan
from nnkernels.measure.regression.pairs import Pair
from nnkernels.measure.regression.record import CheckRecord


def git(root: Path, *arguments: str) -> str:
    author = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *author, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def new_checkout(root: Path) -> Path:
    """Make a git checkout that looks like one of nnkernels, with two commits."""
    for name, text in {"asv.conf.json": "{}", "bench/ratios.py": "", "nnkernels/kernel.py": "old\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "old")
    (root / "nnkernels" / "kernel.py").write_text("new\n", "utf-8")
    git(root, "commit", "-q", "-a", "-m", "new")
    return root


def pairs_of(comparisons: list[Comparison], ratio: float, spread: float = 0.002, count: int = 16) -> list[Pair]:
    """Return synthetic pairs: the tree takes ``ratio`` times as long as the base, numpy 5 times as long as others."""
    rng = np.random.default_rng(0)

    def nanoseconds(comparison: Comparison) -> dict[str, list[int]]:
        base = (5 if comparison.backend == "numpy" else 1) * comparison.units * 10_000
        offset = rng.normal(scale=spread)
        return {"base": [base] * 5, "tree": [round(base * ratio * np.exp(offset))] * 5}

    return [Pair(0, {one.name: nanoseconds(one) for one in comparisons}) for _ in range(count)]


def record_of(comparisons: list[Comparison], pairs: list[Pair], **changes: Any) -> CheckRecord:
    fields: dict[str, Any] = {
        "recorded_at": "2026-11-28T17:00:00+00:00",
        "method": Plan().method(),
        "error": rule.error_per_comparison(len(comparisons)),
        "base": "a" * 40,
        "tree": "b" * 40,
        "machine": "some-cpu-2-cpus",
        "dataset": "mnist",
        "neighbour": False,
        "seconds": 100.0,
        "comparisons": comparisons,
        "pairs": pairs,
    }
    return CheckRecord(**{**fields, **changes})


TWO = [Comparison("numpy", "epoch", 10), Comparison("fused", "epoch", 100)]
