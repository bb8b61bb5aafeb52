"""A DataLoader that knows its epoch and its place in it."""

from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset

from cfvqa.data.sampling import EpochBatches


def place_of(data: L.LightningDataModule) -> dict[str, int]:
    """Return rank and world of the training that a data module serves; 0 of 1 outside of one."""
    trainer = data.trainer
    return {"rank": trainer.global_rank, "world": trainer.world_size} if trainer else {"rank": 0, "world": 1}


class EpochLoader(DataLoader):
    """Yield the batches of the current epoch; Lightning stores and restores the place through `state_dict`.

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
            num_workers=workers,
            persistent_workers=False,
        )
        self.batches = batches
        self._yielded = 0

    def __iter__(self) -> Any:
        self._yielded = self.batches.skip
        for batch in super().__iter__():
            self._yielded += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and how many of its batches were given out."""
        return {"epoch": self.batches.epoch, "yielded": self._yielded}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind the batches that were given out."""
        self.batches.set_epoch(state["epoch"])
        self.batches.skip = 0 if state["yielded"] >= len(self.batches) else state["yielded"]
