"""A plugin of asv: a "repository" that knows one commit, the one that is being measured.

With it asv needs neither git nor a checkout: a ZIP and an installed wheel are measured as a clone is.
"""

from __future__ import annotations

import os

from asv.repo import NoRepository

from nnkernels.measure.asv_driver.process import DATE_VARIABLE, DVCS


class GivenCommit(NoRepository):  # type: ignore[misc]
    """Takes the commit's hash from asv's command line and its date from the environment."""

    dvcs = DVCS

    def get_hash_from_name(self, name: str) -> str:
        """Return the name, which is a hash already."""
        return name

    def get_date(self, _hash: str | None) -> int:
        """Return the commit's date, a JavaScript time stamp."""
        return int(os.environ[DATE_VARIABLE])
