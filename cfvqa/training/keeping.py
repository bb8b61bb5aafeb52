"""Keeping what was made: a checkpoint to go on from, and a good end when the scheduler takes the machine away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

PREEMPTED = 75
"""Exit status of a command that was asked to stop and can be started again (EX_TEMPFAIL of sysexits.h)."""

_ASKS = (signal.SIGTERM, signal.SIGUSR1)
_TOGETHER = 8  # batches between two at which several processes tell each other: a GPU waits for the answer


@contextmanager
def preemptible() -> Iterator[None]:
    """End the process with status 75 as soon as SIGTERM or SIGUSR1 asks for it: SLURM takes the machine away.

    What is being written is then whole or not there. A training within listens itself: see `LastCheckpoint`.
    """
    before = {number: signal.signal(number, _leave) for number in _ASKS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    for asked in _ASKS:
        signal.signal(asked, signal.SIG_IGN)  # asking again does not hasten what tidies up
    raise SystemExit(PREEMPTED)


class BestCheckpoint(ModelCheckpoint):
    """Keep the best checkpoint, also of a training whose folder was moved: Lightning would take the next for best."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best so far, where it lies in the folder of this training."""
        folder = Path(str(self.dirpath))

        def here(path: str) -> str:
            return str(folder / Path(path).name) if path else path

        if Path(here(state_dict["best_model_path"])).is_file():
            paths = ("best_model_path", "kth_best_model_path", "last_model_path")
            moved = {name: here(state_dict[name]) for name in paths}
            scores = {here(path): score for path, score in state_dict["best_k_models"].items()}
            state_dict = {**state_dict, **moved, "dirpath": self.dirpath, "best_k_models": scores}
        super().load_state_dict(state_dict)


class LastCheckpoint(Checkpoint):
    """Write a checkpoint every so many optimizer steps and behind every validation.

    SIGTERM and SIGUSR1 write one more and end the process with status 75; several processes end together, some steps
    later. A validation, which may take longer than a scheduler waits, is left at its next batch: the resumed training
    goes on from the checkpoint before, and repeats it.

    Args:
        path: of the checkpoint.
        steps: optimizer steps between two.
    """

    def __init__(self, path: Path, *, steps: int) -> None:
        self.path = path
        self.steps = steps
        self._asked = False
        self._before: dict[int, Any] = {}
        self._together = 0

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
        every = max(1, _TOGETHER // trainer.accumulate_grad_batches)
        tells = trainer.world_size == 1 or trainer.global_step % every == 0
        asked = tells and self._is_asked(trainer)
        if asked or trainer.global_step % self.steps == 0:
            trainer.save_checkpoint(self.path)
        self._leave_if(asked)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find out how many batches every process has: behind them a process must not wait for an answer of others."""
        own = torch.tensor(sum(trainer.num_val_batches), device=pl_module.device)
        self._together = int(trainer.strategy.reduce(own, reduce_op="min"))

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Leave where it is asked for."""
        if batch_idx < self._together:
            self._leave_if(self._is_asked(trainer))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write behind the validation of an epoch."""
        trainer.save_checkpoint(self.path)
        self._leave_if(self._is_asked(trainer))

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """End as asked where another process, asked too, has left before it could say so."""
        if self._asked and isinstance(exception, RuntimeError):
            raise SystemExit(PREEMPTED) from exception

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Give the signals back, and hand on what was asked behind the last checkpoint."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        if self._asked:
            signal.raise_signal(signal.SIGUSR1)  # to SIGTERM Lightning would broadcast, which others need not answer

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def _is_asked(self, trainer: L.Trainer) -> bool:
        """Whether any rank was asked: all must stop at the same step."""
        return trainer.strategy.reduce_boolean_decision(self._asked, all=False)

    @staticmethod
    def _leave_if(asked: bool) -> None:
        if asked:
            raise SystemExit(PREEMPTED)
