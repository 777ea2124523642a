"""The answer: who wins by how much on each machine, and where the numbers come from."""

from __future__ import annotations

from pathlib import Path

from nnkernels.measure.asv_driver.workspace import CONFIG_NAME
from nnkernels.report import formats
from nnkernels.report.dashboard.answer_sentences import PLAIN, Answer, answers
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.interval_chart import Row, interval_chart
from nnkernels.report.dashboard.kinds import FRAMEWORK, kind
from nnkernels.report.dashboard.section import Section
from nnkernels.report.ratios import BASELINE, PairedRatio


def build(collection: Collection) -> Section:
    """Build the section.

    Parameters
    ----------
    collection : Collection
        The recorded runs.

    Returns
    -------
    section : Section
        The section. Without a readable run it says so.
    """
    found = answers(collection)
    chart = _chart(found)
    values = {
        "answers": found,
        "provenance": collection.machines[0].shown.record.provenance if collection.machines else None,
        "commit_url": commit_url(collection.root),
    }
    return Section("answer", "Answer", values, (chart,) if chart else ())


def commit_url(root: Path) -> str:
    """Return the beginning of the web addresses of commits.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    url : str
        ``show_commit_url`` of asv's configuration, which every clone has; empty if it is not set.
    """
    if not (root / CONFIG_NAME).is_file():
        return ""
    from asv.config import Config

    url = str(Config.load(str(root / CONFIG_NAME)).show_commit_url)
    return url if url.startswith("https://") else ""


def _chart(found: list[Answer]) -> Chart | None:
    """Return the chart of all machines' ratios, on one axis; None if there is no ratio."""
    rows, texts = [], []
    for answer in found:
        ratios = _ratios(answer)
        rows += [Row(answer.label), *(row for row, _text in ratios)] if ratios else []
        texts += [f"{answer.label}: {'; '.join(text for _row, text in ratios)}." for _label in [answer.label] if ratios]
    if not rows:
        return None
    values = [row.value for row in rows if row.value == row.value]
    slowest, fastest = formats.significant(min(values)), formats.significant(max(values))
    machines = len({answer.machine for answer in found})
    names = " and ".join(f"`{name}`" for name in _names(found[0]))
    where = f"on {machines} machines" if machines > 1 else "on this machine"
    return Chart(
        "answer",
        "Times as fast, at the faster thread setting of each",
        f"To the right of the dashed line, code from scratch is faster. {names} are between {slowest} and {fastest} "
        f"times as fast {where}; the bars are 95 % intervals.",
        f"Intervals on a logarithmic axis of times as fast. {' '.join(texts)}",
        interval_chart(rows, "times as fast (log)"),
    )


def _names(answer: Answer) -> list[str]:
    return list(dict.fromkeys((answer.subject, PLAIN)))


def _ratios(answer: Answer) -> list[tuple[Row, str]]:
    """Return the rows of a machine, each with its text: each contender of the answer against NumPy and best Keras."""
    found = []
    for name in _names(answer):
        row = answer.summary.contender(name)
        against = [
            ("NumPy", kind(BASELINE), row and row.to_numpy),
            ("best Keras", FRAMEWORK, row and row.to_best_keras),
        ]
        found += [_row(name, other, colour, ratio) for other, colour, ratio in against if ratio]
    return found


def _row(name: str, other: str, colour: str, ratio: PairedRatio) -> tuple[Row, str]:
    estimate = ratio.estimate
    text = f"{name} is {formats.ratio(estimate)} times as fast as {other}"
    short = formats.significant(estimate.value)
    return Row(f"{name} vs {other}", colour, estimate.value, estimate.low, estimate.high, short, text), text
