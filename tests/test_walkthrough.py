"""The walkthrough runs, and its exercises grade themselves."""

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from nnkernels.data import Dataset, npz

# Not imported for the collection of tests in each process, because that takes seconds.
pytestmark = pytest.mark.skipif(find_spec("nbformat") is None, reason="needs nbformat")

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "results" / "walkthrough.ipynb"


@pytest.fixture
def notebook():
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


def outputs_of(cell):
    return "".join(
        output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs
    )


@pytest.mark.slow
def test_notebook_runs_on_small_data(notebook, digits, tmp_path, monkeypatch, tf):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("sklearn")
    small = Dataset(digits.X_train[:4096], digits.y_train[:4096], digits.X_test[:500], digits.y_test[:500])
    npz.write_npz(tmp_path / "digits.npz", small)
    monkeypatch.setenv("NNKERNELS_DATA", str(tmp_path / "digits.npz"))
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source = re.sub(r"(GRADIENT_DESCENT_STEPS|EPOCHS) = \d+", r"\1 = 3", parameters.source)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = "\n".join(outputs_of(cell) for cell in notebook.cells if cell.cell_type == "code")
    assert "NotImplementedError" in text  # the three exercises are unsolved
    assert "1/N" in text  # the wrong backward pass was detected
    solutions = [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", [])]
    assert len(solutions) == 3  # each raises an error unless it is correct
    assert all(cell.execution_count for cell in solutions)


def test_committed_notebook_has_outputs_and_no_local_paths(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    pictures = sum("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert pictures >= 7
    text = NOTEBOOK.read_text("utf-8")
    assert not re.search(r"(/home/|/root/|/tmp/|[A-Z]:\\\\Users)", text)
    for folder in (ROOT, *list(ROOT.parents)[:-1], Path(sys.prefix)):  # on the machine that runs the test
        assert f"{folder}{os.sep}" not in text


def test_notebook_uses_only_public_names(notebook):
    import nnkernels

    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    used = set(re.findall(r"\bnk\.(\w+)", source))
    assert used
    assert used <= set(nnkernels.__all__)
    assert not re.search(r"^\s*(from nnkernels|import nnkernels\.)", source, re.MULTILINE)
