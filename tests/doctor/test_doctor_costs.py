"""What is measured is what will be done: steps of the configured networks, on batches of their kind."""

import polars as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from layouts import MimicTree

from cfvqa.commands.application import config_folder
from cfvqa.doctor.amounts import Amounts
from cfvqa.doctor.clock import measuring, seconds_each
from cfvqa.doctor.data_set import DataSet
from cfvqa.doctor.reader_costs import reader_costs, rows_of
from cfvqa.doctor.sample import look
from cfvqa.doctor.vision_costs import classifier_cost, detector_cost, extraction_cost
from cfvqa.errors import InputError
from cfvqa.sources.mimic import MimicSource

SMALL = ("experiment=phantom_tiny", "image_size=64", "text.transformer.width=32", "phases.finetune.units_per_batch=4")
ROW = 24 * (128 + 192 + 38) * 2 + 38 * 2 * 2 + 24 * 4 * 4 + 24 * 2  # bytes of an image in the feature store


@pytest.fixture(scope="module")
def config():
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return compose("config", overrides=list(SMALL))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    tree = MimicTree(tmp_path_factory.mktemp("doctor") / "data").write()
    return look(DataSet("source", MimicSource(tree.root, split="official")), 64)[1]


def test_vision_is_measured_on_images_of_the_sample(config, sample):
    costs = [cost(config, sample) for cost in (detector_cost, classifier_cost, extraction_cost)]
    assert [cost.about for cost in costs] == ["detector", "classifier", "features"]
    assert all(cost.seconds > 0 and cost.bytes > 0 for cost in costs)
    assert costs[2].bytes == 24 * ROW


def test_every_phase_has_its_cost_and_the_blind_control_too(config):
    costs = reader_costs(config, Amounts(images=0, boxed=0, described=0, pairs=10, singles=9, bytes=0))
    assert [cost.about for cost in costs] == ["pretrain", "finetune", "blind finetune"]
    assert costs[1].how.startswith("1 epoch of 6 steps")  # 10 pairs and 9 single images, four at once, never mixed
    assert all(cost.seconds > 0 and cost.bytes > 0 for cost in costs)


def test_questions_about_pairs_and_about_single_images_are_told_apart():
    questions = pl.DataFrame({"reference_image": ["a", None, "b", None]})
    assert rows_of(questions, paired=True) == [0, 2]
    assert rows_of(questions, paired=False) == [1, 3]


def test_long_work_is_done_once_and_short_work_again(monkeypatch):
    done = []
    seconds_each(lambda: done.append("short"))
    assert len(done) == 4
    monkeypatch.setattr("cfvqa.doctor.clock._PATIENCE", -1.0)
    seconds_each(lambda: done.append("long"))
    assert done[4:] == ["long"]


def test_a_batch_that_does_not_fit_into_the_memory_of_a_gpu_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a card")
    with (
        pytest.raises(InputError, match=r"detector\.training\.batch_size=32 does not fit into the memory of a card"),
        measuring(torch.device("cpu"), "32-true", "detector.training.batch_size", 32),
    ):
        raise torch.OutOfMemoryError


def test_work_is_done_in_the_precision_of_the_config():
    one = torch.ones(2, 2)
    with measuring(torch.device("cpu"), "bf16-mixed", "key", 1):
        assert (one @ one).dtype == torch.bfloat16
    with measuring(torch.device("cpu"), "32-true", "key", 1):
        assert (one @ one).dtype == torch.float32
