"""Writing of the whole site to a folder."""

from __future__ import annotations

from pathlib import Path

from nnkernels.files import write_bytes
from nnkernels.report.dashboard.collection import collect
from nnkernels.report.dashboard.page import render


def write_site(root: Path, folder: Path) -> Path:
    """Write the site.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    folder : Path
        Where to write it.

    Returns
    -------
    page : Path
        The ``index.html``.
    """
    page = render(collect(root))
    for path, content in {"index.html": page.html, **page.files}.items():
        write_bytes(folder / path, content.encode() if isinstance(content, str) else content)
    return folder / "index.html"
