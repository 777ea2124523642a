"""The dashboard in a browser: it draws, fits, prints, and works without a script, a mouse or a network."""

import io
import re

import pytest

from tests.browser.conftest import WIDTHS
from tests.browser.looking import draw_charts, overflow, table_rows, text_of, violations

MARKS = "g[class*='mark-'] > :is(path, text, rect, line)"


@pytest.mark.parametrize("at", ["http", "file"])
def test_each_chart_draws_its_marks_statically_and_then_live(at, open_page):
    page = open_page(at=at)
    names = draw_charts(page)
    assert len(names) >= 5
    for name in names:
        live = page.locator(f"#{name} .live {MARKS}").count()
        for drawing in page.query_selector_all(f"#{name} .drawn > div"):
            static = len(drawing.query_selector_all(MARKS))
            assert static >= 3, name
            assert live >= 3, name
    assert page.evaluate("document.querySelectorAll('figure.chart:not(.is-live)').length") == 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["index.html", "walkthrough.html"])
def test_nothing_is_cut_or_wider_than_the_window(name, width, open_page):
    page = open_page(name, width=width)
    if name == "index.html":
        draw_charts(page)
    assert overflow(page) == (0, [])


@pytest.mark.parametrize("width", [320, 360])
def test_cells_of_a_table_show_their_labels_on_a_phone(width, open_page):
    page = open_page(width=width)
    cells = page.query_selector_all("#compare-table td")
    assert cells
    for cell in cells[:24]:
        label = cell.evaluate("(cell) => getComputedStyle(cell, '::before').content")
        assert label.strip('"') == cell.get_attribute("data-label")


@pytest.mark.parametrize("width", [360, 1200])
def test_text_of_charts_is_large_enough_to_read(width, open_page):
    page = open_page(width=width)
    draw_charts(page)
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("figure.chart svg text")].filter((text) => text.getClientRects().length)
            .map((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().d)"""
    )
    assert len(sizes) > 20
    assert min(sizes) >= 10.9


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "walkthrough.html"])
def test_axe_finds_no_violation(name, scheme, open_page):
    page = open_page(name, color_scheme=scheme)
    if name == "index.html":
        draw_charts(page)
    assert violations(page) == []


def test_axe_finds_no_violation_on_a_phone(open_page):
    page = open_page(width=360)
    draw_charts(page)
    assert violations(page) == []


def test_dark_and_light_differ_in_page_and_charts(open_page):
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        draw_charts(page)
        colours[scheme] = page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector("#chart-answer .live text")).fill]"""
        )
    assert all(light != dark for light, dark in zip(*colours.values(), strict=True))


def test_without_a_script_the_answer_and_the_first_chart_are_there(open_page):
    page = open_page(java_script_enabled=False)
    answer = text_of(page, "#answer")
    assert re.search(r"\d+\.\d+ ?\[\d", answer)
    (drawing,) = [one for one in page.query_selector_all("#chart-answer .drawn > div") if one.is_visible()]
    box = drawing.bounding_box()
    assert box["height"] > 100
    assert drawing.query_selector_all(MARKS)
    assert page.locator("#compare-table tbody tr").count() > 5
    assert not page.is_visible("#compare-form")


def test_print_holds_the_numbers_of_the_page(open_page):
    pypdf = pytest.importorskip("pypdf")
    page = open_page()
    draw_charts(page)
    pdf = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4")))
    printed = re.sub(r"\s+", "", "".join(sheet.extract_text() for sheet in pdf.pages))
    rows = table_rows(page, "#compare-table")
    assert len(rows) > 5
    for row in rows:
        for cell in row.values():
            assert re.sub(r"\s+", "", cell) in printed
    for bracket in re.findall(r"\d[\d.,]* \[[^]]+\]", text_of(page, "#answer")):
        assert re.sub(r"\s+", "", bracket) in printed


def test_keyboard_reaches_every_control_and_its_focus_is_seen(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached, unseen = set(), []
    for _ in range(80):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
                return [one.name || one.id || one.tagName, style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth)]; }"""
        )
        reached.add(name)
        if outline < 2:
            unseen.append(name)
    enabled = set(page.eval_on_selector_all("#compare-form select:enabled", "(all) => all.map((one) => one.name)"))
    assert enabled
    assert enabled <= reached
    assert unseen == []


def test_links_within_the_site_lead_to_pages_and_sections(open_page, site):
    page = open_page()
    links = set(page.eval_on_selector_all("a[href]", "(all) => all.map((one) => one.getAttribute('href'))"))
    anchors = {link[1:].split("?")[0] for link in links if link.startswith("#")}
    identifiers = set(page.eval_on_selector_all("[id]", "(all) => all.map((one) => one.id)"))
    assert anchors <= identifiers | {"top"}
    files = {link for link in links if not link.startswith(("#", "http", "mailto:", "data:"))}
    assert "walkthrough.html" in files
    assert [link for link in files if not (site / link.split("#")[0].split("?")[0]).is_file()] == []
