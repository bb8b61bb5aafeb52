"""Batch samplers whose order is a function of (seed, epoch), and which can go on in the middle of an epoch."""

from collections.abc import Callable, Iterator, Sequence

from torch.utils.data import Sampler

from cfvqa.data.seeding import generator


class EpochBatches(Sampler[list[int]]):
    """Shuffle groups of samples anew every epoch and yield them in batches.

    A group is a list of samples that belong into one batch (the questions of a pair; a single image). The
    order depends on (seed, epoch) alone. `skip` batches are left out once, after a resume.

    Args:
        groups: samples of each group.
        groups_per_batch: groups in a batch; the last batch may be smaller.
        seed: of the order.
        on_epoch: told every epoch that begins, for data sets that draw by epoch.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        *,
        groups_per_batch: int,
        seed: int,
        on_epoch: Callable[[int], None] | None = None,
    ) -> None:
        self.on_epoch = on_epoch
        self.groups = groups
        self.groups_per_batch = groups_per_batch
        self.seed = seed
        self.epoch = 0
        self.skip = 0

    def __len__(self) -> int:
        return -(-len(self.groups) // self.groups_per_batch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch
        if self.on_epoch is not None:
            self.on_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the current epoch."""
        order = generator(self.seed, "order", self.epoch).permutation(len(self.groups))
        skip, self.skip = self.skip, 0
        for start in range(skip * self.groups_per_batch, len(order), self.groups_per_batch):
            chosen = order[start : start + self.groups_per_batch]
            yield [sample for group in chosen for sample in self.groups[group]]
