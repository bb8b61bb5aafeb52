"""Accumulated, clipped and shared gradients: closed forms, on one step of a small reader that draws nothing."""

from functools import partial

import polars as pl
import pytest
import torch
from killing import ADDED, MODEL, TEXT, Processes, Way, join, write_store
from torch.optim.lr_scheduler import LambdaLR

from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.pair_data import PairData
from cfvqa.data.pair_sets import PairSettings
from cfvqa.language.tokenizer import AnswerTokenizer
from cfvqa.models.knowledge_graph import node_texts
from cfvqa.objectives.language import Generation
from cfvqa.progress import StageConsole
from cfvqa.settings.reader import Widths, build_model
from cfvqa.training.fit import FitSettings, fit
from cfvqa.training.vqa_module import VqaModule

UNITS = 4
CLIP = 0.01
TOKENIZER = AnswerTokenizer.train([ADDED, "what has changed?", *node_texts()])
NO_DROPOUT = {
    "model": {"network": MODEL["network"] | {"dropout": 0.0}},
    "text": {"pretrained": None, "transformer": TEXT["transformer"] | {"dropout": 0.0}},
}


def constant(optimizer, *, steps):
    return LambdaLR(optimizer, lambda step: 1.0)


def new_model():
    return build_model(NO_DROPOUT["model"], NO_DROPOUT["text"], tokenizer=TOKENIZER, widths=Widths(8, 6), seed=0)


def questions():
    """One pair a unit, answers of one length: the mean over a batch is that of its halves."""
    rows = [
        (
            f"q{n}",
            f"s{n}",
            f"i{n}",
            f"i{n + 10}",
            "difference",
            "what has changed?",
            ADDED,
            "val" if n >= UNITS else "train",
        )
        for n in range(UNITS + 2)
    ]
    names = ["question_id", "subject_id", "main_image", "reference_image", "question_type", "question", "answer"]
    return pl.DataFrame(rows, schema=[*names, "split"], orient="row")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    write_store(folder)
    return FeatureStore(folder / "store")


def update(store, folder, *, units=UNITS, **trainer):
    """Return by how much an epoch of plain gradient descent at rate 1 moves the weights, flat."""
    module = VqaModule(
        new_model(),
        objectives={"generation": Generation()},
        weights={"generation": 1.0},
        optimizer=partial(torch.optim.SGD, lr=1.0),
        schedule=constant,
    )
    before = {name: value.clone() for name, value in module.state_dict().items()}
    data = PairData(
        questions(), store=store, tokenizer=TOKENIZER, settings=PairSettings(swap=0.0), units_per_batch=units
    )
    settings = FitSettings(
        title="one step",
        epochs=1,
        seed=1,
        monitor="val/loss",
        mode="min",
        checkpoint_steps=9,
        trainer={"accelerator": "cpu", "devices": 1, **trainer},
    )
    fit(module, data, settings, folder, loggers=[], console=StageConsole(quiet=True))
    after = module.state_dict()
    return torch.cat([(before[name] - after[name]).flatten() for name, _ in module.named_parameters()])


@pytest.fixture(scope="module")
def gradient(store, tmp_path_factory):
    return update(store, tmp_path_factory.mktemp("whole"))


def test_two_accumulated_halves_are_one_step_of_the_whole_batch(store, gradient, tmp_path):
    halves = update(store, tmp_path, units=UNITS // 2, accumulate_grad_batches=2)
    assert gradient.norm() > 0.1
    torch.testing.assert_close(halves, gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("halves", [1, 2])
def test_a_clipped_step_has_the_norm_it_may_have_and_the_same_direction(store, gradient, tmp_path, halves):
    clipped = update(store, tmp_path, units=UNITS // halves, accumulate_grad_batches=halves, gradient_clip_val=CLIP)
    torch.testing.assert_close(clipped, gradient * (CLIP / gradient.norm()), rtol=1e-3, atol=1e-7)
    above = update(store, tmp_path / "above", gradient_clip_val=2 * float(gradient.norm()))
    assert torch.equal(above, gradient)


def share(folder, way, rank, port):
    """Take the step as one of several processes, and leave what it did in `folder`."""
    moved = update(FeatureStore(folder.parent / "store"), folder, **join(way, rank, port))
    torch.save(moved, folder / f"moved-{rank}.pt")


@pytest.mark.long
def test_a_step_of_two_processes_is_that_of_one(store, gradient):
    folder = store.folder.parent / "shared"
    folder.mkdir()
    processes = Processes(folder, Way(world=2), work=share)
    processes.wait()
    assert processes.statuses() == [0, 0]
    for rank in range(2):
        moved = torch.load(folder / f"moved-{rank}.pt", weights_only=True)
        torch.testing.assert_close(moved, gradient, rtol=1e-3, atol=1e-6)
