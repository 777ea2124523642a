"""The walkthrough's page: rendered formulas, embedded pictures, and nothing that a browser has to fetch."""

import html
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from nnkernels.errors import ResultsError
from nnkernels.report.walkthrough import Formulas, render_walkthrough

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbconvert")
pytest.importorskip("latex2mathml")
bs4 = pytest.importorskip("bs4")

NOTEBOOK = Path(__file__).parents[1] / "results" / "walkthrough.ipynb"
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="  # one pixel


def rendered(folder, *cells):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    nbformat.write(notebook, folder / "small.ipynb")
    render_walkthrough(folder / "small.ipynb", folder / "page.html")
    return (folder / "page.html").read_text("utf-8")


def identifiers(mathml):
    return re.findall(r"<mi>([^<]*)</mi>", mathml)


# Formulas


@pytest.mark.parametrize(
    "code",
    [
        "`$HOME` and `$PATH`",
        "`` a ` $x$ ``",
        "```\necho $HOME $PATH\n```",
        "```python\nprice = '$x$'\n\nother = '$$y$$'\n```",
        "~~~\n$x$\n~~~",
        "- item\n\n      ```\n      $x$\n      ```",
        "> ```\n> $x$\n> ```",
        "costs \\$5, or \\$6",
        "a lone $ sign",
        "```\nnever closed $x$",
    ],
)
def test_dollars_in_code_and_escaped_dollars_are_unchanged(code):
    formulas = Formulas()
    assert formulas.set_aside(code) == code
    assert formulas.mathml == []
    assert formulas.put_back(code) == code


@pytest.mark.parametrize(
    "around", ["{}", "`a` {} `b`", "```\n$a$\n```\n{}\n\n~~~\n$b$\n~~~", "\\$1 {} \\$2", "one ` tick {}"]
)
@pytest.mark.parametrize(("formula", "display"), [("$q$", "inline"), ("$$q$$", "block"), ("$$\n  q\n$$", "block")])
def test_formula_beside_code_is_replaced_in_its_place(around, formula, display):
    formulas = Formulas()
    aside = formulas.set_aside(around.format(formula))
    (mathml,) = formulas.mathml
    assert identifiers(mathml) == ["q"]
    assert f'display="{display}"' in mathml
    assert formulas.put_back(aside) == around.format(mathml)
    assert ('tabindex="0"' in mathml) == (display == "block")


def test_many_formulas_in_many_cells_are_replaced_in_order():
    formulas = Formulas()
    letters = "abcdefghijklmnopq"  # more than ten, so that some placeholders are prefixes of others
    asides = [formulas.set_aside(f"${letter}$ then $$ {letter.upper()}_1 $$") for letter in letters]
    for letter, aside in zip(letters, asides, strict=True):
        assert "$" not in aside
        assert identifiers(formulas.put_back(aside)) == [letter, letter.upper()]


def test_escaped_dollar_inside_formula_is_part_of_it():
    formulas = Formulas()
    formulas.set_aside(r"$p = 5\$ + x$")
    (mathml,) = formulas.mathml
    assert "$" in html.unescape(mathml)
    assert identifiers(mathml)[-1] == "x"


@pytest.mark.parametrize("formula", [r"$x_$", r"$$ \left( x $$", r"$\begin{matrix} a$"])
def test_error_for_invalid_latex_names_formula(formula):
    with pytest.raises(ResultsError, match=re.escape(formula)):
        Formulas().set_aside(f"Before {formula} after.")


# The page


