"""The kind of a contender: from scratch, or on a framework. It follows from what its entry requires, not from a list."""

from __future__ import annotations

from nnkernels import contenders
from nnkernels.report.dashboard import palette
from nnkernels.report.keras_forms import is_form

SCRATCH, FRAMEWORK, UNKNOWN = "from scratch", "framework", "not known here"
STYLES = palette.KINDS | {UNKNOWN: (palette.SOFT, "triangle-up")}


def kind(name: str) -> str:
    """Return the kind of a contender.

    Parameters
    ----------
    name : str
        The name of a contender; results may have contenders that are no longer known, or of another package.

    Returns
    -------
    kind : str
        ``from scratch`` if it needs no further package, ``framework`` if it does, and ``not known here`` if this
        installation does not know it.
    """
    if name in contenders.names():
        return FRAMEWORK if contenders.entry(name).packages else SCRATCH
    return FRAMEWORK if is_form(name) else UNKNOWN
