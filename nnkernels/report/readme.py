"""The section of the README that shows the published run."""

from __future__ import annotations

from pathlib import Path

from nnkernels.measure.records.run import RunRecord
from nnkernels.report import glance
from nnkernels.report.blocks import Block
from nnkernels.report.headline import headline
from nnkernels.report.layout import markdown
from nnkernels.report.summary import Summary

BLOCK = Block("published run", "nnkernels publish --pin RUN")


def section(summary: Summary) -> str:
    """Return the section of a run: the headline, the tables with their notes, and the source of the numbers.

    Parameters
    ----------
    summary : Summary
        The summary of the run.

    Returns
    -------
    section : str
        Markdown, with the markers of the block.
    """
    record, provenance = summary.run.record, summary.run.record.provenance
    runs = ", ".join(_run(run.record) for run in summary.run.each)
    packages = ", ".join(f"{name} {version}" for name, version in provenance["packages"].items())
    source = (
        f"{'Runs' if summary.run.pooled_with else 'Run'} {runs} on {record.dataset}, "
        f"{provenance['dataset']['training_images']:,} training images; {provenance['cpu']} "
        f"({provenance['microarchitecture']}), {provenance['cpus']} CPUs; Python {provenance['python']}, {packages}."
    )
    parts = [f"**{headline(summary)}**", "Time and accuracy of each contender, the fastest in training first:"]
    parts += [markdown(glance.columns(summary)), _notes(glance.notes(summary))]
    if summary.keras_forms:
        parts += ["The forms of Keras that were tried, the fastest first:", markdown(glance.forms_columns(summary))]
        parts.append(_notes(glance.forms_notes(summary)))
    return BLOCK.around("\n\n".join([*parts, source]))


def _run(record: RunRecord) -> str:
    return f"`{record.run_id}` ({record.profile}, {record.passes} passes)"


def _notes(notes: list[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def update(readme: Path, summary: Summary) -> None:
    """Write the section of a run into the README.

    Parameters
    ----------
    readme : Path
        The README.
    summary : Summary
        The summary of the run.

    Raises
    ------
    ResultsError
        If the README has no markers for the section.
    """
    BLOCK.update(readme, section(summary))
