"""The LightningDataModule of radiographs: for anatomy detectors, finding classifiers and extraction."""

from dataclasses import dataclass

import lightning as L
import numpy as np
import polars as pl
from torch.utils.data import DataLoader

from cfvqa.data.image_sets import ImageLabels, ImageSet, labels_of
from cfvqa.data.loaders import EpochLoader, place_of
from cfvqa.data.loading_processes import in_processes
from cfvqa.data.sampling import EpochBatches, OrderedBatches
from cfvqa.errors import InputError
from cfvqa.sources.tables import Tables


@dataclass(frozen=True)
class ImageDataSettings:
    """How radiographs are loaded.

    Attributes:
        image_size: side of the frame in pixels.
        batch_size: images per optimizer step.
        workers: decoding processes.
        cache_gib: memory for decoded frames; used without workers, as these end with each epoch and all they keep.
        seed: of the order.
    """

    image_size: int
    batch_size: int
    workers: int = 0
    cache_gib: float = 2.0
    seed: int = 1

    @property
    def kept_gib(self) -> float:
        """Memory for frames that are kept decoded from one epoch to the next."""
        return 0.0 if self.workers else self.cache_gib


class ImageData(L.LightningDataModule):
    """Serve the images of `tables` that `keep` selects, by split.

    Args:
        tables: prepared tables.
        settings: how they are loaded.
        needs: "boxes" keeps images with a known region, "findings" images with any label.
    """

    def __init__(self, tables: Tables, settings: ImageDataSettings, *, needs: str) -> None:
        super().__init__()
        self.tables = tables
        self.settings = settings
        self.needs = needs
        self.sets: dict[str, ImageSet] = {}

    def setup(self, stage: str | None = None) -> None:
        """Build the image sets of the three splits."""
        for split in ("train", "val", "test"):
            if split in self.sets:
                continue
            images = self.tables.images.filter(pl.col("split") == split)
            labels = _usable(labels_of(self.tables, images), self.needs)
            if not len(labels) and split != "test":
                raise InputError(
                    f"split '{split}' has no image with known {self.needs} (source {self.tables.source}): "
                    "prepare more subjects, or use a detector or classifier trained elsewhere"
                )
            self.sets[split] = ImageSet(labels, size=self.settings.image_size, cache_gib=self.settings.kept_gib)

    def train_dataloader(self) -> EpochLoader:
        """Yield shuffled training batches."""
        images = self.sets["train"]
        batches = EpochBatches(
            [[i] for i in range(len(images))],
            groups_per_batch=self.settings.batch_size,
            seed=self.settings.seed,
            **place_of(self),
        )
        return EpochLoader(images, batches, collate=images.collate, workers=self.settings.workers)

    def val_dataloader(self) -> DataLoader:
        """Yield the validation images in order."""
        return self._in_order("val")

    def test_dataloader(self) -> DataLoader:
        """Yield the test images in order."""
        return self._in_order("test")

    def _in_order(self, split: str) -> DataLoader:
        images = self.sets[split]
        batches = OrderedBatches(len(images), size=self.settings.batch_size, **place_of(self))
        return DataLoader(
            images,
            batch_sampler=batches,
            collate_fn=images.collate,
            **in_processes(self.settings.workers),
        )


def _usable(labels: ImageLabels, needs: str) -> ImageLabels:
    known = labels.box_known.any(1) if needs == "boxes" else (labels.image_finding >= 0).any(1)
    rows = np.flatnonzero(known)
    return ImageLabels(
        image_ids=[labels.image_ids[i] for i in rows],
        paths=[labels.paths[i] for i in rows],
        sizes=labels.sizes[rows],
        box=labels.box[rows],
        box_known=labels.box_known[rows],
        region_finding=labels.region_finding[rows],
        image_finding=labels.image_finding[rows],
        severity=labels.severity[rows],
        drawn=[labels.drawn[i] for i in rows],
    )
