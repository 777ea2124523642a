"""The tables in the README, written from the published run."""

from __future__ import annotations

from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.files import write_text
from nnkernels.report import formats, targets
from nnkernels.report.summary import Summary

BEGIN = "<!-- published run: written by `nnkernels publish --pin RUN`, do not edit -->"
END = "<!-- end of the published run -->"
TARGETS_BEGIN = "<!-- asked and reached: written by `nnkernels publish --pin RUN`, do not edit -->"
TARGETS_END = "<!-- end of asked and reached -->"


def section(summary: Summary) -> str:
    """Return the section of the run: the headline, the table, and where the numbers come from."""
    record, provenance = summary.run.record, summary.run.record.provenance
    headings = ("contender", "threads", "epoch", "x NumPy", "x Keras fit", "x best Keras", "one image", "test error")
    lines = [f"| {' | '.join(headings)} |", "|---|" + "---:|" * (len(headings) - 1)]
    for row in summary.contenders:
        cells = (
            row.name,
            row.threads,
            formats.duration(row.epoch_seconds.value),
            formats.ratio(row.to_numpy),
            formats.ratio(row.to_keras),
            formats.ratio(row.to_best_keras),
            formats.duration(row.one_image_seconds),
            formats.percent(row.test_error),
        )
        lines.append(f"| {' | '.join(cells)} |")
    packages = ", ".join(f"{name} {version}" for name, version in provenance["packages"].items())
    source = (
        f"Run `{record.run_id}` ({record.profile}, {record.passes} passes) on {record.dataset}, "
        f"{provenance['dataset']['training_images']:,} training images; {provenance['cpu']} "
        f"({provenance['microarchitecture']}), {provenance['cpus']} CPUs; Python {provenance['python']}, {packages}. "
        "In brackets: 95 % intervals."
    )
    return "\n".join([BEGIN, "", f"**{summary.headline()}**", "", *lines, "", source, "", END])


def targets_section(summary: Summary) -> str:
    """Return the section of what was asked and what the run reached, row by row."""
    run = summary.run
    asked = targets.rows(run, summary.rows)
    if not targets.any_measured(asked):
        told = [f"Run `{run.record.run_id}` measured none of what was asked of the fused kernels."]
    else:
        lines = [f"| {' | '.join(targets.HEADINGS)} |", "|---|---|---|---:|---:|---:|---|"]
        lines += [f"| {' | '.join(row.cells())} |" for row in asked]
        told = [
            *lines,
            "",
            f"Run `{run.record.run_id}` on {run.record.dataset}. {targets.LEGEND}",
            "",
            targets.elsewhere(run),
        ]
    return "\n".join([TARGETS_BEGIN, "", *told, "", TARGETS_END])


def split(text: str, begin: str = BEGIN, end: str = END) -> tuple[str, str, str]:
    """Return the README before, in and after a section, which is marked by the lines ``begin`` and ``end``.

    Raises
    ------
    ResultsError
        If the marks of the section are missing.
    """
    if begin not in text or end not in text:
        raise ResultsError(f"README.md lacks the lines that hold the published run: {begin} and {end}")
    start, stop = text.index(begin), text.index(end) + len(end)
    return text[:start], text[start:stop], text[stop:]


def update(readme: Path, summary: Summary) -> None:
    """Write the sections of a run into the README."""
    before, _old, after = split(readme.read_text("utf-8"))
    text = before + section(summary) + after
    before, _old, after = split(text, TARGETS_BEGIN, TARGETS_END)
    write_text(readme, before + targets_section(summary) + after)
