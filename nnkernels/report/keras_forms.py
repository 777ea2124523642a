"""The forms of Keras that a run tried: what each one is, how fast it is, and which is the best."""

from __future__ import annotations

from dataclasses import dataclass

from nnkernels import contenders
from nnkernels.measure.timing.interleaved_run import InterleavedRun
from nnkernels.report.ratios import YARDSTICK, PairedRatios
from nnkernels.statistics import Estimate

PREFIX = "keras-"
DEFAULT = "keras-fit"
# Prefix of the forms' names, backend and default form of each backend; the longer prefix first, because both match.
BACKENDS = (("keras-jax-", "JAX", "keras-jax-fit"), (PREFIX, "TensorFlow", DEFAULT))


@dataclass(frozen=True)
class KerasForm:
    """A form of Keras and its result at a scenario.

    Attributes
    ----------
    name : str
        The name of the contender.
    backend : str
        The backend of Keras, for example ``TensorFlow``.
    description : str
        The contender's description without the backend; empty if there is no longer such a contender.
    threads : str or None
        Its faster thread setting, ``1`` or ``all``; None if it was not timed.
    seconds : Estimate or None
        The time at that setting; None if it was not timed.
    to_numpy : Estimate or None
        How many times as fast it is as NumPy on one thread, paired. The best form has the greatest.
    failure : str
        Why it was not timed; empty if it was.
    """

    name: str
    backend: str
    description: str
    threads: str | None
    seconds: Estimate | None
    to_numpy: Estimate | None
    failure: str = ""


def is_form(name: str) -> bool:
    """Return whether a contender is a form of Keras.

    Parameters
    ----------
    name : str
        The name of a contender.

    Returns
    -------
    is_form : bool
        True if it is.
    """
    return name.startswith(PREFIX)


def backend(name: str) -> str:
    """Return the backend of a form of Keras.

    Parameters
    ----------
    name : str
        The name of a form of Keras.

    Returns
    -------
    backend : str
        ``JAX`` or ``TensorFlow``.
    """
    return next(label for head, label, _default in BACKENDS if name.startswith(head))


def tried(ratios: PairedRatios, scenario: str) -> list[KerasForm]:
    """Return the forms of Keras that were tried at a scenario.

    Parameters
    ----------
    ratios : PairedRatios
        The ratios of a run.
    scenario : str
        The name of a scenario.

    Returns
    -------
    forms : list of KerasForm
        The best first, and those that were not timed last.
    """
    names = [name for name in ratios.contenders(scenario) if is_form(name)]
    failures = _failures(ratios.interleaved, scenario)
    forms = [_form(ratios, scenario, name, "") for name in names]
    forms += [_form(ratios, scenario, name, reason) for name, reason in failures.items() if name not in names]
    return sorted(forms, key=lambda form: -form.to_numpy.value if form.to_numpy else 0.0)


def best(forms: list[KerasForm]) -> str | None:
    """Return the name of the best form of Keras.

    The best form has the greatest paired ratio to NumPy on one thread, each form at its own faster thread setting.
    Every process times NumPy on one thread, so forms can be ranked that never shared a process.

    Parameters
    ----------
    forms : list of KerasForm
        As :func:`tried` returns them.

    Returns
    -------
    name : str or None
        None if no form has such a ratio.
    """
    return next((form.name for form in forms if form.to_numpy), None)


def _form(ratios: PairedRatios, scenario: str, name: str, failure: str) -> KerasForm:
    threads = ratios.faster_setting(scenario, name)
    return KerasForm(
        name,
        backend(name),
        _description(name),
        threads,
        ratios.seconds(scenario, name, threads) if threads else None,
        ratios.at(scenario, (name, threads), YARDSTICK) if threads else None,
        failure,
    )


def _description(name: str) -> str:
    described = contenders.entry(name).description if name in contenders.names() else ""
    return described.removeprefix(f"Keras on {backend(name)}, ")


def _failures(interleaved: list[InterleavedRun], scenario: str) -> dict[str, str]:
    names = {name.split(":")[0] for measured in interleaved for name in measured.failures}
    reasons = ((name, one.failure(name, scenario)) for one in interleaved for name in sorted(names) if is_form(name))
    return {name: reason for name, reason in reasons if reason}
