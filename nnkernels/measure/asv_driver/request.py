"""What a run is to measure: the request, and the contenders that it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnkernels import contenders
from nnkernels.contenders import is_installed
from nnkernels.errors import ConfigurationError, MissingDependencyError
from nnkernels.measure.asv_driver.plan import Profile, takes_part
from nnkernels.measure.timing.threads import SETTINGS


@dataclass(frozen=True)
class Request:
    """What a run is to measure.

    Attributes
    ----------
    contenders : sequence of str
        Names of the contenders; empty for all that are installed and part of the profile.
    profile_name : str
        Name of the profile.
    profile : Profile
        The profile, possibly changed.
    threads : sequence of str
        Thread settings, each ``1`` or ``all``; empty for those of the profile.
    machine : str
        Name of the machine in the results; empty for a name derived from the processor.

    Raises
    ------
    ConfigurationError
        If a thread setting is unknown, or if there are no rounds.
    """

    contenders: Sequence[str]
    profile_name: str
    profile: Profile
    threads: Sequence[str] = ()
    machine: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "threads", tuple(self.threads) or self.profile.threads)
        if set(self.threads) - set(SETTINGS):
            raise ConfigurationError(f"threads are {','.join(self.threads)!r}; expected 1, all or 1,all")
        if self.profile.ratio_passes < 1:
            raise ConfigurationError("rounds must be at least 1")


def choose_contenders(requested: Sequence[str], profile_name: str = "full") -> tuple[list[str], dict[str, str]]:
    """Return the contenders to measure, and those whose packages are missing.

    Parameters
    ----------
    requested : sequence of str
        Names of the contenders; empty for all that are installed and part of the profile.
    profile_name : str
        Name of the profile.

    Returns
    -------
    names : list of str
        The contenders to measure.
    missing : dict
        For each contender that is not installed, the command that installs it.

    Raises
    ------
    UnknownNameError
        If there is no contender of a requested name.
    MissingDependencyError
        If a requested contender is not installed.
    """
    for name in requested:
        contender = contenders.entry(name)
        if not is_installed(name):
            raise MissingDependencyError(f"the contender {name}", " and ".join(contender.packages), contender.extra)
    if requested:
        return list(dict.fromkeys(requested)), {}
    names = [name for name in contenders.names() if takes_part(name, profile_name)]
    missing = {name: contenders.install_command(name) for name in names if not is_installed(name)}
    return [name for name in names if name not in missing], missing
