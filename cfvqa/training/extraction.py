"""Extraction with `Trainer.predict`: both vision models over every image, written shard by shard."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import nn

from cfvqa.data.batches import ImageBatch, ImageFeatures
from cfvqa.data.feature_store import shard_name, write_shard
from cfvqa.data.image_sets import ImageSet
from cfvqa.vision.finding_losses import pool_severity

Truth = Literal["none", "regions", "findings"]


class ExtractionModule(L.LightningModule):
    """Find the regions of images and what is in them.

    Args:
        detector, classifier: trained networks.
        images: the images, for the way of a box back to original pixels.
        truth: what is taken from the labels where they say it, to find out what errors of a network cost: the boxes of
            "regions", or "findings" with their severity; "none" for all that is not such a diagnosis.
    """

    def __init__(self, detector: nn.Module, classifier: nn.Module, images: ImageSet, *, truth: Truth = "none") -> None:
        super().__init__()
        self.truth = truth
        self.detector = detector
        self.classifier = classifier
        self._images = [images]

    def transfer_batch_to_device(self, batch: ImageBatch, device: torch.device, dataloader_idx: int) -> ImageBatch:
        """Move the batch."""
        return batch.to(device)

    def predict_step(self, batch: ImageBatch, batch_idx: int) -> ImageFeatures:
        """Return the features of a batch, on the CPU, boxes in original pixels."""
        regions = self.detector.detect(batch.image)
        if self.truth == "regions":
            regions.box = torch.where(batch.box_known.unsqueeze(-1), batch.box, regions.box)
        findings = self.classifier.classify(batch.image, regions.box)
        images = self._images[0]
        boxes = regions.box.float().cpu().numpy()
        original = [images.frame(int(row)).to_original(box) for row, box in zip(batch.index, boxes, strict=True)]
        features = ImageFeatures(
            region=regions.feature.float().cpu(),
            finding=findings.feature.float().cpu(),
            probability=findings.logit.sigmoid().float().cpu(),
            severity=pool_severity(findings).sigmoid().float().cpu(),
            box=torch.from_numpy(np.stack(original)),
            score=regions.score.float().cpu(),
        )
        return features if self.truth != "findings" else _with_true_findings(features, batch)


def _with_true_findings(features: ImageFeatures, batch: ImageBatch) -> ImageFeatures:
    """Return the features with labels in place of probabilities, where they are known."""
    label, severity = batch.region_finding.cpu(), batch.severity.cpu().unsqueeze(-1)
    probability = torch.where(label >= 0, label.float(), features.probability)
    at_least = (severity >= torch.tensor([2, 3])).float()
    return replace(features, probability=probability, severity=torch.where(severity > 0, at_least, features.severity))


class ShardWriter(BasePredictionWriter):
    """Write a shard as soon as its images are through; a killed extraction keeps the finished ones.

    Args:
        folder: of the shards.
        image_ids: of all images that are predicted, in order.
        numbers: of the shards to write, in order.
        rows: images in a shard; a multiple of the batch size.
        progress: called with the number of images that are through.
    """

    def __init__(
        self,
        folder: Path,
        image_ids: list[str],
        numbers: Sequence[int],
        rows: int,
        progress: Callable[[int], None],
    ) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder
        self.image_ids = image_ids
        self.numbers = list(numbers)
        self.rows = rows
        self.progress = progress
        self._waiting: list[ImageFeatures] = []
        self._written = 0

    def write_on_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, prediction: Any, *_: Any) -> None:
        """Collect a batch; write the shard that it completes."""
        self._waiting.append(prediction)
        done = self._written + sum(len(part.score) for part in self._waiting)
        if done % self.rows == 0 or done == len(self.image_ids):
            self._write()
        self.progress(done)

    def _write(self) -> None:
        joined = ImageFeatures(*(torch.cat([getattr(p, f.name) for p in self._waiting]) for f in fields(ImageFeatures)))
        names = self.image_ids[self._written : self._written + len(joined.score)]
        write_shard(self.folder / shard_name(self.numbers[self._written // self.rows]), names, joined)
        self._written += len(names)
        self._waiting = []
