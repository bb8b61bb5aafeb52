"""What every training shares: draws that do not depend on history, and progress that is seen."""

from typing import Any

import lightning as L
import torch
from rich.console import Console

from cfvqa.data.seeding import stable_seed


class StepSeeds(L.Callback):
    """Seed torch before every step from (seed, epoch, step), and tell the loader which epoch it is.

    Dropout and masks are then the same whether or not the run was stopped and resumed before.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Choose the epoch's order."""
        trainer.train_dataloader.batches.set_epoch(trainer.current_epoch)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed what the step draws."""
        torch.manual_seed(stable_seed(self.seed, "step", trainer.current_epoch, batch_idx))


class EpochLine(L.Callback):
    """Print one line an epoch: its number and the figures logged for it."""

    def __init__(self, title: str, console: Console) -> None:
        self.title = title
        self.console = console

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the line."""
        shown = [
            f"{name} {float(value):.3f}"
            for name, value in sorted(trainer.callback_metrics.items())
            if name.startswith("val/")
        ]
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        self.console.print(f"  {self.title} epoch {epoch}  " + "  ".join(shown), highlight=False)
