"""The LightningModule of question answering: a model and, for the phase at hand, weighted objectives."""

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

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
        # Lightning's own mean over ranks divides by a whole number of questions, rounded.
        self.means = nn.ModuleDict(
            {f"val/{name}": MeanMetric(nan_strategy="disable") for name in (*objectives, "loss")}
        )
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
        """Add the losses to their means; what they draw is the same every time, whichever process has the batch."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(batch.row[0]))
            losses = self._weighted(batch)
        for name, value in losses.items():
            self.means[f"val/{name}"].update(value, len(batch.unit))

    def on_validation_epoch_end(self) -> None:
        """Log the means over the questions of all processes."""
        for name, mean in self.means.items():
            self.log(name, mean.compute())
            mean.reset()

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
