import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader

from cfvqa.errors import Pruned
from cfvqa.training.pruning import TrialReport


class Linear(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch).mean()

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", torch.tensor(2.0 - 0.5 * self.current_epoch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Trial:
    """Gives up behind a number of epochs."""

    def __init__(self, epochs):
        self.epochs = epochs
        self.reported = []

    def report(self, value, step):
        self.reported.append((step, value))

    def should_prune(self):
        return len(self.reported) == self.epochs


def train(trial, folder, monitor="val/loss"):
    trainer = L.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[TrialReport(trial, monitor)],
        default_root_dir=folder,
    )
    data = DataLoader(torch.ones(2, 1))
    trainer.fit(Linear(), data, data)


def test_every_epoch_is_reported(tmp_path):
    trial = Trial(epochs=9)
    train(trial, tmp_path)
    assert trial.reported == [(0, 2.0), (1, 1.5), (2, 1.0)]


def test_a_training_that_is_given_up_ends_at_once(tmp_path):
    trial = Trial(epochs=2)
    with pytest.raises(Pruned):
        train(trial, tmp_path)
    assert [step for step, _ in trial.reported] == [0, 1]


def test_another_process_of_the_training_reports_nothing(tmp_path):
    train(None, tmp_path)


def test_an_epoch_without_the_figure_is_not_reported(tmp_path):
    trial = Trial(epochs=1)
    train(trial, tmp_path, monitor="val/other")
    assert trial.reported == []
