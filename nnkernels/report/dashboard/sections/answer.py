"""The answer: who wins, by how much, on which machine."""

from __future__ import annotations

from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.section import Section
from nnkernels.report.headline import headline
from nnkernels.report.summary import summarise


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        The section.
    """
    return Section(
        "answer",
        "Answer",
        {"answers": [(machine.label, headline(summarise(machine.shown))) for machine in collection.machines]},
    )
