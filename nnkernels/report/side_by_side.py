"""Comparison of two runs: the differences in their conditions, then in their results, the most significant first."""

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
    """Return the differences in the conditions of two runs.

    Parameters
    ----------
    run, other : Run
        The runs.

    Returns
    -------
    differences : list of (str, str, str)
        What differs (for example ``commit`` or ``packages.numpy``), its value in ``run``, and its value in ``other``.
    """
    here, there = _facts(run), _facts(other)
    names = [*here, *(name for name in there if name not in here)]
    pairs = [(name, here.get(name, "-"), there.get(name, "-")) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def side_by_side(run: Run, other: Run) -> pd.DataFrame:
    """Join the tidy rows of two runs.

    Parameters
    ----------
    run, other : Run
        The runs.

    Returns
    -------
    rows : DataFrame
        One row where benchmark, parameters, threads, data set and unit agree, otherwise two. The columns of ``other``
        have the suffix :data:`~nnkernels.report.verdicts.AGAINST`.
    """
    here, there = tidy(run), tidy(other)
    join = list(dict.fromkeys([*keys(here), *keys(there), "dataset", "unit"]))
    for rows in (here, there):  # a benchmark of one run may have a parameter that the other run does not have
        rows[[name for name in join if name not in rows]] = ""
    joined = here.merge(there, on=join, how="outer", suffixes=("", AGAINST))
    # An outer merge sorts the rows, so restore the order of the runs, in which ratios come first.
    order = {key: place for place, key in enumerate(dict.fromkeys([*_tuples(here, join), *_tuples(there, join)]))}
    joined = joined.set_axis([order[key] for key in _tuples(joined, join)]).sort_index()
    return joined.reset_index(drop=True)[[*join, *(column for column in joined.columns if column not in join)]]


def _tuples(rows: pd.DataFrame, columns: list[str]) -> list[tuple[Any, ...]]:
    return list(rows[columns].itertuples(index=False, name=None))


def show_differences(console: Console, run: Run, other: Run) -> None:
    """Print the differences in the conditions of two runs, one per line.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    run, other : Run
        The runs.
    """
    title = f"Different conditions of {run.record.run_id} and {other.record.run_id}"
    console.print(f"[bold]{title}[/]", highlight=False)
    found = [f"{what}: {here} against {there}" for what, here, there in differences(run, other)]
    show_notes(console, found or ["none, except for the time of recording"])


def show_side_by_side(console: Console, run: Run, other: Run, everything: bool = False) -> None:
    """Print the differences in the results of two runs, the most significant first.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    run, other : Run
        The runs.
    everything : bool, default: False
        Whether to show also the results whose intervals overlap and those that cannot be compared.
    """
    joined = side_by_side(run, other)
    found = facts(records(joined))
    shown = [fact for fact in found if everything or fact.is_conclusive]
    notes = [
        "Change: from the second run to the first. Better, worse: the 95 % confidence intervals do not overlap. Most "
        "significant first (difference divided by its uncertainty).",
        RATIOS_NOTE,
        *_best_forms(joined),
        *caveats({str(fact.row["contender"]) for fact in shown}),
    ]
    if hidden := len(found) - len(shown):
        notes.append(
            f"{hidden} rows are hidden, because their intervals overlap or they cannot be compared; `--all` shows them."
        )
    if len({run.record.dataset, other.record.dataset}) > 1:
        notes.append("The runs used different data sets, so their results cannot be compared.")
    if shown:
        show(console, f"{run.record.run_id} against {other.record.run_id}", _columns(joined, shown), notes)
    else:
        show_notes(console, ["No significant differences.", *notes])


def _best_forms(joined: pd.DataFrame) -> list[str]:
    """Return a note for each scenario at which the best form of Keras differs between the runs."""
    notes = []
    for work, rows in joined.groupby(WORK, sort=False):
        here, there = best_keras(rows["best_keras"]), best_keras(rows[f"best_keras{AGAINST}"])
        if here and there and here != there:
            notes.append(f"Best Keras at {work}: {here} against {there}.")
    return notes


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
