"""Values of settings in a form that may be published: without paths, host names, user names and secrets."""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
from functools import cache

LONGEST = 200

_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/\\~]|^[A-Za-z]:")
# Parts that are shown although the value contains a path: flags such as --xla_cpu_enable_fast_math=true.
_FLAG = re.compile(r"--?[\w-]+(=[\w.,+-]*)?")
_FLAG_WITH_PATH = re.compile(r"(--?[\w-]+=).*", re.DOTALL)


def shown(name: str, value: str) -> str:
    """Return the value of a setting in a form that may be committed.

    Parameters
    ----------
    name, value : str
        Name and value of the setting.

    Returns
    -------
    shown : str
        At most 200 characters and an ellipsis. Private parts are replaced with placeholders such as ``<path>``.
    """
    if _SECRET.search(name):
        return "<not recorded>"
    if _SEPARATOR.search(value):
        value = " ".join(_hide_path(word) for word in value.split())
        value = re.sub(r"<path>( <path>)+", "<path>", value)
    for private in _private_names():
        value = re.sub(rf"(?<![A-Za-z0-9]){re.escape(private)}(?![A-Za-z0-9])", "<name>", value, flags=re.IGNORECASE)
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}..."


def _hide_path(word: str) -> str:
    if _FLAG.fullmatch(word):
        return word
    with_path = _FLAG_WITH_PATH.fullmatch(word)
    return f"{with_path[1]}<path>" if with_path else "<path>"


@cache
def _private_names() -> list[str]:
    """Return the names of this host and of its user, longest first."""
    host = socket.gethostname()
    names = {host, host.partition(".")[0]}
    with contextlib.suppress(OSError, KeyError, ImportError):  # no user is known by name
        names.add(getpass.getuser())
    return sorted((name for name in names if len(name) > 1), key=len, reverse=True)
