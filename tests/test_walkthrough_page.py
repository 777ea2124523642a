"""The walkthrough's page: rendered formulas, embedded pictures, and nothing that a browser has to fetch."""

import html
import re
import sys
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from nnkernels.errors import ResultsError
from nnkernels.report.walkthrough import Formulas, render_walkthrough

# Not imported for the collection of tests in each process, because that takes seconds.
NEEDED = ("nbformat", "nbconvert", "latex2mathml")
pytestmark = pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason=f"needs {', '.join(NEEDED)}")


@pytest.fixture(autouse=True, scope="module")
def import_packages():
    """Import the packages before a test hides others from them."""
    for name in NEEDED:
        import_module(name)


def rendered(folder, *cells):
    import nbformat

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
    import nbformat

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
    import nbformat

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
