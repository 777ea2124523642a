"""Conversion of the walkthrough to one self-contained HTML page, without scripts or network access."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nnkernels.errors import MissingDependencyError, ResultsError, one_line
from nnkernels.files import write_text
from nnkernels.report.walkthrough_markup import refine

# Code and escaped characters are matched first, because a dollar sign in them does not start a formula.
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
# Pygments' styles for light and dark. Each of their colours has a contrast of 4.5 to the template's background of code.
HIGHLIGHTING = ("xcode", "lightbulb")
# References that a browser would fetch in order to show the page. Embedded content starts with "data:".
_FETCHED = re.compile(r'<(?:script|img|link|iframe)\b[^>]*?\s(?:src|href)="(?!data:)([^"]*)"')


def render_walkthrough(notebook: Path, page: Path) -> None:
    """Convert an executed notebook to HTML. Formulas become MathML, which browsers render without scripts.

    Parameters
    ----------
    notebook : Path
        The notebook. Pictures that it links to must be files beside it. They are embedded in the page. A picture in the
        output of a cell is described by ``alt`` in the cell's metadata.
    page : Path
        The HTML file to write.

    Raises
    ------
    MissingDependencyError
        If nbconvert or latex2mathml is not installed.
    ResultsError
        If the notebook is missing or damaged, a formula is not valid LaTeX, a picture or script cannot be embedded, or
        a picture has no description.
    """
    for package in ("nbconvert", "latex2mathml"):
        if find_spec(package) is None:
            raise MissingDependencyError("the page of the walkthrough", package, "page")
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import InvalidNotebook
    from nbconvert.preprocessors.coalescestreams import CoalesceStreamsPreprocessor
    from pygments.formatters import HtmlFormatter

    try:
        content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise ResultsError(f"the walkthrough cannot be read: {one_line(error)}") from error
    # The notebook names IPython's lexer, which may not be installed. Python's lexer highlights this code identically.
    content.metadata["language_info"] = {"name": "python", "pygments_lexer": "python"}
    formulas = Formulas()
    for cell in content.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas.set_aside(cell.source)
    exporter = HTMLExporter(template_name="basic", embed_images=True)  # type: ignore[no-untyped-call]
    exporter.register_preprocessor(CoalesceStreamsPreprocessor, enabled=True)  # type: ignore[no-untyped-call]
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    try:
        body, _ = exporter.from_notebook_node(content, {"metadata": {"path": str(notebook.parent)}})
    except InvalidNotebook as error:
        raise ResultsError(f"the walkthrough cannot be converted to HTML: {one_line(error)}") from error
    if fetched := _FETCHED.search(body):
        raise ResultsError(
            f"the page of the walkthrough cannot embed {fetched[1]}; only pictures in files beside the notebook can be "
            "embedded"
        )
    refined = refine(body)
    environment = Environment(
        loader=PackageLoader("nnkernels.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    light, dark = (Markup(HtmlFormatter(style=style).get_style_defs(".highlight")) for style in HIGHLIGHTING)
    template = environment.get_template("walkthrough.html.j2")
    write_text(
        page, template.render(refined=refined, body=Markup(formulas.put_back(refined.body)), light=light, dark=dark)
    )


class Formulas:
    """The LaTeX formulas of a text, replaced by placeholders during the conversion from Markdown to HTML.

    The Markdown converter would break the tags of MathML.

    Attributes
    ----------
    mathml : list of str
        The formulas as MathML. Those that stand by themselves are in boxes that scroll.
    """

    def __init__(self) -> None:
        self.mathml: list[str] = []

    def set_aside(self, markdown: str) -> str:
        """Replace each formula by a placeholder. Code is left unchanged.

        Parameters
        ----------
        markdown : str
            The text.

        Returns
        -------
        text : str
            The text with placeholders.

        Raises
        ------
        ResultsError
            If a formula is not valid LaTeX.
        """
        from latex2mathml.converter import convert

        def replace(match: re.Match[str]) -> str:
            if match["verbatim"] is not None:
                return match[0]
            block = match["block"]
            try:
                mathml = convert(block or match["inline"], display="block" if block else "inline")
            except Exception as error:  # latex2mathml's errors have no common base class
                formula = " ".join(match[0].split())
                raise ResultsError(f"the formula {formula} is not valid LaTeX ({type(error).__name__})") from error
            number = len(self.mathml)
            # A span, because the Markdown converter puts formulas into paragraphs.
            box = f'<span class="scroller" tabindex="0" role="group" aria-label="Formula {number + 1}">'
            self.mathml.append(f"{box}{mathml}</span>" if block else mathml)
            return f"FORMULA{number}END"

        return _CODE_OR_FORMULA.sub(replace, markdown)

    def put_back(self, html: str) -> str:
        """Replace the placeholders by the formulas.

        Parameters
        ----------
        html : str
            The converted text.

        Returns
        -------
        html : str
            The text with MathML.
        """
        return re.sub(r"FORMULA(\d+)END", lambda match: self.mathml[int(match[1])], html)
