"""The package's own exceptions: each says what was wrong, where, and what to do about it."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """Return the type and the message of an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


class NNKernelsError(Exception):
    """Base of every error that nnkernels raises on purpose."""


class DataError(NNKernelsError):
    """A data file or array that is missing, damaged or of the wrong form."""


class ConfigurationError(NNKernelsError):
    """An option, recipe or environment that cannot be carried out as asked."""


class UnknownNameError(ConfigurationError):
    """A backend, contender, recipe or data set that nobody has registered."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"unknown {kind} {name!r}; known are: {', '.join(known)}")


class MissingDependencyError(NNKernelsError):
    """An optional package that the requested work needs is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed here: pip install 'nnkernels[{extra}]'")


class InferenceOnlyError(ConfigurationError):
    """A contender that only predicts was asked to train."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} runs a trained network and cannot train one: train with another contender, "
            f"and prepare {name} with the parameters that it leaves"
        )


class ContractError(NNKernelsError):
    """A backend or contender that does not keep the contract of its seam."""


class GateError(NNKernelsError):
    """A contender whose training departs from the float64 oracle; it may not be timed."""


class GradcheckError(NNKernelsError):
    """A backward pass, softmax or update that a check found wrong, or a function that cannot be checked."""


class MeasurementError(NNKernelsError):
    """A benchmark run that failed or that cannot be recorded."""


class Interruption(NNKernelsError):  # noqa: N818  (it is no error)
    """Ctrl-C in a long work that has nothing to show yet, or that can go on later."""


class ReproducibilityWarning(UserWarning):
    """A training that goes on where its last bits may differ from those of one that never stopped."""


class ResultsError(NNKernelsError):
    """A results folder that is empty, damaged or of an unknown version."""
