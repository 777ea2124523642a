"""The markup of the walkthrough: described pictures, boxes that scroll by themselves, and headings to jump to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nnkernels.errors import ResultsError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

# What nbconvert writes where a picture has no description.
_NO_DESCRIPTION = "No description has been provided for this image"
# A number, perhaps with a unit, or nothing. Columns of them are aligned to the right, others to the left.
_NUMBER = re.compile(r"[-+]?[\d.]|nan|$", re.IGNORECASE)
# Keras and rich choose colours for the dark background of a terminal.
_COLOURS = re.compile(r"\s*(?:background-|text-decoration-)?color\s*:[^;]*;?")


@dataclass(frozen=True)
class Refined:
    """The markup of a notebook.

    Attributes
    ----------
    title : str
        Its first heading of the first level, or an empty string.
    headings : list of Heading
        The headings of the second level.
    body : str
        The notebook without the title, with wide content in boxes that scroll and can be focused, and with scopes in
        the tables.
    """

    title: str
    headings: list[Heading]
    body: str


@dataclass(frozen=True)
class Heading:
    """A heading of the second level.

    Attributes
    ----------
    href : str
        The link to it.
    text : str
        Its text.
    """

    href: str
    text: str


def refine(body: str) -> Refined:
    """Make a converted notebook usable by everybody: with a screen reader, from the keyboard and on a phone.

    Parameters
    ----------
    body : str
        The notebook, as nbconvert's ``basic`` template renders it.

    Returns
    -------
    refined : Refined
        The title, the headings and the rest.

    Raises
    ------
    ResultsError
        If a picture has no description. The message contains the number of the cell.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    headings = [
        Heading(str(link["href"]), link.parent.get_text().removesuffix("¶"))
        for link in soup.select("h2 > a.anchor-link")
        if link.parent
    ]
    for superfluous in soup.select("a.anchor-link, style[scoped]"):
        superfluous.decompose()
    for number, cell in enumerate(soup.select("div.cell"), start=1):
        for coloured in cell.select(".output [style]"):
            coloured["style"] = _COLOURS.sub("", str(coloured["style"]))
        for code in cell.select("pre"):
            _focusable(code, f"{'Output' if code.find_parent(class_='output') else 'Code'} of cell {number}")
        for table in cell.select("table"):
            _name_headers(table)
            _mark_texts(table)
            table.wrap(_scroller(soup, f"Table in cell {number}"))
        for picture in cell.select("img"):
            _require_description(picture, number)
            picture.wrap(_scroller(soup, f"Picture in cell {number}"))
    title = soup.h1.extract().get_text() if soup.h1 else ""
    return Refined(title, headings, str(soup))


def _require_description(picture: Tag, number: int) -> None:
    description = str(picture.get("alt", "")).strip()
    if not description or description == _NO_DESCRIPTION:
        raise ResultsError(
            f"cell {number} of the walkthrough, counted from 1, shows a picture without a description; write what is "
            'seen into the metadata of the cell, as "alt", or into the brackets of ![...](...)'
        )


def _scroller(soup: BeautifulSoup, label: str) -> Tag:
    box = soup.new_tag("span" if label.startswith("Picture") else "div")
    box["class"] = "scroller"
    _focusable(box, label)
    return box


def _focusable(element: Tag, label: str) -> None:
    # Without a place in the order of focus, the keyboard could not scroll it. A group is no landmark, unlike a region.
    element["tabindex"], element["role"], element["aria-label"] = "0", "group", label


def _name_headers(table: Tag) -> None:
    for header in table.select("th"):
        if not header.get_text(strip=True):
            header.name = "td"  # the corner above the row headers
        else:
            header["scope"] = "col" if header.find_parent("thead") else "row"


def _mark_texts(table: Tag) -> None:
    """Give the class ``text`` to the columns that contain other cells than numbers."""
    rows = [row.find_all(["td", "th"], recursive=False) for row in table.select("tr")]
    if len(set(map(len, rows))) > 1:
        return  # a cell spans several columns
    for column in zip(*rows, strict=True):
        values = [cell.get_text(strip=True) for cell in column if cell.find_parent("tbody")]
        if not all(map(_NUMBER.match, values)):
            for cell in column:
                cell["class"] = [*cell.get("class", []), "text"]
