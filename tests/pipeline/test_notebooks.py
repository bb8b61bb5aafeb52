"""Every notebook runs from top to bottom, in the folder of the tiny run."""

import shutil
from pathlib import Path

import nbformat
import pytest
from hydra import compose, initialize_config_dir
from nbclient import NotebookClient

from cfvqa.commands.application import config_folder

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


SUMMARY = """\
variant,seed,label_fraction,changes_f1,cider,flip_consistency,pointing_1,parameters
full,1,1,0.8,7.0,0.6,0.9,1200000
full,2,1,0.82,7.2,0.6,0.9,1200000
full,1,0.1,0.5,5.0,0.4,0.9,1200000
no_pretraining,1,1,0.7,6.5,0.5,0.8,1200000
no_pretraining,1,0.1,0.3,4.0,0.3,0.7,1200000
same_labels,1,0.1,0.45,4.5,0.4,0.8,1200000
question_only,1,1,0.1,1.0,0.0,,800000
"""
SYSTEMS = """\
variant,label_fraction,seeds,changes_f1,cider,flip_consistency,pointing_1
rules,-,-,0.905,7.782,-,-
full,1,2,0.810 ± 0.127,7.100 ± 1.271,0.600,0.900
"""
TABLES = {path.stem: nbformat.read(path, as_version=4).cells for path in NOTEBOOKS}["which_part_helps"]


def write_summary(folder):
    """Stand in for hours of `make benchmark`, which the notebook of the table draws."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.csv").write_text(SUMMARY)
    (folder / "systems.csv").write_text(SYSTEMS)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("where", ["", "notebooks"])
def test_the_table_is_found_wherever_jupyter_starts(tmp_path, monkeypatch, where):
    write_summary(tmp_path / "runs" / "phantom_ablation")
    (tmp_path / where).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / where)
    found = {}
    exec(TABLES[1].source, found)  # noqa: S102 the first cell of code, which reads
    assert found["runs"]["variant"].n_unique() == 4
    assert found["rules"]["changes_f1"].to_list() == [0.905]


def test_a_system_of_ones_own_gets_a_row_by_the_config_that_the_notebook_shows(tmp_path):
    conf = shutil.copytree(config_folder(), tmp_path / "conf")
    shutil.copy(conf / "model" / "mccformers_s.yaml", conf / "model" / "mine.yaml")
    (conf / "variant" / "mine.yaml").write_text(TABLES[-1].source.partition("```yaml\n")[2].partition("```")[0])
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose("config", overrides=["experiment=phantom_ablation", "variant=mine"])
    assert (config.variant, list(config.phases)) == ("mine", ["finetune"])


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, folder):
    write_summary(folder / "runs" / "phantom_ablation")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
