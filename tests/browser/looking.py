"""What the tests look at in a page."""

import json

# The part of an element that lies beyond the right edge of what shows it: the nearest box that scrolls, or the window.
_CUT = """(selector) => [...document.querySelectorAll(selector)].filter((element) => {
    const box = element.getBoundingClientRect();
    if (!box.width || getComputedStyle(element).visibility === "hidden") return false;
    for (let around = element.parentElement; around; around = around.parentElement) {
        if (["auto", "scroll"].includes(getComputedStyle(around).overflowX)) return false;
    }
    return box.right > document.documentElement.clientWidth + 0.5 || box.left < -0.5;
}).map((element) => element.outerHTML.slice(0, 120))"""
# Tables that scroll within their frame, so that a column is out of sight. Those in closed details are not shown.
_CUT_TABLES = """() => [...document.querySelectorAll(".scroll")].filter(
    (frame) => frame.checkVisibility() && frame.scrollWidth > frame.clientWidth + 1).map((frame) => frame.ariaLabel)"""
_OVERFLOW = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


def draw_charts(page):
    """Bring each chart into view, so that the page draws it; return their ids."""
    for figure in page.query_selector_all("figure.chart"):
        if figure.is_visible():
            figure.evaluate("(element) => element.scrollIntoView()")
            page.wait_for_function("(element) => element.classList.contains('is-live')", arg=figure)
    return [figure.get_attribute("id") for figure in page.query_selector_all("figure.chart")]


def violations(page, *rules):
    """Return what axe finds by some or by all of its rules, one line for each rule."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "rule", "values": rules}} if rules else None
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {json.dumps([node['html'][:160] for node in one['nodes'][:4]])}" for one in found]


def overflow(page, selector="main :not(svg *), main svg text"):
    """Return by how much the page is wider than the window, and the elements that stick out of it."""
    whole, window = page.evaluate(_OVERFLOW)
    return max(0, whole - window), page.evaluate(_CUT, selector)


def cut_tables(page):
    """Return the captions of the tables that are wider than their frames."""
    return page.evaluate(_CUT_TABLES)


def table_rows(page, selector):
    """Return the cells of a table as dictionaries by their labels; the row header is under ``name``."""
    return page.eval_on_selector_all(
        f"{selector} tbody tr",
        """(rows) => rows.map((row) => Object.fromEntries(
            [...row.cells].map((cell, place) => [place ? cell.dataset.label : "name", cell.textContent.trim()])))""",
    )


def text_of(page, selector="body"):
    """Return the visible text, with single spaces."""
    return " ".join(page.inner_text(selector).split())
