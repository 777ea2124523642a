"""The section on method and trust, with the downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from nnkernels.errors import ResultsError
from nnkernels.report import glance, mutants, selftest
from nnkernels.report.dashboard.collection import Collection, MachineRuns
from nnkernels.report.dashboard.downloads import FOLDER, csv_text, downloads
from nnkernels.report.dashboard.github import commit_url, repository_url
from nnkernels.report.dashboard.run_provenance import provenance
from nnkernels.report.dashboard.section import Section
from nnkernels.report.dashboard.trust import (
    Participant,
    gate_text,
    mutation_score,
    participants,
    self_tests,
)
from nnkernels.report.layout import Column
from nnkernels.report.pooling import intervals_note
from nnkernels.report.summary import summarise

MUTANTS_FILE = f"{FOLDER}/mutants.csv"


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        What is not recorded is named, with the command that records it. The files are the downloads.
    """
    files: dict[str, str | bytes] = {}
    machines = []
    repository = repository_url(collection.root)
    for machine in collection.everything:
        summary = summarise(machine.shown, collection.ratios(machine.shown))
        offered = downloads(summary)
        files |= {file.path: file.content for file in offered}
        machines.append(
            {
                "label": machine.label,
                "forms": glance.forms_columns(summary) if summary.keras_forms else [],
                "forms_notes": glance.forms_notes(summary),
                "intervals": intervals_note([run.record for run in machine.shown.each]),
                "runs": _runs(machine, repository),
                "provenance": provenance(machine.shown),
                "downloads": offered,
            }
        )
    missing: list[str] = []
    found = participants(collection.everything)
    values = {
        "machines": machines,
        "participants": _participant_columns(found),
        "failures": _failures(found),
        "gate": gate_text(),
        "mutants": _mutants(collection, missing, files),
        "self_tests": _self_tests(collection, missing),
        "missing": missing,
    }
    return Section(name="method", title="Method", values=values, files=files)


def _participant_columns(found: list[Participant]) -> list[Column]:
    return [
        Column("contender", [one.name for one in found], identity=True),
        Column("kind", [one.kind for one in found]),
        Column("what it is", [f"{one.description}. {one.note}" if one.note else one.description for one in found]),
        Column("in the results of", [_listed(one) for one in found]),
    ]


def _listed(one: Participant) -> str:
    return "; ".join(one.machines) or "none of the runs shown"


def _failures(found: list[Participant]) -> list[str]:
    return [f"{one.name} on {failure}" for one in found for failure in one.failures]


def _runs(machine: MachineRuns, repository: str) -> list[dict[str, Any]]:
    """Return a row for each run that is shown for a machine, the newest first."""
    return [
        {
            "id": run.record.run_id,
            "recorded": run.record.recorded_at,
            "commit": run.record.commit[:8],
            "url": commit_url(repository, run.record.commit),
            "tree": str(run.record.provenance.get("tree", "not recorded")),
            "profile": run.record.profile,
            "passes": f"{run.record.passes} of {run.record.planned_passes}",
            "seeds": str(run.record.provenance.get("seeds", "not recorded")),
            "data": str(run.record.provenance.get("dataset", {}).get("sha256", "-"))[:12],
        }
        for run in reversed(machine.shown.each)
    ]


def _relative(error: ResultsError, root: Path) -> str:
    """Return the message of an error without the path of the checkout, which differs from clone to clone."""
    return str(error).replace(f"{root}/", "")


def _mutants(collection: Collection, missing: list[str], files: dict[str, str | bytes]) -> dict[str, Any] | None:
    try:
        score = mutation_score(collection.root)
    except ResultsError as error:
        missing.append(_relative(error, collection.root))
        return None
    files[MUTANTS_FILE] = csv_text(pd.DataFrame({one.heading: one.cells for one in mutants.columns(score.mutants)}))
    return {
        "file": MUTANTS_FILE,
        "text": mutants.score_text(score.mutants),
        "reasons": mutants.reasons(score.mutants),
        "recorded": f"Recorded {score.recorded_at[:10]} at commit {score.commit[:8]}.",
    }


def _self_tests(collection: Collection, missing: list[str]) -> list[dict[str, Any]]:
    try:
        found = self_tests(collection.root)
    except ResultsError as error:
        missing.append(_relative(error, collection.root))
        return []
    return [
        {
            "machine": one.machine,
            "checks": len(one.records),
            "criteria": [
                f"{'Met' if criterion.met else 'Not met'}: {criterion.description}: "
                f"{selftest.rate_text(criterion.measured, 'none yet')}."
                for criterion in one.criteria
            ],
            "covered": selftest.rate_text(one.covered, "not measured yet"),
            "notes": selftest.column_notes(one.records),
            "comparisons": selftest.comparison_columns(one.figures),
            "whole_checks": selftest.check_columns(one.figures),
        }
        for one in found
    ]
