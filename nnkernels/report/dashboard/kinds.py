"""The kinds of contenders, which the page distinguishes by shape and colour."""

from __future__ import annotations

from nnkernels import contenders, kernels

FROM_SCRATCH, FRAMEWORK, ONLY_PREDICTS, OTHER = "from scratch", "framework", "only predicts", "other"
KINDS = (FROM_SCRATCH, FRAMEWORK, ONLY_PREDICTS, OTHER)


def kind(name: str) -> str:
    """Return the kind of a contender.

    Parameters
    ----------
    name : str
        The name of a contender, known or not.

    Returns
    -------
    kind : str
        ``from scratch`` for a backend of the kernel contract, whoever wrote it. ``only predicts`` for a contender that
        cannot train, and ``framework`` for one that requires packages. Otherwise, and for contenders that are not
        installed here, ``other``.
    """
    if name in kernels.names():
        return FROM_SCRATCH
    if name not in contenders.names():
        return OTHER
    entry = contenders.entry(name)
    if not entry.trains:
        return ONLY_PREDICTS
    return FRAMEWORK if entry.packages else OTHER


def description(name: str) -> str:
    """Return what a contender is.

    Parameters
    ----------
    name : str
        The name of a contender, known or not.

    Returns
    -------
    description : str
        One line; empty if it is not known here.
    """
    return contenders.entry(name).description if name in contenders.names() else ""
