"""The section of the README that shows the published run."""

from __future__ import annotations

from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.files import write_text
from nnkernels.measure.records.run import RunRecord
from nnkernels.report import glance
from nnkernels.report.headline import headline
from nnkernels.report.layout import markdown
from nnkernels.report.summary import Summary

BEGIN = "<!-- published run: written by `nnkernels publish --pin RUN`, do not edit -->"
END = "<!-- end of the published run -->"


def section(summary: Summary) -> str:
    """Return the section of the run: the headline, the tables with their notes, and where the numbers come from."""
    record, provenance = summary.run.record, summary.run.record.provenance
    runs = ", ".join(_run(run.record) for run in summary.run.each)
    packages = ", ".join(f"{name} {version}" for name, version in provenance["packages"].items())
    source = (
        f"{'Runs' if summary.run.pooled_with else 'Run'} {runs} on {record.dataset}, "
        f"{provenance['dataset']['training_images']:,} training images; {provenance['cpu']} "
        f"({provenance['microarchitecture']}), {provenance['cpus']} CPUs; Python {provenance['python']}, {packages}."
    )
    parts = [BEGIN, f"**{headline(summary)}**", markdown(glance.columns(summary)), _notes(glance.notes(summary))]
    if summary.keras_forms:
        parts += [markdown(glance.forms_columns(summary)), _notes(glance.forms_notes(summary))]
    return "\n\n".join([*parts, source, END])


def _run(record: RunRecord) -> str:
    return f"`{record.run_id}` ({record.profile}, {record.passes} passes)"


def _notes(notes: list[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def split(text: str) -> tuple[str, str, str]:
    """Return the README before, in and after the section of the published run.

    Raises
    ------
    ResultsError
        If the marks of the section are missing.
    """
    if BEGIN not in text or END not in text:
        raise ResultsError(f"README.md lacks the lines that hold the published run: {BEGIN} and {END}")
    start, stop = text.index(BEGIN), text.index(END) + len(END)
    return text[:start], text[start:stop], text[stop:]


def update(readme: Path, summary: Summary) -> None:
    """Write the section of a run into the README."""
    before, _old, after = split(readme.read_text("utf-8"))
    write_text(readme, before + section(summary) + after)
