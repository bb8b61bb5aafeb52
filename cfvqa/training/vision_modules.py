"""LightningModules of the two vision tasks."""

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric
from torchmetrics.classification import MultilabelAUROC
from torchmetrics.detection import MeanAveragePrecision

from cfvqa.data.batches import ImageBatch
from cfvqa.training.gathered_lists import GatheredLists
from cfvqa.training.schedules import one_cycle
from cfvqa.vision.finding_losses import finding_losses, pool_regions, pool_severity
from cfvqa.vision.locating import located_findings
from cfvqa.vision.outputs import RegionOutput
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS


class VisionModule(L.LightningModule):
    """What both tasks share: the optimizer, and moving batches.

    Args:
        network: detector or classifier.
        learning_rate: peak of the one-cycle schedule, per optimizer step.
        weight_decay: of AdamW.
    """

    def __init__(self, network: nn.Module, *, learning_rate: float, weight_decay: float) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay

    def transfer_batch_to_device(self, batch: ImageBatch, device: torch.device, dataloader_idx: int) -> ImageBatch:
        """Move the batch."""
        return batch.to(device)

    def configure_optimizers(self) -> dict[str, Any]:
        """Return AdamW with a one-cycle schedule."""
        fused = not self.trainer.gradient_clip_val  # Lightning clips none that is, in 16 bits
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay, fused=fused
        )
        schedule = one_cycle(optimizer, steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @staticmethod
    def _step(losses: dict[str, Tensor], batch: ImageBatch) -> dict[str, Any]:
        """Return what a training step returns: the sum, and for `EpochMeans` every loss and the number of images."""
        total = torch.stack(list(losses.values())).sum()
        return {"loss": total, "losses": {**losses, "loss": total}, "weight": len(batch.image)}


class DetectionPrecision(GatheredLists, MeanAveragePrecision):
    """Mean average precision over the images of all processes, however many each of them has seen."""


class AnatomyModule(VisionModule):
    """Where are the regions? Judged by mean average precision at an overlap of one half."""

    def __init__(self, network: nn.Module, *, learning_rate: float, weight_decay: float) -> None:
        super().__init__(network, learning_rate=learning_rate, weight_decay=weight_decay)
        self.val_precision = DetectionPrecision(iou_thresholds=[0.5])
        self.test_precision = DetectionPrecision(iou_thresholds=[0.5], class_metrics=True)  # twice the work

    def training_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Return the losses of a batch."""
        return self._step(self.network.losses(batch), batch)

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Compare detected with true boxes."""
        self.val_precision.update(*_as_detections(self.network.detect(batch.image), batch))

    def on_validation_epoch_end(self) -> None:
        """Log the mean average precision."""
        self.log("val/map_50", self.val_precision.compute()["map_50"].float())
        self.val_precision.reset()

    def test_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Compare detected with true boxes."""
        self.test_precision.update(*_as_detections(self.network.detect(batch.image), batch))

    def on_test_epoch_end(self) -> None:
        """Log the mean average precision, over all and a region."""
        figures = self.test_precision.compute()
        self.log("test/map_50", figures["map_50"].float())
        by_region = dict(zip(figures["classes"].view(-1).tolist(), figures["map_per_class"].view(-1), strict=True))
        self.log_dict({f"test/map_50/{REGIONS[int(r)]}": value.float() for r, value in by_region.items()})
        self.test_precision.reset()


def _as_detections(output: RegionOutput, batch: ImageBatch) -> tuple[list[dict], list[dict]]:
    labels = torch.arange(len(REGIONS), device=batch.image.device)
    found = [
        {"boxes": box, "scores": score, "labels": labels} for box, score in zip(output.box, output.score, strict=True)
    ]
    truth = [
        {"boxes": box[known], "labels": labels[known]} for box, known in zip(batch.box, batch.box_known, strict=True)
    ]
    return found, truth


class FindingsModule(VisionModule):
    """What is in each region? Judged by the AUROC of findings of whole images, and by their levels.

    Args:
        network: a finding classifier.
        detector: gives the boxes of images without known ones; never trained here.
        learning_rate, weight_decay: see `VisionModule`.
        jitter: share of a side by which known boxes are moved in training, as detected ones would be.
    """

    def __init__(
        self,
        network: nn.Module,
        detector: nn.Module,
        *,
        learning_rate: float,
        weight_decay: float,
        jitter: float = 0.04,
    ) -> None:
        super().__init__(network, learning_rate=learning_rate, weight_decay=weight_decay)
        self.jitter = jitter
        # In a list, so that its weights are no part of this module's checkpoint.
        self._detector = [detector.eval().requires_grad_(requires_grad=False)]
        self.area = MultilabelAUROC(num_labels=len(FINDINGS), average="none", ignore_index=-1, thresholds=None)
        self.occurrence = Occurrence(len(FINDINGS))
        self.level = MeanMetric()

    def training_step(self, batch: ImageBatch, batch_idx: int) -> dict[str, Any]:
        """Return the losses of a batch, on moved boxes and at varied contrast."""
        box = self._boxes(batch)
        sides = (box[..., 2:] - box[..., :2]).repeat(1, 1, 2)
        moved = box + torch.randn_like(box) * self.jitter * sides
        ordered = torch.cat([torch.minimum(moved[..., :2], moved[..., 2:] - 1), moved[..., 2:]], -1)
        output = self.network.classify(_vary_contrast(batch.image), ordered)
        return self._step(finding_losses(output, batch, located_findings(batch, box)), batch)

    def validation_step(self, batch: ImageBatch, batch_idx: int) -> None:
        """Score the findings of whole images, in detected boxes."""
        output = self.network.classify(batch.image, self._detected(batch))
        self.area.update(pool_regions(output.logit).sigmoid(), batch.image_finding.long())
        self.occurrence.update(batch.image_finding)
        graded = batch.severity > 0
        severity = 1 + (pool_severity(output) > 0).sum(-1)
        self.level.update((severity == batch.severity)[graded].float())

    def on_validation_epoch_end(self) -> None:
        """Log the macro AUROC over the findings that occur, and the share of levels that are right."""
        self._log_figures("val")

    test_step = validation_step

    def on_test_epoch_end(self) -> None:
        """Log the same, and the AUROC of each finding."""
        self._log_figures("test", each=True)

    def _log_figures(self, split: str, *, each: bool = False) -> None:
        occurs = self.occurrence.compute().nonzero().view(-1).tolist()
        values = self.area.compute()
        if occurs:
            self.log(f"{split}/auroc", values[occurs].mean())
        if each:
            self.log_dict({f"{split}/auroc/{FINDINGS[finding]}": values[finding] for finding in occurs})
        level = self.level.compute()
        if not level.isnan():  # of a source that grades nothing
            self.log(f"{split}/level", level)
        for metric in (self.area, self.occurrence, self.level):
            metric.reset()

    def _boxes(self, batch: ImageBatch) -> Tensor:
        if batch.box_known.all():
            return batch.box
        return torch.where(batch.box_known.unsqueeze(-1), batch.box, self._detected(batch))

    def _detected(self, batch: ImageBatch) -> Tensor:
        """Return the boxes (B, R, 4) that the detector finds; Lightning does not move what lies in a list."""
        with torch.no_grad():
            return self._detector[0].to(self.device).detect(batch.image).box


class Occurrence(Metric):
    """Which labels occur, present in one image and absent in another: only those have an AUROC.

    Args:
        labels: F.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.add_state("present", torch.zeros(labels, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("absent", torch.zeros(labels, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, label: Tensor) -> None:
        """Count labels (B, F): 1 present, 0 absent, -1 unknown."""
        self.present += (label == 1).sum(0)
        self.absent += (label == 0).sum(0)

    def compute(self) -> Tensor:
        """Return (F,) bool."""
        return (self.present > 0) & (self.absent > 0)


def _vary_contrast(image: Tensor) -> Tensor:
    """Return uint8 images with a random gamma in 0.8..1.25 each: exposure is no finding."""
    gamma = torch.empty(len(image), 1, 1, 1, device=image.device).uniform_(-0.22, 0.22).exp()
    return ((image.float() / 255).pow(gamma) * 255).round().to(torch.uint8)
