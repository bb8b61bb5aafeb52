"""What every training shares: draws that do not depend on history, and figures that are seen."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.strategies import Strategy
from rich.console import Console
from torch import Tensor

from cfvqa.data.seeding import stable_seed

_WEIGHT = "weight of all batches"


class StepSeeds(L.Callback):
    """Seed torch before every step from (seed, epoch, step, rank), and lead the loader to its epoch and place.

    What a step draws is then the same whether or not the run was stopped and resumed before. The place is kept
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
        stopped_within = self._epoch == trainer.current_epoch and self._done < trainer.num_training_batches
        batches.skip = self._done if stopped_within else 0

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
        self._strategy: Strategy | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Remember who the other ranks are: a checkpoint holds the sums of each."""
        self._strategy = trainer.strategy

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add a step: `outputs` holds `losses` by name, and `weight`, the size of the batch.

        What is learned from is the mean of the losses of the ranks, so that each of a step weighs the same.
        """
        weight = trainer.strategy.reduce(
            torch.tensor(float(outputs["weight"]), device=pl_module.device), reduce_op="mean"
        )
        losses = {name: value.detach().float() * weight for name, value in outputs["losses"].items()}
        for name, value in {**losses, _WEIGHT: weight}.items():
            before = self._sums.get(name)
            self._sums[name] = value if before is None else before.to(value.device) + value

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the means over all ranks."""
        totals = {
            name: trainer.strategy.reduce(value.to(pl_module.device), reduce_op="sum")
            for name, value in self._sums.items()
        }
        weight = totals.pop(_WEIGHT, None)
        pl_module.log_dict({f"train/{name}": total / weight for name, total in totals.items()})
        self._sums = {}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums so far, (W,) of the ranks each."""
        assert self._strategy is not None
        return {name: self._strategy.all_gather(value).view(-1).cpu() for name, value in self._sums.items()}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Go on from the sums of a checkpoint."""
        assert self._strategy is not None
        rank, world = self._strategy.global_rank, self._strategy.world_size
        # Of another number of ranks, only the sum over all can be taken on.
        self._sums = {
            name: values[rank] if len(values) == world else values.sum() * (rank == 0)
            for name, values in state_dict.items()
        }


class EpochLine(L.Callback):
    """Print one line an epoch: its number and the figures logged for it."""

    def __init__(self, title: str, console: Console) -> None:
        self.title = title
        self.console = console

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the line; a training resumed behind a validation ends the epoch again, without its figures."""
        shown = [
            f"{name} {float(value):.3f}"
            for name, value in sorted(trainer.callback_metrics.items())
            if name.startswith("val/")
        ]
        if not shown or not trainer.is_global_zero:
            return
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        line = f"  {self.title} epoch {epoch}  " + "  ".join(shown)
        self.console.print(line, highlight=False, soft_wrap=True)  # one line of a log, however narrow it is
