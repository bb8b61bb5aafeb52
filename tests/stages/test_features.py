"""The id of features, which what changes their numbers makes another; and how far their extraction is."""

from contextlib import contextmanager

import lightning as L
import pytest
import torch
from omegaconf import OmegaConf

from cfvqa.data.batches import ImageFeatures
from cfvqa.data.feature_store import shard_name, split_into_shards
from cfvqa.stages import features as stage
from cfvqa.stages.identity import Stage, identify
from cfvqa.stages.progress import StageConsole


@pytest.mark.parametrize(
    ("precision", "other"), [(None, ()), ("32", ()), ("32-true", ()), ("bf16-mixed", ("bf16-mixed",))]
)
def test_features_of_another_precision_are_others(monkeypatch, tmp_path, precision, other):
    for name in ("tables", "anatomy", "findings"):
        monkeypatch.setattr(stage, name, lambda config, console, name=name: Stage(name, tmp_path, name))
    monkeypatch.setattr(stage, "ensure", lambda made, *rest, **others: made)
    trainer = {"accelerator": "cpu", "devices": 1} | ({} if precision is None else {"precision": precision})
    extraction = {"published": None, "rows_per_shard": 8, "truth": "none", "trainer": trainer}
    config = OmegaConf.create({"work": str(tmp_path), "extraction": extraction})
    made = stage.features(config, StageConsole(quiet=True))
    assert made.id == identify("tables", "anatomy", "findings", 8, "none", *other)


class Features(L.LightningModule):
    def predict_step(self, batch, batch_idx):
        return ImageFeatures(*(torch.zeros(len(batch), 1) for _ in range(6)))


class Images(list):
    collate = staticmethod(torch.stack)


def test_an_extraction_says_how_far_it_is_of_the_images_that_are_left(monkeypatch, tmp_path):
    told = []

    @contextmanager
    def counting(console, title, total):
        yield lambda done: told.append((title, done, total))

    monkeypatch.setattr(stage, "counting", counting)
    trainer = {"accelerator": "cpu", "devices": 1}
    settings = {"rows_per_shard": 4, "batch_size": 2, "workers": 0, "trainer": trainer}
    config, console = OmegaConf.create({"extraction": settings}), StageConsole(quiet=True)
    images, shards = Images(torch.zeros(9, 2)), split_into_shards([f"i{number}" for number in range(9)], 4)
    stage._extract(config, Features(), images, tmp_path, shards, console)
    assert told == [("extracting", done, 9) for done in (2, 4, 6, 8, 9)]
    (tmp_path / shard_name(1)).unlink()
    told.clear()
    stage._extract(config, Features(), images, tmp_path, shards, console)
    assert told == [("extracting", done, 4) for done in (2, 4)]
