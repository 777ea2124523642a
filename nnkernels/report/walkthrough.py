"""The walkthrough as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nnkernels.errors import MissingDependencyError, ResultsError, one_line
from nnkernels.files import write_text

# Code first: a dollar sign in it is no formula.
_CODE_OR_FORMULA = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)


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
        If the notebook is missing or damaged.
    """
    for package in ("nbconvert", "latex2mathml"):
        if find_spec(package) is None:
            raise MissingDependencyError("the walkthrough as a page", package, "measure")
    import nbformat
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter

    try:
        content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise ResultsError(f"the walkthrough cannot be read: {one_line(error)}") from error
    formulas = Formulas()
    for cell in content.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas.set_aside(cell.source)
    exporter = HTMLExporter(template_name="basic", embed_images=True)  # type: ignore[no-untyped-call]
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    body, _ = exporter.from_notebook_node(content, {"metadata": {"path": str(notebook.parent)}})
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
        """Return the text with a word in the place of each formula; code stays as it is."""
        from latex2mathml.converter import convert

        def replace(match: re.Match[str]) -> str:
            code, block, inline = match.groups()
            if code is not None:
                return str(code)
            self.mathml.append(convert(block or inline, display="block" if block else "inline"))
            return f"FORMULA{len(self.mathml) - 1}END"

        return _CODE_OR_FORMULA.sub(replace, markdown)

    def put_back(self, html: str) -> str:
        """Return the HTML with the formulas in their places."""
        return re.sub(r"FORMULA(\d+)END", lambda match: self.mathml[int(match[1])], html)
