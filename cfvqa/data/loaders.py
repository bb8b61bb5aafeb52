"""Loaders of training batches and of images in order, and the place of a data module in a training."""

from collections.abc import Sequence
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset, Subset

from cfvqa.data.image_sets import ImageSet
from cfvqa.data.loading_processes import in_processes
from cfvqa.data.sampling import EpochBatches


def place_of(data: L.LightningDataModule) -> dict[str, int]:
    """Return rank and world of the training that a data module serves; 0 of 1 outside of one."""
    trainer = data.trainer
    return {"rank": trainer.global_rank, "world": trainer.world_size} if trainer else {"rank": 0, "world": 1}


def loader_of_rows(images: ImageSet, rows: Sequence[int], *, batch_size: int, workers: int) -> DataLoader:
    """Return the loader of some images, in that order.

    Args:
        images: decodes them.
        rows: which.
        batch_size: images in a batch.
        workers: processes that decode the next batches while the last one is worked on; without any, it waits.
    """
    return DataLoader(
        Subset(images, rows),
        batch_size=batch_size,
        collate_fn=images.collate,
        **in_processes(workers),
    )


class EpochLoader(DataLoader):
    """Yield the batches of the current epoch.

    Args:
        dataset: samples, indexed by what the batches hold.
        batches: the order.
        collate: makes a batch of samples.
        workers: processes that decode; what a sample draws never depends on them.
    """

    def __init__(self, dataset: Dataset, batches: EpochBatches, *, collate: Any, workers: int = 0) -> None:
        super().__init__(
            dataset,
            batch_sampler=batches,
            collate_fn=collate,
            **in_processes(workers),
            persistent_workers=False,
        )
        self.batches = batches

    def __iter__(self) -> Any:
        # A generator, so that workers begin to load only when the epoch and the place in it are known.
        yield from super().__iter__()
