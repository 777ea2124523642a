"""An asv plugin: a "repository" with a single commit, the one that is being measured.

With it, asv needs neither git nor a checkout, so a ZIP file or an installed wheel can be measured like a clone.
"""

from __future__ import annotations

import os

from asv.repo import NoRepository

from nnkernels.measure.asv_driver.process import DATE_VARIABLE, DVCS


class GivenCommit(NoRepository):  # type: ignore[misc]
    """A repository that takes the commit's hash from asv's command line and its date from the environment."""

    dvcs = DVCS

    def get_hash_from_name(self, name: str) -> str:
        """Return the name, which is already a hash.

        Parameters
        ----------
        name : str
            Hash of the commit.

        Returns
        -------
        hash : str
            The same.
        """
        return name

    def get_date(self, _hash: str | None) -> int:
        """Return the commit's date.

        Parameters
        ----------
        _hash : str or None
            Ignored.

        Returns
        -------
        date : int
            Milliseconds since 1970, UTC.
        """
        return int(os.environ[DATE_VARIABLE])
