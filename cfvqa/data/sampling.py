"""Batch samplers whose order is a function of (seed, epoch), and which can go on in the middle of an epoch."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from cfvqa.data.seeding import generator


class EpochBatches(Sampler[list[int]]):
    """Shuffle groups of samples anew every epoch and yield them in batches.

    A group is a list of samples that belong into one batch (the questions of a pair; a single image). A batch
    holds groups of one kind only. The order depends on (seed, epoch) alone. `skip` batches are left out once,
    after a resume.

    Args:
        groups: samples of each group.
        groups_per_batch: groups in a batch; the last batch of a kind may be smaller.
        seed: of the order.
        kinds: kind of each group; None where all are of one.
        on_epoch: told every epoch that begins, for data sets that draw by epoch.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        *,
        groups_per_batch: int,
        seed: int,
        kinds: Sequence[int] | None = None,
        on_epoch: Callable[[int], None] | None = None,
    ) -> None:
        self.on_epoch = on_epoch
        self.groups = groups
        self.groups_per_batch = groups_per_batch
        self.seed = seed
        self.kinds = np.zeros(len(groups), dtype=np.int64) if kinds is None else np.asarray(kinds)
        self.epoch = 0
        self.skip = 0

    def __len__(self) -> int:
        _, counts = np.unique(self.kinds, return_counts=True)
        return int((-(-counts // self.groups_per_batch)).sum())

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch
        if self.on_epoch is not None:
            self.on_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the current epoch."""
        batches = self._batches()
        skip, self.skip = self.skip, 0
        for chosen in batches[skip:]:
            yield [sample for group in chosen for sample in self.groups[group]]

    def _batches(self) -> list[np.ndarray]:
        """Return the groups of every batch of the epoch."""
        rng = generator(self.seed, "order", self.epoch)
        order = rng.permutation(len(self.groups))
        cut = self.groups_per_batch
        batches = []
        for kind in np.unique(self.kinds):
            members = order[self.kinds[order] == kind]
            batches += [members[start : start + cut] for start in range(0, len(members), cut)]
        return [batches[place] for place in rng.permutation(len(batches))]
