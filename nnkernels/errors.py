"""The exceptions of the package. Every message says what was wrong, where, and what to do."""

from __future__ import annotations

import errno
import os
import sys
import warnings

_PACKAGE = __name__.partition(".")[0]


def one_line(error: BaseException) -> str:
    """Return the type and message of an exception in one line.

    Parameters
    ----------
    error : BaseException
        The exception.

    Returns
    -------
    text : str
        ``Type: message``, with each run of whitespace replaced by a space.
    """
    return " ".join(f"{type(error).__name__}: {error}".split())


def system_refusal(error: OSError) -> str | None:
    """Describe an error of the operating system that the user can put right, such as a full disk.

    Parameters
    ----------
    error : OSError
        The error.

    Returns
    -------
    text : str or None
        What was wrong, where, and what to do. None for errors that a defect may cause, which need their traceback.
    """
    advice = {
        errno.ENOSPC: "free some space, and run the command again",
        errno.EDQUOT: "free some space, and run the command again",
        errno.EROFS: "choose a place that can be written to",
        errno.EACCES: "change its permissions, or choose another place",
        errno.EPERM: "change its permissions, or choose another place",
        errno.EIO: "check the disk",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
        errno.ENAMETOOLONG: "choose a shorter name",
    }.get(error.errno or 0)
    if advice is None:
        return None
    where = f"{os.fspath(error.filename)!s}: " if error.filename else ""
    return f"{where}{error.strerror}; {advice}"


def warn_caller(message: str, category: type[Warning]) -> None:
    """Issue a warning at the caller's line outside this package, so that Python shows it only once per line.

    Parameters
    ----------
    message : str
        The message.
    category : type of Warning
        The class of the warning.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


class NNKernelsError(Exception):
    """Base class of all errors that nnkernels raises deliberately."""


class DataError(NNKernelsError):
    """A data file or array is missing or damaged, or has a wrong shape, dtype or value."""


class ConfigurationError(NNKernelsError):
    """An option, recipe or environment is invalid or cannot be used."""


class UnknownNameError(ConfigurationError):
    """A backend, contender, recipe or other name is not registered.

    Parameters
    ----------
    kind : str
        What the name stands for, such as ``backend``.
    name : str
        The unknown name.
    known : tuple of str
        The registered names.
    """

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"unknown {kind} {name!r}; expected one of: {', '.join(known)}")


class GitError(ConfigurationError):
    """Git refused a command, or it failed.

    Parameters
    ----------
    command : str
        The git command, such as ``rev-parse``.
    answer : str
        What git printed to the standard error stream, in one line.
    """

    def __init__(self, command: str, answer: str) -> None:
        self.answer = answer
        super().__init__(f"git {command} failed: {answer or 'it printed no reason'}")


class MissingDependencyError(NNKernelsError):
    """A required optional package is not installed.

    Parameters
    ----------
    what : str
        What requires the package; the beginning of the message.
    package : str
        The missing package.
    extra : str
        The extra of nnkernels that installs it.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed: pip install 'nnkernels[{extra}]'")


class InferenceOnlyError(ConfigurationError):
    """A contender that only supports inference was asked to train.

    Parameters
    ----------
    name : str
        The name of the contender.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} supports inference only: train with another contender, "
            f"then pass its parameters to the prepare method of {name}"
        )


class ContractError(NNKernelsError):
    """A backend or contender does not implement its protocol."""


class GateError(NNKernelsError):
    """The training of a contender deviates from the float64 reference, so the contender must not be timed."""


class GradcheckError(NNKernelsError):
    """A check found an error in a backward pass, softmax or update, or the function cannot be checked."""


class MeasurementError(NNKernelsError):
    """A benchmark run failed or cannot be recorded."""


class Interruption(NNKernelsError):  # noqa: N818  (not an error)
    """Ctrl-C during a long computation that has no results yet, or that can be resumed."""


class DamagedResultsWarning(UserWarning):
    """A recorded run cannot be read, and was left out."""


class ReproducibilityWarning(UserWarning):
    """The last bits of a resumed training run may differ from those of an uninterrupted one."""


class AssumedActivationWarning(UserWarning):
    """A file of weights does not state the activation of its hidden layer, so ReLU was assumed."""


class ResultsError(NNKernelsError):
    """A results folder is empty, damaged or of an unknown version."""
