"""Discovery of backends and contenders of other packages, through entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from nnkernels.errors import ContractError

KERNELS_GROUP = "nnkernels.kernels"
CONTENDERS_GROUP = "nnkernels.contenders"


def installed_plugins(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, without loading them.

    Parameters
    ----------
    group : str
        ``KERNELS_GROUP`` or ``CONTENDERS_GROUP``.

    Returns
    -------
    plugins : dict of str to EntryPoint
        The entry points by name.

    Raises
    ------
    ContractError
        If two packages define the same name.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group)):
        if point.name in found and found[point.name].value != point.value:
            raise ContractError(
                f"two packages define {point.name!r} in {group}: {found[point.name].value}, {point.value}; "
                "uninstall one of them"
            )
        found[point.name] = point
    return found
