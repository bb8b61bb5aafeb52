"""A training stopped anywhere ends as one that was never stopped, bit by bit."""

from dataclasses import replace

import lightning as L
import polars as pl
import pytest
import torch
from killing import PARTS, Way, train
from resuming import assert_same, kill_and_finish, whole

from cfvqa.progress import StageConsole
from cfvqa.stages.asking import Decoding, ask, pair_set
from cfvqa.stages.trained import TrainedReader, for_answering
from cfvqa.training.checkpoints import load_weights

WAYS = {
    "plain": Way(),
    "findings, bf16": Way("findings", precision="bf16-mixed"),
}


def predictions(folder):
    """Return what the best weights of a training of the reader answer to its validation questions, with the scores."""
    module, data, *_ = PARTS["vqa"](folder.parent, Way())
    load_weights(module, folder / "checkpoints" / "best.ckpt")
    lengths = {"question_length": data.settings.question_length, "answer_length": data.settings.answer_length}
    reader = TrainedReader(for_answering(module.model), data.tokenizer, {"pairs": lengths})
    asked = ask(
        reader,
        pair_set(reader, data.questions.filter(pl.col("split") == "val"), data.store),
        batch_size=32,
        decoding=Decoding({"max_new_tokens": 16}),
        seed=1,
        console=StageConsole(quiet=True),
        swapped=False,
        title="asking",
    )
    return asked.predictions


@pytest.mark.parametrize("name", ["plain", "findings, bf16"])
def test_a_training_killed_now_and_then_ends_in_the_same_weights_and_curves(base, name):
    kill_and_finish(base, name, WAYS[name], kills=2)


@pytest.mark.long
def test_a_training_killed_twenty_times_ends_in_the_same_weights_curves_and_predictions(base):
    killed, never = kill_and_finish(base, "often", replace(WAYS["plain"], epochs=5), kills=20)
    found, expected = predictions(killed), predictions(never)
    assert len(found) > 20
    assert found.equals(expected)


class Failure(L.Callback):
    """Fail at a step."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise OSError("the disk is gone")


def test_slow_copies_and_their_queue_go_on_where_they_were(base):
    way, folders = Way("blip", epochs=1), [base / "whole blip", base / "failed blip"]
    with pytest.raises(OSError, match="disk"):
        train(folders[1], way, 0, 0, callbacks=[Failure(20)])
    for folder in folders:
        train(folder, way, 0, 0)
    assert_same(*folders)
    weights = torch.load(folders[0] / "final.pt", weights_only=True)
    assert weights["model.momentum.steps"] > 20
    assert weights["model.momentum.written"] > 50  # around the queue


def test_epochs_of_some_batches_each_go_on_with_the_same_ones(base):
    way, folders = Way(limit=2), [base / "whole limited", base / "failed limited"]
    with pytest.raises(OSError, match="disk"):
        train(folders[1], way, 0, 0, callbacks=[Failure(2)])  # behind the checkpoint of the first epoch's validation
    for folder in folders:
        train(folder, way, 0, 0)
    assert_same(*folders)


class Beginning(L.Callback):
    """Keep what a training begins with."""

    def on_train_start(self, trainer, pl_module):
        self.epoch, self.step = trainer.current_epoch, trainer.global_step
        self.weights = {name: weight.clone() for name, weight in pl_module.state_dict().items()}


def test_a_new_training_starts_from_the_weights_of_a_finished_one(base):
    way, start = WAYS["plain"], whole(base, "plain", WAYS["plain"]) / "checkpoints" / "last.ckpt"
    beginning = Beginning()
    train(base / "started", replace(way, epochs=1), 0, 0, callbacks=[beginning], start=start)
    expected = torch.load(start, weights_only=True)["state_dict"]
    assert (beginning.epoch, beginning.step) == (0, 0)
    assert all(torch.equal(weight, expected[name]) for name, weight in beginning.weights.items())
    trained = torch.load(base / "started" / "final.pt", weights_only=True)
    assert not all(torch.equal(weight, expected[name]) for name, weight in trained.items())
