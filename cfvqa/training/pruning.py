"""Ending those trainings of a search early that fall behind."""

from typing import Protocol

import lightning as L

from cfvqa.errors import Pruned


class Trial(Protocol):
    """What a search knows of one training; `optuna.Trial` is one."""

    def report(self, value: float, step: int) -> None:
        """Keep the figure of an epoch."""

    def should_prune(self) -> bool:
        """Whether others were so far ahead at this epoch that the training is given up."""


class TrialReport(L.Callback):
    """Report a validation figure of every epoch to a trial, and end the training where the search gives it up.

    Args:
        trial: of the search; only the first process of a training has one.
        monitor: name of the figure.
    """

    def __init__(self, trial: Trial | None, monitor: str) -> None:
        self.trial = trial
        self.monitor = monitor

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report the epoch, which was validated and kept before.

        Raises:
            Pruned: in every process of the training, where it falls behind.
        """
        behind = False
        # A training that was resumed behind a validation ends the epoch again, without its figures.
        if self.trial is not None and self.monitor in trainer.callback_metrics:
            self.trial.report(float(trainer.callback_metrics[self.monitor]), trainer.current_epoch)
            behind = self.trial.should_prune()
        if trainer.strategy.broadcast(behind):
            raise Pruned(f"behind other trials at epoch {trainer.current_epoch + 1}")
