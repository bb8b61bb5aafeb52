"""What every training shares: draws that do not depend on history, and figures that are seen."""

from typing import Any

import lightning as L
import torch
from rich.console import Console
from torch import Tensor

from cfvqa.data.seeding import stable_seed


class StepSeeds(L.Callback):
    """Seed torch before every step from (seed, epoch, step, rank), and lead the loader to its epoch and place.

    Dropout and masks are then the same whether or not the run was stopped and resumed before. The place is kept
    here: Lightning restores that of a loader only if nothing has asked for the number of steps before.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._epoch, self._done = 0, 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Go to the place where a stopped training was: within an epoch, its start is not told again."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Choose the epoch's order, and leave out what was done of it before a stop."""
        batches = trainer.train_dataloader.batches
        batches.set_epoch(trainer.current_epoch)
        if self._epoch == trainer.current_epoch and self._done < len(batches):
            batches.skip = self._done

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed what the step draws."""
        torch.manual_seed(stable_seed(self.seed, "step", trainer.current_epoch, batch_idx, trainer.global_rank))

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the step."""
        self._epoch, self._done = trainer.current_epoch, batch_idx + 1

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and how many of its batches are done."""
        return {"epoch": self._epoch, "done": self._done}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on behind them."""
        self._epoch, self._done = state_dict["epoch"], state_dict["done"]


class EpochMeans(L.Callback):
    """Log the mean of each training loss over an epoch, weighted by the size of its batches.

    The sums are part of the checkpoint: Lightning's own means begin anew when a run is resumed within an epoch.
    They are logged with the validation that ends the epoch, before its checkpoint is written.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._weight = 0.0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add a step: `outputs` holds `losses` by name, and `weight`, the size of the batch."""
        for name, value in outputs["losses"].items():
            before = self._sums.get(name)
            new = value.detach().float() * outputs["weight"]
            self._sums[name] = new if before is None else before.to(new.device) + new
        self._weight += outputs["weight"]

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the means over all ranks."""
        weight = trainer.strategy.reduce(torch.tensor(self._weight, device=pl_module.device), reduce_op="sum")
        for name, value in self._sums.items():
            total = trainer.strategy.reduce(value.to(pl_module.device), reduce_op="sum")
            pl_module.log(f"train/{name}", total / weight)
        self._sums, self._weight = {}, 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far."""
        return {"sums": {name: value.cpu() for name, value in self._sums.items()}, "weight": self._weight}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the sums of a checkpoint."""
        self._sums, self._weight = dict(state_dict["sums"]), state_dict["weight"]


class EpochLine(L.Callback):
    """Print one line an epoch: its number and the figures logged for it."""

    def __init__(self, title: str, console: Console) -> None:
        self.title = title
        self.console = console

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the line."""
        if not trainer.is_global_zero:
            return
        shown = [
            f"{name} {float(value):.3f}"
            for name, value in sorted(trainer.callback_metrics.items())
            if name.startswith("val/")
        ]
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        self.console.print(f"  {self.title} epoch {epoch}  " + "  ".join(shown), highlight=False)
