"""Two runs side by side: what differs between them, then the facts by which they differ, most significant first."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console

from nnkernels.report.glance import caveats
from nnkernels.report.layout import Column, show, show_notes
from nnkernels.report.runs import Run
from nnkernels.report.tables import RATIOS_NOTE, best_keras
from nnkernels.report.tidy import WORK, keys, parameter_columns, records, tidy
from nnkernels.report.verdicts import AGAINST, Fact, facts


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


def show_side_by_side(console: Console, run: Run, other: Run, everything: bool = False) -> None:
    """Print the facts by which two runs differ, a line a fact, the most significant first.

    Parameters
    ----------
    everything : bool
        Whether those whose intervals overlap are shown too, and those of which nothing can be said.
    """
    joined = side_by_side(run, other)
    found = facts(records(joined))
    shown = [fact for fact in found if everything or fact.is_told]
    told = [
        "Change: of the run from the one that it is against. Better or worse: their 95 % intervals do not overlap; the "
        "most significant first, by the difference over its noise.",
        RATIOS_NOTE,
        *_best_forms(joined),
        *caveats({str(fact.row["contender"]) for fact in shown}),
    ]
    if hidden := len(found) - len(shown):
        told.append(
            f"Hidden: {hidden} rows whose intervals overlap or that have none in both runs; `--all` shows them."
        )
    if len({run.record.dataset, other.record.dataset}) > 1:
        told.append("The data sets differ, so no row has both runs.")
    if shown:
        show(console, f"{run.record.run_id} against {other.record.run_id}", _columns(joined, shown), told)
    else:
        show_notes(console, ["No difference that the intervals show.", *told])


def _best_forms(joined: pd.DataFrame) -> list[str]:
    """Say at which works the best form of Keras is another than in the other run."""
    told = []
    for work, rows in joined.groupby(WORK, sort=False):
        here, there = best_keras(rows["best_keras"]), best_keras(rows[f"best_keras{AGAINST}"])
        if here and there and here != there:
            told.append(f"Best Keras at {work}: {here} against {there}.")
    return told


def _columns(joined: pd.DataFrame, shown: list[Fact]) -> list[Column]:
    parameters = [name for name in parameter_columns(joined) if not name.endswith(AGAINST)]
    identities = [
        Column(name, [str(fact.row[name]) for fact in shown], identity=True, right=name == "threads")
        for name in ("benchmark", WORK, "contender", *parameters, "threads")
    ]
    return [
        *(column for column in identities if any(column.cells)),
        Column("what", [fact.what for fact in shown], identity=True),
        Column.of_estimates("run", lambda interval: [fact.here[interval] for fact in shown]),
        Column.of_estimates("against", lambda interval: [fact.there[interval] for fact in shown]),
        Column("change", [fact.change for fact in shown], right=True),
        Column("verdict", [fact.verdict for fact in shown]),
    ]


def _facts(run: Run) -> dict[str, str]:
    record = run.record
    facts = {
        "commit": record.commit[:8],
        "machine": record.machine,
        "profile": record.profile,
        "threads": ", ".join(record.threads),
        "contenders": ", ".join(record.contenders),
        "recorded": record.unrecorded or "yes",
        "pooled runs": str(len(run.each)),
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
