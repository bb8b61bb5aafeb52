"""Loaders of training batches and of images in order, and the place of a data module in a training."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset, Subset

from cfvqa.data.image_sets import ImageSet
from cfvqa.data.sampling import EpochBatches

_ASKS = frozenset({signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2})
"""Signals by which schedulers ask a job to stop: every process of it, by default."""


def place_of(data: L.LightningDataModule) -> dict[str, int]:
    """Return rank and world of the training that a data module serves; 0 of 1 outside of one."""
    trainer = data.trainer
    return {"rank": trainer.global_rank, "world": trainer.world_size} if trainer else {"rank": 0, "world": 1}


def in_processes(workers: int) -> dict[str, Any]:
    """Return the arguments of a `DataLoader` for so many loading processes.

    They start as Python has it, also where joblib has set a way that fails.
    """
    method = multiprocessing.get_all_start_methods()[0] if workers else None
    return {"num_workers": workers, "multiprocessing_context": method, "worker_init_fn": stay}


def stay(worker: int) -> None:
    """Have a loading process stay when a scheduler asks it to stop: the training loads on until it has saved."""
    if hasattr(signal, "sigwaitinfo"):  # macOS has none, and no scheduler
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKS)
        threading.Thread(target=_end_when_parent_asks, daemon=True).start()


def _end_when_parent_asks() -> None:
    """End when the process that started this one asks for it: as that ends it does so, and waits."""
    while signal.sigwaitinfo(_ASKS).si_pid != multiprocessing.parent_process().pid:
        pass
    os._exit(0)


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