def test_page_contains_formulas_code_outputs_and_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "figures").mkdir()
    image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(tmp_path / "figures" / "dot.png")
    output = nbformat.v4.new_output("stream", text="loss $x$ < 1\n")
    page = rendered(
        tmp_path,
        "# Softmax\n\nWith $a < b$ and *weights* $W_1$:\n\n$$ p = \\frac{e^z}{\\sum e^z} $$\n\n`$HOME`",
        "![a dot](figures/dot.png)",
        nbformat.v4.new_code_cell("print('$y$')", outputs=[output], execution_count=1),
    )
    assert page.count("<math") == 3
    assert "<mfrac>" in page
    assert "<code>$HOME</code>" in page
    assert "$y$" in page  # formulas are not looked for in code cells
    assert "loss $x$ &lt; 1" in page  # nor in their outputs
    assert "<em>weights</em>" in page
    assert "FORMULA" not in page
    (source,) = re.findall(r'<img[^>]* src="([^"]*)"', page)
    assert source.startswith("data:image/png;base64,")
    assert page.count("<html") == page.count("</html>") == 1
    assert "<script" not in page
    assert not re.search(r"""(src=["']|@import|url\()\s*["']?(https?:)?//""", page)


def test_code_is_highlighted_without_ipython(tmp_path, monkeypatch):
    for package in ("IPython", "IPython.lib.lexers", "ipython_pygments_lexers"):
        monkeypatch.setitem(sys.modules, package, None)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("for i in range(3): pass")])
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    nbformat.write(notebook, tmp_path / "small.ipynb")
    render_walkthrough(tmp_path / "small.ipynb", tmp_path / "page.html")  # a warning would be an error
    assert re.search(r'<span class="k">for</span>', (tmp_path / "page.html").read_text("utf-8"))


def test_external_link_is_kept(tmp_path):
    assert 'href="https://example.org"' in rendered(tmp_path, "[more](https://example.org)")


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("![gone](gone.png)", "gone.png"),
        ("![far](https://example.org/far.png)", "https://example.org/far.png"),
        ('<img alt="far" src="//example.org/far.png">', "//example.org/far.png"),
        ('<script src="https://example.org/a.js"></script>', "https://example.org/a.js"),
        ("![attached](attachment:lost.png)", "lost.png"),
        ("Badly put: $x_$", "$x_$"),
    ],
)
def test_content_that_cannot_be_embedded_is_named_and_no_page_is_written(cell, named, tmp_path):
    with pytest.raises(ResultsError, match=re.escape(named)):
        rendered(tmp_path, "# Title", cell)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no notebook",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"{}",
        b'{"nbformat": 99}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "markdown"}]}',
    ],
)
def test_missing_or_damaged_notebook_leaves_old_page_unchanged(content, tmp_path):
    notebook, page = tmp_path / "walkthrough.ipynb", tmp_path / "page.html"
    if content is not None:
        notebook.write_bytes(content)
    page.write_text("the page before")
    with pytest.raises(ResultsError, match="the walkthrough cannot be read"):
        render_walkthrough(notebook, page)
    assert page.read_text() == "the page before"


# For every reader


def picture(**metadata):
    output = nbformat.v4.new_output("execute_result", {"image/png": DOT, "text/plain": "<Figure>"})
    return nbformat.v4.new_code_cell("plot()", outputs=[output], execution_count=1, metadata=metadata)


@pytest.mark.parametrize("cell", [picture(), picture(alt="  "), f"![](data:image/png;base64,{DOT})"])
def test_picture_without_description_is_an_error_that_names_the_cell(cell, tmp_path):
    with pytest.raises(ResultsError, match=r"cell 3 .*without a description.*metadata"):
        rendered(tmp_path, "# Title", picture(alt="described"), cell)
    assert not (tmp_path / "page.html").exists()


def test_picture_is_described_by_the_metadata_of_its_cell(tmp_path):
    page = bs4.BeautifulSoup(rendered(tmp_path, picture(alt='A curve, "loss" < 1')), "html.parser")
    assert [image["alt"] for image in page.select("img")] == ['A curve, "loss" < 1']


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    path = tmp_path_factory.mktemp("walkthrough") / "walkthrough.html"
    render_walkthrough(NOTEBOOK, path)
    return bs4.BeautifulSoup(path.read_text("utf-8"), "html.parser")


def test_every_picture_of_the_notebook_has_a_description_of_its_own(committed):
    descriptions = [image["alt"] for image in committed.select("img")]
    assert len(descriptions) >= 10
    assert len(set(descriptions)) == len(descriptions)
    assert all(len(description) >= 100 for description in descriptions)


