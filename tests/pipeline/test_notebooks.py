"""Every notebook runs from top to bottom, in the folder of the tiny run."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


SUMMARY = """\
variant,seed,label_fraction,changes_f1,cider,flip_consistency,pointing_1,parameters
full,1,1,0.8,7.0,0.6,0.9,1200000
full,2,1,0.82,7.2,0.6,0.9,1200000
full,1,0.1,0.5,5.0,0.4,0.9,1200000
no_pretraining,1,1,0.7,6.5,0.5,0.8,1200000
no_pretraining,1,0.1,0.3,4.0,0.3,0.7,1200000
question_only,1,1,0.1,1.0,0.0,,800000
"""


def write_summary(folder):
    """Stand in for hours of `make benchmark`, which the second notebook draws."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.csv").write_text(SUMMARY)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, folder):
    write_summary(folder / "runs" / "phantom_ablation")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
