"""The walkthrough as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nnkernels.errors import MissingDependencyError, ResultsError, one_line
from nnkernels.files import write_text

# Code and escaped characters first: a dollar sign there is no formula.
_CODE_OR_FORMULA = re.compile(
    r"""
    (?P<verbatim>
        ^[ >]*(?P<fence>`{3,}|~{3,}).*?(?:^[ >]*(?P=fence)|\Z)
        | (?<!`)(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)
        | \\.
    )
    | \$\$(?P<block>(?:\\.|[^\\$])+)\$\$
    | \$(?P<inline>(?:\\.|[^\\$])+)\$
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
# What a browser would fetch to show the page; whatever goes into it starts with "data:".
_FETCHED = re.compile(r'<(?:script|img|link|iframe)\b[^>]*?\s(?:src|href)="(?!data:)([^"]*)"')


def render_walkthrough(notebook: Path, page: Path) -> None:
    """Write the executed notebook as HTML; formulas become MathML, which browsers draw by themselves.

    Parameters
    ----------
    notebook : Path
        Pictures that it links to lie beside it, and go into the page.
    page : Path

    Raises
    ------
    MissingDependencyError
        If nbconvert or latex2mathml is not installed.
    ResultsError
        If the notebook is missing or damaged, a formula is, or a picture or script cannot go into the page.
    """
    for package in ("nbconvert", "latex2mathml"):
        if find_spec(package) is None:
            raise MissingDependencyError("the walkthrough as a page", package, "page")
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import InvalidNotebook
    from pygments.formatters import HtmlFormatter

    try:
        content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise ResultsError(f"the walkthrough cannot be read: {one_line(error)}") from error
    # The notebook's own lexer, of IPython, may not be installed; Python's colours the same code the same way.
    content.metadata["language_info"] = {"name": "python", "pygments_lexer": "python"}
    formulas = Formulas()
    for cell in content.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas.set_aside(cell.source)
    exporter = HTMLExporter(template_name="basic", embed_images=True)  # type: ignore[no-untyped-call]
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    try:
        body, _ = exporter.from_notebook_node(content, {"metadata": {"path": str(notebook.parent)}})
    except InvalidNotebook as error:
        raise ResultsError(f"the walkthrough cannot be shown: {one_line(error)}") from error
    if fetched := _FETCHED.search(body):
        raise ResultsError(
            f"the walkthrough's page cannot hold {fetched[1]}; only pictures beside the notebook can go into it"
        )
    environment = Environment(
        loader=PackageLoader("nnkernels.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    highlighting = Markup(HtmlFormatter(style="default").get_style_defs(".highlight"))
    template = environment.get_template("walkthrough.html.j2")
    write_text(page, template.render(body=Markup(formulas.put_back(body)), highlighting=highlighting))


class Formulas:
    """The LaTeX formulas of a text, set aside while Markdown becomes HTML, and put back as MathML.

    The way through Markdown would tear MathML's tags apart.
    """

    def __init__(self) -> None:
        self.mathml: list[str] = []

    def set_aside(self, markdown: str) -> str:
        """Return the text with a word in the place of each formula; code stays as it is.

        Raises
        ------
        ResultsError
            If a formula is not LaTeX.
        """
        from latex2mathml.converter import convert

        def replace(match: re.Match[str]) -> str:
            if match["verbatim"] is not None:
                return match[0]
            block = match["block"]
            try:
                self.mathml.append(convert(block or match["inline"], display="block" if block else "inline"))
            except Exception as error:  # its errors have no base of their own
                formula = " ".join(match[0].split())
                raise ResultsError(f"the formula {formula} cannot be read: {type(error).__name__}") from error
            return f"FORMULA{len(self.mathml) - 1}END"

        return _CODE_OR_FORMULA.sub(replace, markdown)

    def put_back(self, html: str) -> str:
        """Return the HTML with the formulas in their places."""
        return re.sub(r"FORMULA(\d+)END", lambda match: self.mathml[int(match[1])], html)
