"""The walkthrough runs, its exercises grade themselves, and its page needs nothing else."""

import re
from pathlib import Path

import numpy as np
import pytest

from nnkernels.data import Dataset, npz
from nnkernels.errors import ResultsError
from nnkernels.report.walkthrough import Formulas, render_walkthrough

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "results" / "walkthrough.ipynb"


def outputs_of(cell):
    return "".join(
        output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs
    )


def test_it_runs_at_a_small_size(digits, tmp_path, monkeypatch, tf):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("sklearn")
    small = Dataset(digits.X_train[:12288], digits.y_train[:12288], digits.X_test[:500], digits.y_test[:500])
    npz.write_npz(tmp_path / "digits.npz", small)
    monkeypatch.setenv("NNKERNELS_DATA", str(tmp_path / "digits.npz"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source = re.sub(r"(GRADIENT_DESCENT_STEPS|EPOCHS) = \d+", r"\1 = 4", parameters.source)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = "\n".join(outputs_of(cell) for cell in notebook.cells if cell.cell_type == "code")
    assert "NotImplementedError" in text  # the three exercises wait for their reader
    assert "1/N" in text  # the forgetful backward pass was found out
    solutions = [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", [])]
    assert len(solutions) == 3  # each raises unless it is right
    assert all(cell.execution_count for cell in solutions)


def test_it_is_kept_with_its_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    pictures = sum("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert pictures >= 7
    assert not re.search(r"(/home/|/root/|/tmp/|/work/|[A-Z]:\\\\Users)", NOTEBOOK.read_text("utf-8"))


def test_it_uses_the_public_names_only():
    import nnkernels

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    used = set(re.findall(r"\bnk\.(\w+)", source))
    assert used
    assert used <= set(nnkernels.__all__)


def test_formulas_become_mathml_and_code_stays():
    formulas = Formulas()
    text = "Cost `$5` and $x^2$:\n\n$$ \\frac{1}{N} $$\n\n```\n$HOME $PATH\n```\n"
    aside = formulas.set_aside(text)
    assert "`$5`" in aside
    assert "$HOME $PATH" in aside
    back = formulas.put_back(aside)
    assert back.count("<math") == 2
    assert "<msup>" in back
    assert "<mfrac>" in back


def test_the_page_needs_nothing_else(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "dot.png")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n$$ L = -\\log P $$\n\n![dot](dot.png)"),
        nbformat.v4.new_code_cell("print(1)"),
    ]
    nbformat.write(notebook, tmp_path / "small.ipynb")
    render_walkthrough(tmp_path / "small.ipynb", tmp_path / "out" / "page.html")
    page = (tmp_path / "out" / "page.html").read_text("utf-8")
    assert "<math" in page
    assert "data:image/png;base64" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page)


@pytest.mark.parametrize("content", [None, "{}", "no notebook"])
def test_a_missing_or_damaged_walkthrough(content, tmp_path):
    path = tmp_path / "walkthrough.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ResultsError):
        render_walkthrough(path, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
