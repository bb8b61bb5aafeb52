"""The site's model and objective of one's own: a file and a config each, and none that was there is touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import files_of
from processes import ENVIRONMENT

REPOSITORY = Path(__file__).parents[2]

FILES = files_of("how-to/own-model.md") | files_of("how-to/own-objective.md")


@pytest.mark.long
def test_they_are_trained_and_judged_by_the_same_commands(folder, tmp_path):
    assert len(FILES) == 4
    assert all(len(text.strip().splitlines()) <= 30 for text in FILES.values())
    copy = tmp_path / "copy"
    for room in ("cfvqa", "conf"):
        shutil.copytree(REPOSITORY / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        assert not (copy / name).exists()
        (copy / name).write_text(text)
    line = [sys.executable, "-m", "cfvqa.commands.evaluate", "experiment=phantom_tiny", "name=own", "model=mean_rows"]
    line += [
        "phases=generation_only",
        "objective=[coarse,fine,matching,generation,small]",
        "+phases.finetune.objectives.small=0.01",
    ]
    environment = ENVIRONMENT | {"PYTHONPATH": os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "val/small" in done.stdout
    assert (folder / "runs" / "own" / "evaluation" / "metrics.json").is_file()
