"""The best of a training is left, also when its folder is moved; who is asked to stop ends with status 75."""

import os
import signal

import lightning as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from cfvqa.data.loaders import EpochLoader
from cfvqa.data.sampling import EpochBatches
from cfvqa.progress import StageConsole
from cfvqa.training.fit import FitSettings, fit
from cfvqa.training.keeping import PREEMPTED, BestCheckpoint, preemptible


def checkpoint(folder):
    return BestCheckpoint(dirpath=folder, filename="best", monitor="val/loss", mode="min")


def best_so_far(folder, score):
    """Return the state of a training whose best checkpoint lies in `folder`."""
    folder.mkdir()
    (folder / "best.ckpt").write_text("weights")
    path = str(folder / "best.ckpt")
    known = checkpoint(folder)
    known.best_model_path = known.kth_best_model_path = path
    known.best_model_score = known.kth_value = torch.tensor(score)
    known.best_k_models = {path: torch.tensor(score)}
    return known.state_dict()


def test_a_moved_training_knows_its_best(tmp_path):
    state = best_so_far(tmp_path / "old", 0.5)
    (tmp_path / "old").rename(tmp_path / "new")
    moved = checkpoint(tmp_path / "new")
    moved.load_state_dict(state)
    assert moved.best_model_score == 0.5
    assert moved.best_k_models == {str(tmp_path / "new" / "best.ckpt"): 0.5}
    assert moved.kth_best_model_path == moved.best_model_path == str(tmp_path / "new" / "best.ckpt")


def test_a_training_that_starts_from_another_one_has_no_best_yet(tmp_path):
    state = best_so_far(tmp_path / "old", 0.5)
    other = checkpoint(tmp_path / "other")
    with pytest.warns(UserWarning, match="dirpath has changed"):
        other.load_state_dict(state)
    assert other.best_model_score is None
    assert not other.best_k_models


class Counting(L.LightningModule):
    """Its only weight counts the steps, and is best after two."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.modes = {"learning": [], "judged": []}

    def training_step(self, batch, batch_idx):
        self.modes["learning"].append(self.training)
        return {"loss": -self.weight, "losses": {}, "weight": 1}

    def validation_step(self, batch, batch_idx):
        self.modes["judged"].append(self.training)
        self.log("val/loss", (self.weight - 2).abs(), batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class OneSample(L.LightningDataModule):
    def train_dataloader(self):
        return EpochLoader([0.0], EpochBatches([[0]], groups_per_batch=1, seed=1), collate=torch.tensor)

    def val_dataloader(self):
        return DataLoader([0.0])


def test_defect_27_every_step_is_in_training_mode_and_the_best_weights_are_left(tmp_path):
    module, trainer = Counting(), {"accelerator": "cpu", "devices": 1}
    settings = FitSettings(
        title="four", epochs=4, seed=1, monitor="val/loss", mode="min", checkpoint_steps=9, trainer=trainer
    )
    best = fit(module, OneSample(), settings, tmp_path, loggers=[], console=StageConsole(quiet=True))
    assert module.modes == {"learning": [True] * 4, "judged": [False] * 4}
    assert module.weight == 2
    assert torch.load(best, weights_only=True)["state_dict"]["weight"] == 2


def asked_to_stop(number, tidied):
    with preemptible():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # a scheduler that asks again disturbs nothing
            tidied.append(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_who_is_asked_to_stop_tidies_up_and_ends_with_75(number):
    before, tidied = signal.getsignal(number), []
    with pytest.raises(SystemExit) as end:
        asked_to_stop(number, tidied)
    assert end.value.code == PREEMPTED
    assert tidied == [number]
    assert signal.getsignal(number) is before
