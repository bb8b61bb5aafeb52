"""The LightningModule of question answering: a model and, for the phase at hand, weighted objectives."""

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from cfvqa.data.batches import PairBatch
from cfvqa.objectives.base import Objective


class VqaModule(L.LightningModule):
    """Train a model through phases; every phase is this module with other objectives.

    Args:
        model: a `models.outputs.Reader`.
        objectives: of the phase, by name.
        weights: of the objectives, by name.
        optimizer: makes the optimizer from parameters.
        schedule: makes the schedule from the optimizer and `steps`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        objectives: dict[str, Objective],
        weights: dict[str, float],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.objectives = objectives
        self.weights = weights
        self._make_optimizer = optimizer
        self._make_schedule = schedule

    def losses(self, batch: PairBatch) -> dict[str, Tensor]:
        """Return the unweighted loss of each objective."""
        reading = self.model.read(batch)
        return {name: objective(self.model, batch, reading) for name, objective in self.objectives.items()}

    def training_step(self, batch: PairBatch, batch_idx: int) -> dict[str, Any]:
        """Return the weighted sum as `loss`, and for `EpochMeans` every loss and the number of questions."""
        losses = self._weighted(batch)
        return {"loss": losses["loss"], "losses": losses, "weight": len(batch.unit)}

    def validation_step(self, batch: PairBatch, batch_idx: int) -> None:
        """Log the losses; what they draw is the same every time, whichever process has the batch."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(batch.row[0]))
            losses = self._weighted(batch)
        self.log_dict(
            {f"val/{name}": value for name, value in losses.items()},
            batch_size=len(batch.unit),
            on_step=False,
            on_epoch=True,
            sync_dist=True,
        )

    def _weighted(self, batch: PairBatch) -> dict[str, Tensor]:
        losses = self.losses(batch)
        total = torch.stack([self.weights[name] * value for name, value in losses.items()]).sum()
        return {**losses, "loss": total}

    def transfer_batch_to_device(self, batch: PairBatch, device: torch.device, dataloader_idx: int) -> PairBatch:
        """Move the batch."""
        return batch.to(device)

    def configure_optimizers(self) -> dict[str, Any]:
        """Return the phase's optimizer and its schedule by step."""
        optimizer = self._make_optimizer(self.model.parameters())
        schedule = self._make_schedule(optimizer, steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
