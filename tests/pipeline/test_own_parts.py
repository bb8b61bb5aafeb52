"""A model and an objective of one's own: one file and one config each, and no file that was there is touched."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import ENVIRONMENT

REPOSITORY = Path(__file__).parents[2]

MODEL = '''
"""The mean row of each image, and the words of the question."""

import torch
from torch import nn

from cfvqa.models.captioner import Captioner
from cfvqa.models.outputs import Reading
from cfvqa.models.rows import ReferenceRows, Rows


class MeanRows(nn.Module):
    def __init__(self, *, vocabulary, special, region_width, finding_width, width=32):
        super().__init__()
        self.rows = Rows(region_width=region_width, finding_width=finding_width, width=width)
        self.reference = ReferenceRows(width)
        sizes = {"width": width, "layers": 1, "heads": 2, "dropout": 0.0, "max_length": 128}
        self.text = Captioner(vocabulary=vocabulary, special=special, **sizes)

    def fit(self, features):
        self.rows.fit(features)

    def read(self, batch):
        reference = self.reference(self.rows(batch.reference), batch.has_reference)
        visual = torch.stack([self.rows(batch.main).mean(1), reference.mean(1)], 1).index_select(0, batch.unit)
        mask, question = torch.ones_like(visual[..., 0], dtype=torch.bool), self.text.embed(batch.question)
        memory, memory_mask = torch.cat([question, visual], 1), torch.cat([batch.question.mask, mask], 1)
        return Reading(visual, mask, question, memory, memory_mask, None)

    def region_attention(self, reading, batch):
        return None
'''
OBJECTIVE = '''
"""Keep what is remembered small."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Small:
    needs = ()
    scale: float = 1.0

    def __call__(self, model, batch, reading):
        return self.scale * reading.memory.square().mean()
'''
FILES = {
    "cfvqa/models/mean_rows.py": MODEL,
    "conf/model/mean_rows.yaml": "network: {_target_: cfvqa.models.mean_rows.MeanRows}\n",
    "cfvqa/objectives/small.py": OBJECTIVE,
    "conf/objective/small.yaml": "small: {_target_: cfvqa.objectives.small.Small}\n",
}


@pytest.mark.long
def test_they_are_trained_and_judged_by_the_same_commands(folder, tmp_path):
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
