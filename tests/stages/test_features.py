"""The id of features, which what changes their numbers makes another; and how far their extraction is."""

import multiprocessing
import os
import signal
from contextlib import contextmanager

import lightning as L
import pytest
import torch
from layouts import write_image
from omegaconf import OmegaConf

from cfvqa.commands.outcomes import report
from cfvqa.data.batches import ImageFeatures
from cfvqa.data.feature_store import shard_name, split_into_shards, write_shard
from cfvqa.data.image_sets import ImageSet, unlabelled
from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.stages import features as stage
from cfvqa.stages.identity import Stage, identify
from cfvqa.training import extraction


@pytest.mark.parametrize(
    ("precision", "other"), [(None, ()), ("32", ()), ("32-true", ()), ("bf16-mixed", ("bf16-mixed",))]
)
def test_features_of_another_precision_are_others(monkeypatch, tmp_path, precision, other):
    for name in ("tables", "anatomy", "findings"):
        monkeypatch.setattr(stage, name, lambda config, console, name=name: Stage(name, tmp_path, name))
    monkeypatch.setattr(stage, "ensure", lambda made, *rest, **others: made)
    trainer = {"accelerator": "cpu", "devices": 1} | ({} if precision is None else {"precision": precision})
    settings = {"published": None, "rows_per_shard": 8, "truth": "none", "trainer": trainer}
    config = OmegaConf.create({"work": str(tmp_path), "extraction": settings})
    made = stage.features(config, StageConsole(quiet=True))
    assert made.id == identify("tables", "anatomy", "findings", 8, "none", *other)


class Features(L.LightningModule):
    def predict_step(self, batch, batch_idx):
        return ImageFeatures(*(batch[:, :1] for _ in range(6)))


class Images(list):
    collate = staticmethod(torch.stack)


class FeaturesOfFrames(Features):
    def predict_step(self, batch, batch_idx):
        return super().predict_step(batch.image.flatten(1), batch_idx)


def extract(folder, devices=1, *, module=None, images=None):
    """Extract nine images into three shards."""
    trainer = {"accelerator": "cpu", "devices": devices}
    settings = {"rows_per_shard": 4, "batch_size": 2, "workers": 0, "trainer": trainer}
    config, console = OmegaConf.create({"extraction": settings}), StageConsole(quiet=True)
    shards = split_into_shards([f"i{number}" for number in range(9)], 4)
    images = images or Images(torch.arange(18.0).view(9, 2))
    stage._extract(config, module or Features(), images, folder, shards, console)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*")}


@pytest.fixture
def whole(tmp_path):
    """Folder of an extraction in one process that was never stopped."""
    extract(tmp_path / "whole")
    return tmp_path / "whole"


def test_an_extraction_says_how_far_it_is_of_the_images_that_are_left(monkeypatch, tmp_path):
    told = []

    @contextmanager
    def counting(console, title, total):
        yield lambda done: told.append((title, done, total))

    monkeypatch.setattr(stage, "counting", counting)
    extract(tmp_path)
    assert told == [("extracting", done, 9) for done in (2, 4, 6, 8, 9)]
    (tmp_path / shard_name(1)).unlink()
    told.clear()
    extract(tmp_path)
    assert told == [("extracting", done, 4) for done in (2, 4)]


def test_an_image_that_was_damaged_since_ends_an_extraction_which_goes_on_once_it_is_restored(tmp_path):
    folder, paths = tmp_path / "features", [tmp_path / f"{number}.png" for number in range(9)]
    for path in paths:
        write_image(path)
    images = ImageSet(unlabelled(paths), size=32, cache_gib=0)
    whole = paths[5].read_bytes()
    paths[5].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=str(paths[5])) as refused:
        extract(folder, module=FeaturesOfFrames(), images=images)
    assert report(refused.value).status == 2
    [finished] = folder.iterdir()
    before = finished.stat().st_mtime_ns
    paths[5].write_bytes(whole)
    extract(folder, module=FeaturesOfFrames(), images=images)
    assert finished.stat().st_mtime_ns == before
    assert contents(folder).keys() == {shard_name(shard) for shard in range(3)}


@pytest.mark.parametrize("given", [2, "auto"])
def test_each_process_extracts_on_the_device_of_its_number(monkeypatch, given):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert stage._alone({"accelerator": "gpu", "devices": given, "num_nodes": 1}) == {
        "accelerator": "gpu",
        "devices": [1],
    }


def extract_and_die(folder):
    """Extract, and be killed while the second shard is written."""

    def write(path, *rest):
        if path.name == shard_name(1):
            path.with_name(f"{path.name}.tmp").write_bytes(b"half of it")
            os.kill(os.getpid(), signal.SIGKILL)
        write_shard(path, *rest)

    extraction.write_shard = write
    extract(folder)


def test_an_extraction_killed_within_a_shard_keeps_the_finished_ones_and_ends_in_the_same_bytes(whole, tmp_path):
    folder = tmp_path / "killed"
    process = multiprocessing.get_context("fork").Process(target=extract_and_die, args=(folder,))
    process.start()
    process.join(60)  # seconds
    assert process.exitcode == -signal.SIGKILL
    [finished] = folder.glob("part-*.h5")
    before = finished.stat().st_mtime_ns
    extract(folder)
    assert finished.stat().st_mtime_ns == before
    assert contents(folder) == contents(whole)


def test_each_of_two_processes_writes_shards_of_its_own_with_the_bytes_of_one(monkeypatch, whole, tmp_path):
    folder = tmp_path / "shared"
    monkeypatch.setenv("WORLD_SIZE", "2")
    for number, own in enumerate(({0, 2}, {1})):
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setenv("LOCAL_RANK", str(number))
        before = {path.name for path in folder.glob("*")}
        extract(folder, devices=2)
        assert contents(folder).keys() - before == {shard_name(shard) for shard in own}
    assert contents(folder) == contents(whole)
