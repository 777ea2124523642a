"""Two runs side by side: what differs between them, then the ratios, then the values."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from nnkernels.report import formats
from nnkernels.report.runs import Run
from nnkernels.report.tidy import KEYS, records, tidy

JOIN = ["benchmark", "contender", *[key for key in KEYS if key != "benchmark"], "dataset", "unit"]


def differences(run: Run, other: Run) -> list[tuple[str, str, str]]:
    """Return everything by which two runs differ beside their numbers: (what, here, there)."""
    here, there = _facts(run), _facts(other)
    names = [*here, *(name for name in there if name not in here)]
    pairs = [(name, here.get(name, "-"), there.get(name, "-")) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def side_by_side(run: Run, other: Run) -> pd.DataFrame:
    """Return the rows of both runs: one line where benchmark, parameters, threads and data set agree, else two."""
    return tidy(run).merge(tidy(other), on=JOIN, how="outer", suffixes=("", "_against"), sort=False)


def differences_table(run: Run, other: Run) -> Table:
    """Return what differs, or a table that says that nothing does."""
    table = Table(title="what differs", box=box.SIMPLE_HEAVY, collapse_padding=True, pad_edge=False)
    for heading in ("", run.record.run_id, other.record.run_id):
        table.add_column(heading, overflow="fold")
    found = differences(run, other)
    for row in found or [("nothing but the hour", "", "")]:
        table.add_row(*row)
    return table


def rows_table(run: Run, other: Run) -> Table:
    """Return the rows of both runs, ratios first; the last column is this run's value over the other's."""
    table = Table(box=box.SIMPLE_HEAVY, collapse_padding=True, pad_edge=False)
    for heading in ("benchmark", "contender", "parameters", "data"):
        table.add_column(heading, overflow="fold")
    headings = ("threads", "x NumPy", "against", "x Keras", "against", "value", "against", "change")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in records(side_by_side(run, other)):
        table.add_row(
            *(row[key] for key in ("benchmark", "contender", "parameters", "dataset", "threads")),
            *(_number(row[column]) for column in _ratio_columns()),
            *(formats.quantity(row[column], row["unit"]) for column in ("value", "value_against")),
            _change(row["value"], row["value_against"]),
        )
    return table


def _ratio_columns() -> list[str]:
    return ["ratio_to_numpy", "ratio_to_numpy_against", "ratio_to_keras", "ratio_to_keras_against"]


def _number(value: float) -> str:
    return "" if math.isnan(value) else formats.significant(value)


def _change(value: float, against: float) -> str:
    return "" if math.isnan(value) or math.isnan(against) or not against else f"{100 * (value / against - 1):+.1f} %"


def _facts(run: Run) -> dict[str, str]:
    record = run.record
    facts = {
        "commit": record.commit[:8],
        "machine": record.machine,
        "profile": record.profile,
        "threads": ", ".join(record.threads),
        "contenders": ", ".join(record.contenders),
        "recorded": record.unrecorded or "yes",
    }
    return facts | _flat(record.provenance)


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        items = [(f"{prefix}.{key}" if prefix else str(key), item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [(f"{prefix}[{index}]", item) for index, item in enumerate(value)]
    else:
        return {prefix: str(value)}
    return {name: text for key, item in items for name, text in _flat(item, key).items()}
