"""The frame of the dashboard: what is inlined, what its policy permits, and that nothing from outside gets through."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import ChoiceLoader, DictLoader

from nnkernels.report.dashboard import assets, page
from nnkernels.report.dashboard.charts import Chart
from nnkernels.report.dashboard.collection import Collection
from nnkernels.report.dashboard.interval_chart import Row, interval_chart
from nnkernels.report.dashboard.section import Section
from nnkernels.report.layout import Column

FIRST = """<h1 id="heading-first">{{ name }}</h1>
{% from "macros.html.j2" import listed %}{{ charts.evil }}{{ listed([name]) }}
"""
EVIL = '</script><script>alert("1 & 2")</script><!--'
CHART = Chart("evil", EVIL, EVIL, EVIL, interval_chart([Row(EVIL, "framework", 2.0, 1.5, 3.0, "2.00", EVIL)], EVIL))


class Elements(HTMLParser):
    """The elements of a page, each with its attributes and the text up to the next tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", {}, []))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][2].append(data)

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(texts)) for name, attributes, texts in self.found if name == tag]


def rendered(monkeypatch: pytest.MonkeyPatch, *notes: str) -> page.Page:
    files: dict[str, str | bytes] = {"samples/one.js": assets.registration("one", [EVIL])}
    first = Section("first", EVIL, {"name": EVIL}, (CHART,), {"name": EVIL}, files)
    templates = page.environment()
    templates.loader = ChoiceLoader([templates.loader or DictLoader({}), DictLoader({"first.html.j2": FIRST})])
    monkeypatch.setattr(page, "environment", lambda: templates)
    monkeypatch.setattr(page, "build_sections", lambda _collection: [first])
    return page.render(Collection(Path(), (), notes), {"Walkthrough": "walkthrough.html"})


@pytest.fixture(scope="module")
def html() -> str:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return rendered(monkeypatch, f"results/runs/{EVIL}/run.json: damaged").html


def test_policy_permits_exactly_the_inline_scripts(html: str) -> None:
    elements = Elements(html)
    (policy,) = (
        attributes["content"] or ""
        for attributes, _text in elements.of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    code = [text for attributes, text in elements.of("script") if attributes.get("type") != "application/json"]
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code}
    assert hashes == set(re.findall(r"'sha256-([^']+)'", policy))
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert not re.search(r"https?:", policy)


def test_page_asks_no_other_host(html: str) -> None:
    for _tag, attributes, _texts in Elements(html).found:
        for name in ("src", "href"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or "")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html.split("<script")[0])


def test_names_from_results_are_text_everywhere(html: str) -> None:
    elements = Elements(html)
    assert not [text for _attributes, text in elements.of("script") if text.startswith("alert")]
    assert "alert" in html
    before_scripts = html[: html.index('<script type="application/json"')]
    assert "<script" not in before_scripts
    assert "<!--" not in before_scripts


def test_payloads_and_specifications_are_read_back_unchanged(html: str) -> None:
    found = {attributes.get("id"): text for attributes, text in Elements(html).of("script")}
    assert json.loads(found["data-first"]) == {"name": EVIL}
    assert json.loads(found["specs"])["charts"]["evil"]["datasets"]["rows"][0]["label"] == EVIL


def test_files_beside_page_register_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    script = rendered(monkeypatch).files["samples/one.js"]
    assert isinstance(script, str)
    found = re.fullmatch(r"nnkernels\.register\((.*?), (.*)\);\n", script, re.DOTALL)
    assert found
    assert json.loads(found[1]) == "one"
    assert json.loads(found[2]) == [EVIL]


def test_page_has_language_title_landmarks_and_skip_link(html: str) -> None:
    elements = Elements(html)
    assert elements.of("html")[0][0]["lang"] == "en"
    ((_attributes, title),) = elements.of("title")
    assert title
    for landmark in ("header", "nav", "main", "footer"):
        assert len(elements.of(landmark)) == 1
    assert elements.of("a")[0][0]["href"] == "#main"
    assert len(elements.of("h1")) == 1
    ids = [attributes["id"] for _tag, attributes, _texts in elements.found if "id" in attributes]
    for target in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', html):
        assert target in ids


def test_each_chart_has_heading_sentence_and_text_alternative(html: str) -> None:
    figure = html[html.index('<figure class="chart" id="chart-evil">') : html.index("</figure>")]
    assert figure.count("<svg") == 2  # narrow and wide
    assert figure.count('role="img"') == 3  # and the live one
    assert re.search(r"<figcaption><h[23]>.+</h[23]><p>.+</p></figcaption>", figure)
    assert re.search(r'<p class="visually-hidden" id="text-evil">.+</p>', figure)


def test_unreadable_results_are_named_at_end_of_page(html: str) -> None:
    assert "could not be read" in html
    assert "results/runs/" in html.split("<footer>")[1]


def test_page_without_unreadable_results_does_not_mention_any(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "could not be read" not in rendered(monkeypatch).html


def test_page_is_the_same_each_time(html: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendered(monkeypatch, f"results/runs/{EVIL}/run.json: damaged").html == html


def test_missing_number_is_refused_in_payload() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        assets.payload({"value": float("nan")})


def test_backquotes_become_code_and_nothing_else_becomes_markup() -> None:
    assert assets.code("`a<b` & <b>") == "<code>a&lt;b</code> &amp; &lt;b&gt;"


def test_numbers_with_intervals_are_emphasised() -> None:
    text = assets.numbers("It is 9.57 [9.18, 9.98] times as fast, in 33.9 ms [30.3, 38.0].")
    assert "<strong>9.57</strong>" in text
    assert "<strong>33.9 ms</strong>" in text
    assert text.count('<span class="interval">') == 2


def test_table_has_caption_scopes_and_labels_for_cards() -> None:
    columns = [Column("contender", ["fused", EVIL], identity=True), Column("epoch", ["1 s", "-"], right=True)]
    macros = page.environment().get_template("macros.html.j2").make_module()
    html = str(macros.table(columns, "All <of> them", sort={"epoch": [1.0, "-"]}, sortable=True))  # type: ignore[attr-defined]
    elements = Elements(html)
    assert elements.of("caption")[0][1] == "All <of> them"
    assert [attributes.get("scope") for attributes, _text in elements.of("th")] == ["col", "col", "row", "row"]
    assert [attributes.get("data-label") for attributes, _text in elements.of("td")] == ["epoch", "epoch"]
    assert [attributes.get("data-sort") for attributes, _text in elements.of("td")] == ["1.0", "-"]
    assert "<script" not in html
