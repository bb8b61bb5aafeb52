"""Keeping a training: a checkpoint to go on from, and a good end when the scheduler takes the machine away."""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint

PREEMPTED = 75
"""Exit status of a command that was asked to stop and can be started again (EX_TEMPFAIL of sysexits.h)."""

_ASKS = (signal.SIGTERM, signal.SIGUSR1)


class LastCheckpoint(Checkpoint):
    """Write a checkpoint every so many optimizer steps and behind every validation.

    SIGTERM and SIGUSR1 (what SLURM sends before it takes a machine away) write one more and end the process with
    status 75.

    Args:
        path: of the checkpoint.
        steps: optimizer steps between two.
    """

    def __init__(self, path: Path, *, steps: int) -> None:
        self.path = path
        self.steps = steps
        self._asked = False
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Listen to the scheduler; Lightning has set handlers of its own before."""
        self._before = {number: signal.signal(number, self._ask) for number in _ASKS}

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write, unless gradients are half gathered; the validation behind the last batch writes for it."""
        whole = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch or not whole:
            return
        asked = self._is_asked(trainer)
        if asked or trainer.global_step % self.steps == 0:
            trainer.save_checkpoint(self.path)
        self._leave_if(asked)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write behind the validation of an epoch."""
        trainer.save_checkpoint(self.path)
        self._leave_if(self._is_asked(trainer))

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def _is_asked(self, trainer: L.Trainer) -> bool:
        """Whether any rank was asked: all must stop at the same step."""
        return trainer.strategy.reduce_boolean_decision(self._asked, all=False)

    @staticmethod
    def _leave_if(asked: bool) -> None:
        if asked:
            raise SystemExit(PREEMPTED)