def test_page_has_language_title_landmarks_and_a_link_that_skips_to_the_text(committed):
    assert committed.html["lang"] == "en"
    assert committed.title.get_text() == "A neural network from scratch, step by step – nnkernels"
    assert len(committed.select("main")) == len(committed.select("header")) == len(committed.select("h1")) == 1
    first_link = committed.body.a
    assert committed.select_one(first_link["href"]).name == "main"


def test_contents_link_to_every_heading_of_the_second_level(committed):
    links = committed.select("nav a")
    headings = committed.select("h2")
    assert len(headings) > 10
    assert [link.get_text() for link in links] == [heading.get_text() for heading in headings]
    assert [link["href"] for link in links] == [f"#{heading['id']}" for heading in headings]
    identifiers = [element["id"] for element in committed.select("[id]")]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.parametrize("wide", ["pre", "table", "img", 'math[display="block"]'])
def test_everything_wide_is_in_a_box_that_the_keyboard_can_scroll(wide, committed):
    found = committed.select(wide)
    assert found
    for element in found:
        box = element if wide == "pre" else element.parent
        assert box["tabindex"] == "0"
        assert box["aria-label"]
        assert box["role"] == "group"


def test_header_cells_have_scopes(committed):
    assert {header["scope"] for header in committed.select("th")} == {"col", "row"}
    assert all(header.get_text(strip=True) for header in committed.select("th"))


def test_colours_of_a_terminal_are_removed_from_outputs(tmp_path):
    styled = (
        '<pre style="color:#00af00;line-height:normal"><b style="background-color: red; font-style: italic">5</b></pre>'
    )
    output = nbformat.v4.new_output("display_data", {"text/html": styled})
    page = bs4.BeautifulSoup(
        rendered(tmp_path, nbformat.v4.new_code_cell("show()", outputs=[output], execution_count=1)), "html.parser"
    )
    assert page.select_one(".output pre")["style"] == "line-height:normal"
    assert page.b["style"].strip() == "font-style: italic"


def test_lines_printed_one_after_the_other_are_one_output(tmp_path):
    outputs = [nbformat.v4.new_output("stream", text=f"step {step}\n") for step in range(3)]
    page = bs4.BeautifulSoup(
        rendered(tmp_path, nbformat.v4.new_code_cell("run()", outputs=outputs, execution_count=1)), "html.parser"
    )
    assert [output.get_text() for output in page.select(".output pre")] == ["step 0\nstep 1\nstep 2\n"]


def luminance(colour):
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_code_and_text_have_enough_contrast(scheme, committed):
    css = committed.style.get_text()
    blocks = re.split(r"@media [^{]*", css)
    light, dark = (dict(re.findall(r"--(\w+): (#\w+);", block)) for block in blocks if "--code:" in block)
    colours = dark if scheme == "dark" else light
    in_code = (re.findall(r"\.highlight [^{]*\{[^}]*?(?<!-)color: (#\w+)", block) for block in blocks)
    light, dark = (found for found in in_code if len(found) > 20)
    for colour in dark if scheme == "dark" else light:
        assert contrast(colour, colours["code"]) >= 4.5, colour
    for ground in ("page", "quiet", "code"):
        assert contrast(colours["text"], colours[ground]) >= 7
        assert contrast(colours["link"], colours[ground]) >= 4.5


def test_columns_of_texts_are_told_from_columns_of_numbers(tmp_path):
    rows = "<tr><th>0</th><td>fused</td><td>77 ms</td><td>-1.5</td><td></td></tr>"
    rows += "<tr><th>1</th><td></td><td>2,177 ms</td><td>NaN</td><td>.5</td></tr>"
    heads = "".join(f"<th>{name}</th>" for name in ("", "step", "an epoch", "change", "share"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    output = nbformat.v4.new_output("display_data", {"text/html": table})
    page = bs4.BeautifulSoup(
        rendered(tmp_path, nbformat.v4.new_code_cell("show()", outputs=[output], execution_count=1)), "html.parser"
    )
    assert [cell.get_text() for cell in page.select(".text")] == ["step", "fused", ""]
