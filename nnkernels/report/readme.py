"""The table in the README, written from the published run."""

from __future__ import annotations

from pathlib import Path

from nnkernels.errors import ResultsError
from nnkernels.files import write_text
from nnkernels.report import formats
from nnkernels.report.summary import Summary

BEGIN = "<!-- published run: written by `nnkernels publish --pin RUN`, do not edit -->"
END = "<!-- end of the published run -->"


def section(summary: Summary) -> str:
    """Return the README's section: the headline, the table, and where the numbers come from."""
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


def split(text: str) -> tuple[str, str, str]:
    """Return the README before, in and after its section.

    Raises
    ------
    ResultsError
        If the marks of the section are missing.
    """
    if BEGIN not in text or END not in text:
        raise ResultsError(f"README.md lacks the lines that hold the published run: {BEGIN} and {END}")
    start, end = text.index(BEGIN), text.index(END) + len(END)
    return text[:start], text[start:end], text[end:]


def update(readme: Path, summary: Summary) -> None:
    """Write the section of a run into the README."""
    before, _old, after = split(readme.read_text("utf-8"))
    write_text(readme, before + section(summary) + after)
