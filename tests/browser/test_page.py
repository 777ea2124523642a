"""The dashboard in a browser: it draws, fits, prints, and works without a script, a mouse or a network."""

import io
import re
import unicodedata

import pytest

from tests.browser.looking import cut_tables, draw_charts, overflow, table_rows, text_of, violations

# Charts follow the width of the window by an observer, which runs before the second next frame.
FITTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
DRAWN = "svg :is(path, text, rect, line)"
MARKS = "g[class*='mark-'] > :is(path, text, rect, line)"


@pytest.mark.parametrize("at", ["http", "file"])
def test_each_chart_draws_its_marks_statically_and_then_live(at, open_page, drawn):
    page = drawn if at == "http" else open_page(at=at)
    names = draw_charts(page)
    assert len(names) >= 5
    for name in names:
        assert page.locator(f"#{name} .live {MARKS}").count() >= 3, name
        for drawing in page.query_selector_all(f"#{name} .drawn > div"):
            assert len(drawing.query_selector_all(DRAWN)) >= 3, name


def test_nothing_is_cut_or_wider_than_the_window(drawn, open_page):
    others = [open_page("walkthrough.html"), open_page("run.html")]
    for width in (320, 360, 768, 1440, 1920):
        for page in (drawn, *others):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(FITTED)
            assert overflow(page) == (0, []), (width, page.url)
        assert cut_tables(drawn) == [], width


def test_cells_of_a_table_show_their_labels_on_a_phone(drawn):
    drawn.set_viewport_size({"width": 360, "height": 900})
    labels = drawn.eval_on_selector_all(
        "#compare-table td",
        "(all) => all.map((cell) => [cell.dataset.label, getComputedStyle(cell, '::before').content])",
    )
    assert labels
    assert [(label, shown) for label, shown in labels if not label or shown != f'"{label}"'] == []


@pytest.mark.parametrize("width", [360, 1200])
def test_text_of_charts_is_large_enough_to_read(width, drawn):
    drawn.set_viewport_size({"width": width, "height": 900})
    drawn.wait_for_function(FITTED)
    texts = drawn.eval_on_selector_all(
        "figure.chart svg text",
        """(all) => all.filter((text) => text.textContent && text.getClientRects().length).map((text) => {
            const matrix = text.getScreenCTM();
            return [parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.b, matrix.d), text.textContent];
        })""",
    )
    assert len(texts) > 20
    assert [text for size, text in texts if size < 10.9] == []


@pytest.mark.parametrize("width", [1200, 360])
def test_axe_finds_no_violation_in_the_dashboard(width, drawn):
    drawn.set_viewport_size({"width": width, "height": 900})
    drawn.wait_for_function(FITTED)
    assert violations(drawn) == []
    drawn.emulate_media(color_scheme="dark")
    assert violations(drawn, "color-contrast") == []  # all that dark changes


def test_axe_finds_no_violation_in_the_walkthrough(open_page):
    page = open_page("walkthrough.html")
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, "color-contrast") == []


def test_axe_finds_no_violation_in_the_page_of_a_run(open_page):
    page = open_page("run.html")  # always light
    # Hundreds of rows are alike, and axe looks at every cell.
    page.eval_on_selector_all("tbody tr:nth-child(n + 6)", "(rows) => rows.forEach((row) => row.remove())")
    assert violations(page) == []


def test_dark_and_light_differ_in_page_and_charts(drawn):
    colours = []
    for scheme in ("light", "dark"):
        drawn.emulate_media(color_scheme=scheme)
        colours.append(
            drawn.evaluate(
                """() => [getComputedStyle(document.body).backgroundColor,
                    getComputedStyle(document.querySelector("#chart-answer .live text")).fill]"""
            )
        )
    assert all(light != dark for light, dark in zip(*colours, strict=True))


def test_without_a_script_the_answer_and_the_first_chart_are_there(open_page):
    page = open_page(java_script_enabled=False)
    answer = text_of(page, "#answer")
    assert re.search(r"\d+\.\d+ ?\[\d", answer)
    (drawing,) = [one for one in page.query_selector_all("#chart-answer .drawn > div") if one.is_visible()]
    box = drawing.bounding_box()
    assert box["height"] > 100
    assert len(drawing.query_selector_all(DRAWN)) > 10
    assert page.locator("#compare-table tbody tr").count() > 5
    assert not page.is_visible("#compare-form")


def test_print_holds_the_numbers_of_the_page(drawn):
    pypdf = pytest.importorskip("pypdf")
    page = drawn
    pdf = pypdf.PdfReader(io.BytesIO(page.pdf(format="A4")))
    text = "".join(sheet.extract_text() for sheet in pdf.pages)
    printed = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))  # without ligatures
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
    for _ in range(200):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
                const one = document.activeElement, style = getComputedStyle(one);
                const width = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
                return [one.name || one.id || one.tagName, width];
            }"""
        )
        if name == "BODY":  # after the last one
            break
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
