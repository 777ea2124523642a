"""Two runs side by side: what differs between them, then each fact of both, ratios first."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from rich.console import Console

from nnkernels.report.glance import caveats
from nnkernels.report.layout import Column, show, show_notes
from nnkernels.report.runs import Run
from nnkernels.report.tables import (
    RATIO_HEADINGS,
    RATIOS_NOTE,
    best_keras,
    estimate_column,
    identity_columns,
    ratio_text,
    title,
)
from nnkernels.report.tidy import WORK, keys, parameter_columns, records, tidy

AGAINST = "_against"
BEST_KERAS = "ratio_to_best_keras"


def differences(run: Run, other: Run) -> list[tuple[str, str, str]]:
    """Return everything by which two runs differ beside their numbers: (what, here, there)."""
    here, there = _facts(run), _facts(other)
    names = [*here, *(name for name in there if name not in here)]
    pairs = [(name, here.get(name, "-"), there.get(name, "-")) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def side_by_side(run: Run, other: Run) -> pd.DataFrame:
    """Return the rows of both runs: one line where benchmark, parameters, threads and data set agree, else two."""
    here, there = tidy(run), tidy(other)
    join = list(dict.fromkeys([*keys(here), *keys(there), "dataset", "unit"]))
    for rows in (here, there):  # a benchmark of one run may have a parameter that none of the other has
        rows[[name for name in join if name not in rows]] = ""
    joined = here.merge(there, on=join, how="outer", suffixes=("", AGAINST))
    # The order of the runs, ratios first; an outer merge has its own.
    order = {key: place for place, key in enumerate(dict.fromkeys([*_tuples(here, join), *_tuples(there, join)]))}
    joined = joined.set_axis([order[key] for key in _tuples(joined, join)]).sort_index()
    return joined.reset_index(drop=True)[[*join, *(column for column in joined.columns if column not in join)]]


def _tuples(rows: pd.DataFrame, columns: list[str]) -> list[tuple[Any, ...]]:
    return list(rows[columns].itertuples(index=False, name=None))


def show_differences(console: Console, run: Run, other: Run) -> None:
    """Print what differs, a line a fact, or that nothing does."""
    console.print(f"[bold]what differs: {run.record.run_id} against {other.record.run_id}[/]", highlight=False)
    found = [f"{what}: {here} against {there}" for what, here, there in differences(run, other)]
    show_notes(console, found or ["nothing but the hour"])


def show_side_by_side(console: Console, run: Run, other: Run) -> None:
    """Print every fact of both runs, a line a fact."""
    joined = side_by_side(run, other)
    told = ["Change: of the run from the one that it is against.", RATIOS_NOTE]
    show_notes(console, [*told, *caveats(set(joined["contender"]))])
    for (benchmark, work, dataset), rows in joined.groupby(["benchmark", WORK, "dataset"], sort=False):
        here, there = best_keras(rows["best_keras"]), best_keras(rows[f"best_keras{AGAINST}"])
        told = [f"Best Keras: {here} against {there}."] if here or there else []
        show(console, f"{title(str(benchmark), str(work))}, on {dataset}", _columns(rows, _facts_of(rows)), told)


def _columns(rows: pd.DataFrame, facts: list[dict[str, Any]]) -> list[Column]:
    parameters = [name for name in parameter_columns(rows) if not name.endswith(AGAINST)]
    identities = [
        Column(column.heading, [column.cells[fact["row"]] for fact in facts], identity=True, right=column.right)
        for column in identity_columns(rows, parameters)
    ]
    return [
        *identities,
        Column("what", [fact["what"] for fact in facts], identity=True),
        Column.of_estimates("run", lambda interval: [fact["here"][interval] for fact in facts]),
        Column.of_estimates("against", lambda interval: [fact["there"][interval] for fact in facts]),
        Column("change", [fact["change"] for fact in facts], right=True),
    ]


def _facts_of(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the facts of each row, ratios first: texts with and without intervals, and the change."""
    found = records(rows)
    values = [estimate_column("", found, suffix) for suffix in ("", AGAINST)]
    facts = []
    for index, row in enumerate(found):
        for column, heading in RATIO_HEADINGS.items():
            texts = [
                {long: ratio_text(row, column, suffix, long) for long in (True, False)} for suffix in ("", AGAINST)
            ]
            if texts[0][False] or texts[1][False]:
                same = column != BEST_KERAS or row["best_keras"] == row[f"best_keras{AGAINST}"]
                change = _change(row[column], row[f"{column}{AGAINST}"]) if same else ""
                facts.append({"row": index, "what": heading, "here": texts[0], "there": texts[1], "change": change})
        here, there = ({True: column.cells[index], False: (column.short or [])[index]} for column in values)
        change = _change(row["value"], row[f"value{AGAINST}"])
        facts.append({"row": index, "what": "value", "here": here, "there": there, "change": change})
    return facts


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
