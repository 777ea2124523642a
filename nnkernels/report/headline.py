"""The headline of a run: how many times as fast our contender trains as the others, and what the time includes."""

from __future__ import annotations

from collections.abc import Sequence

from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.measure.timing.scenarios import EPOCH
from nnkernels.report import formats, keras_forms
from nnkernels.report.keras_forms import KerasForm
from nnkernels.report.ratios import BASELINE, PairedRatios
from nnkernels.report.summary import ContenderSummary, Summary


def headline(summary: Summary) -> str:
    """Return the main result of a run in a few sentences.

    Parameters
    ----------
    summary : Summary
        The summary of a run.

    Returns
    -------
    text : str
        Empty if no contender trained.
    """
    numba, fused = summary.contender("numba"), summary.contender("fused")
    ours = fused or numba or next((row for row in summary.contenders if row.epoch), None)
    if ours is None or ours.epoch is None:
        return ""
    dataset = summary.run.record.dataset
    ratios, others = _ratios(summary, ours)
    if not ratios or ours.name not in ("fused", "numba"):
        sentences = [f"{ours.name} trains an epoch on {dataset} in {formats.duration(ours.epoch.value)}"]
    else:
        sentences = [f"From scratch in Numba, an epoch of training on {dataset} is {_compared(ratios)}"]
    plain, _others = _ratios(summary, numba) if fused and numba else ([], [])
    if ratios and [other for other, _ratio in plain] == [other for other, _ratio in ratios]:
        numbers = _listed([ratio for _other, ratio in plain])
        sentences.append(f"With plain matrix products (numba instead of fused), it is {numbers} times as fast")
    if others:
        sentences.append(f"{ours.name} is {_compared(others)}")
    runs = len(summary.run.each)
    one = "All are from one run; the variation between hours exceeds its intervals"
    sentences.append(one if runs == 1 else f"All are means of {runs} runs")
    return f"{'. '.join(sentences)}. {_what_is_timed(summary, ours)}"


def preliminary(interleaved: Sequence[InterleavedRun]) -> str:
    """Return a preliminary result from the processes of a run that have ended so far.

    Parameters
    ----------
    interleaved : sequence of InterleavedRun
        The processes so far. Those that did not time the epoch are ignored.

    Returns
    -------
    text : str
        How many times as fast our contender trains as NumPy and Keras; empty if there is no ratio yet.
    """
    ratios = PairedRatios([measured for measured in interleaved if EPOCH in measured.seconds])
    trained = ratios.contenders(EPOCH)
    ours = next((name for name in ("fused", "numba", *trained) if name in trained and name != BASELINE), None)
    threads = ratios.faster_setting(EPOCH, ours) if ours else None
    if not ours or not threads:
        return ""
    forms = keras_forms.tried(ratios, EPOCH)
    best = keras_forms.best(forms)
    others = dict.fromkeys(filter(None, (BASELINE, keras_forms.DEFAULT, best)))
    found = {other: ratios.against(EPOCH, (ours, threads), other) for other in others if other != ours}
    comparisons = [
        f"{formats.significant(ratio.estimate.value)} times as fast as {other}"
        + (" (the fastest form of Keras so far)" if other == best and len(forms) > 1 else "")
        for other, ratio in found.items()
        if ratio
    ]
    processes = f"{len(ratios.interleaved)} process{'es' if len(ratios.interleaved) > 1 else ''}"
    return f"from {processes}: {ours} trains an epoch {_listed(comparisons)}" if comparisons else ""


_Ratios = list[tuple[str, str]]


def _ratios(summary: Summary, ours: ContenderSummary) -> tuple[_Ratios, _Ratios]:
    # First NumPy, the default form of Keras and the best one, then the other forms of Keras: a description of each, and
    # how many times as fast ours is.
    forms = _keras_forms(summary.keras_forms)
    first = {*[name for name, _label in forms][:1], keras_forms.best(summary.keras_forms)}
    main = [(BASELINE, "NumPy")] if ours.name != BASELINE else []
    main += [form for form in forms if form[0] in first]
    others = [form for form in forms if form[0] not in first]
    return _found(summary, ours, main), _found(summary, ours, others)


def _found(summary: Summary, ours: ContenderSummary, others: list[tuple[str, str]]) -> _Ratios:
    found = [(label, summary.ratios.against(EPOCH, (ours.name, ours.threads), name)) for name, label in others]
    return [(label, formats.significant(ratio.estimate.value)) for label, ratio in found if ratio]


def _compared(ratios: _Ratios) -> str:
    return _listed([f"{ratio} times as fast as {other}" for other, ratio in ratios])


def _keras_forms(tried: list[KerasForm]) -> list[tuple[str, str]]:
    """Return, for each backend of Keras, its default form and the best form tried on it, each with a description."""
    named = []
    best = keras_forms.best(tried)
    several = len({form.backend for form in tried if form.threads}) > 1
    for _head, backend, default in reversed(keras_forms.BACKENDS):
        backend_forms = [form for form in tried if form.backend == backend and form.threads]
        fastest = keras_forms.best(backend_forms)
        if any(form.name == default for form in backend_forms):
            is_best = ", the fastest form of Keras tried" if several and default == best else ""
            named.append((default, f"Keras' fit on {backend}{is_best}"))
        if fastest and fastest != default:
            if several and fastest != best:
                label = f"the fastest form tried on {backend} ({fastest})"
            else:
                label = f"the fastest form of Keras tried ({fastest}, on {backend})"
            named.append((fastest, label))
    return named


def _what_is_timed(summary: Summary, ours: ContenderSummary) -> str:
    included = "The time includes training and fetching the shuffled images, but not preparation."
    numpy = summary.contender(BASELINE)
    if not ours.preparation or not ours.epoch:
        return included
    prepared = ours.preparation.estimate.value
    preparation = f"{formats.duration(prepared)} for {ours.name} ({prepared / ours.epoch.value:.2g} epochs)"
    if numpy and numpy is not ours and numpy.preparation:
        preparation += f" and {formats.duration(numpy.preparation.estimate.value)} for NumPy"
    return f"{included} Preparation takes {preparation}."


def _listed(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
