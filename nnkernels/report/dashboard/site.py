"""Writing of the whole site to a folder: the dashboard, the files beside it, asv's pages and the walkthrough."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nnkernels.errors import ConfigurationError, MissingDependencyError, NNKernelsError, one_line
from nnkernels.files import write_bytes
from nnkernels.report.asv_pages import build_asv_pages
from nnkernels.report.dashboard.collection import collect
from nnkernels.report.dashboard.page import render
from nnkernels.report.page import RUN_PAGE
from nnkernels.report.walkthrough import render_walkthrough

# A folder with this file holds a site of ours, which the next one may replace.
MARKER = ".nnkernels-site"
WALKTHROUGH = "walkthrough.html"
ASV = "asv/index.html"


@dataclass(frozen=True)
class Published:
    """The result of :func:`publish_site`.

    Attributes
    ----------
    page : Path
        The dashboard's ``index.html``.
    notes : tuple of str
        What is missing from the site, and why.
    """

    page: Path
    notes: tuple[str, ...]


def default_folder(root: Path) -> Path:
    """Return the folder to which the site is written unless another one is named.

    Parameters
    ----------
    root : Path
        The root of the checkout.

    Returns
    -------
    folder : Path
        ``results/html``, which git ignores.
    """
    return root / "results" / "html"


def check_publishing(root: Path, folder: Path) -> None:
    """Check, before anything is computed, that a site can be written to a folder.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    folder : Path
        The folder.

    Raises
    ------
    MissingDependencyError
        If a package of the extra ``publish`` is not installed.
    ConfigurationError
        If the folder holds anything but a site of ours.
    """
    for module, package in (("altair", "altair"), ("vl_convert", "vl-convert-python"), ("jinja2", "jinja2")):
        if find_spec(module) is None:
            raise MissingDependencyError("the dashboard", package, "publish")
    ours = folder.resolve() == default_folder(root).resolve() or (folder / MARKER).is_file()
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file; choose a folder for the site")
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise ConfigurationError(
            f"{folder} is not empty and holds no site of nnkernels, so it is not replaced; choose a new or empty folder"
        )


def publish_site(root: Path, folder: Path, further_pages: bool = True) -> Published:
    """Build the site from the recorded results, and replace the folder by it once it is complete.

    Parameters
    ----------
    root : Path
        The root of the checkout.
    folder : Path
        The folder: new, empty, or a site of ours. The page of ``nnkernels bench`` in it is kept.
    further_pages : bool, default: True
        Whether to build asv's pages and the walkthrough, which take longest.

    Returns
    -------
    published : Published
        The dashboard, and what is missing. Pages of asv or of the walkthrough that cannot be built are no error.

    Raises
    ------
    MissingDependencyError
        If a package of the extra ``publish`` is not installed.
    ConfigurationError
        If the folder holds anything but a site of ours, or cannot be written.
    ResultsError
        If there are no results.
    """
    check_publishing(root, folder)
    folder = folder.resolve()
    collection = collect(root)
    building = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        building.mkdir(parents=True)
        notes = [*collection.notes]
        if further_pages:
            notes += build_asv_pages(root, building / "asv")
            notes += _build_walkthrough(root, building / WALKTHROUGH)
        pages = {"Walkthrough": WALKTHROUGH, "History by asv (needs the internet)": ASV}
        page = render(collection, {title: path for title, path in pages.items() if (building / path).is_file()})
        for path, content in {"index.html": page.html, **page.files, MARKER: "written by nnkernels publish\n"}.items():
            write_bytes(building / path, content.encode() if isinstance(content, str) else content)
        if (folder / RUN_PAGE).is_file():
            shutil.copy2(folder / RUN_PAGE, building / RUN_PAGE)
        _replace(folder, building)
    except OSError as error:
        raise ConfigurationError(
            f"the site cannot be written to {folder} ({one_line(error)}); choose another folder with --out"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Published(folder / "index.html", tuple(notes))


def _build_walkthrough(root: Path, page: Path) -> list[str]:
    """Build the page of the walkthrough; return a note if that fails. Without a walkthrough there is no note."""
    notebook = root / "results" / "walkthrough.ipynb"
    if not notebook.exists():
        return []
    try:
        render_walkthrough(notebook, page)
    except NNKernelsError as error:
        return [f"the page of the walkthrough was not built: {error}"]
    return []


def _replace(folder: Path, building: Path) -> None:
    """Put a complete site in the place of a folder. If that fails, the folder is as it was."""
    if not folder.exists():
        building.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    folder.rename(old)
    try:
        building.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
