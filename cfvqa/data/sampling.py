"""Batch samplers whose order is a function of (seed, epoch), and which can go on in the middle of an epoch."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from cfvqa.data.seeding import generator
from cfvqa.errors import InputError

_ALIKE = 8  # processes


class EpochBatches(Sampler[list[int]]):
    """Shuffle groups of samples, and the samples of each, anew every epoch and yield them in batches.

    A group is a list of samples that belong into one batch (the questions of a pair; a single image). A batch
    holds groups of one kind only. The order depends on (seed, epoch) alone: also within a group, as a loss that takes
    some questions of each pair alone shall not see the same ones in every epoch. `skip` batches are left out once,
    after a resume. Each of `world` processes gets its part of every batch.

    Args:
        groups: samples of each group.
        groups_per_batch: groups in a batch, over all processes; the last batch of a kind may be smaller.
        seed: of the order.
        kinds: kind of each group; None where all are of one.
        on_epoch: told every epoch that begins, for data sets that draw by epoch.
        rank: of this process.
        world: number of processes.

    Raises:
        InputError: if a batch, or all groups of a kind, do not go round among the processes.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        *,
        groups_per_batch: int,
        seed: int,
        kinds: Sequence[int] | None = None,
        on_epoch: Callable[[int], None] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.on_epoch = on_epoch
        self.rank, self.world = rank, world
        self.groups = groups
        self.groups_per_batch = groups_per_batch
        self.seed = seed
        self.kinds = np.zeros(len(groups), dtype=np.int64) if kinds is None else np.asarray(kinds)
        self.epoch = 0
        self.skip = 0
        self._counts: list[int] = np.unique(self.kinds, return_counts=True)[1].tolist()
        least = min([groups_per_batch, *self._counts])
        if least < world:
            raise InputError(f"{least} groups of a batch cannot be shared among {world} processes: use fewer devices")

    def __len__(self) -> int:
        return sum(len(self._cuts(count)) for count in self._counts)

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
            own = np.array_split(chosen, self.world)[self.rank]
            yield [sample for group in own.tolist() for sample in self._shuffled(group)]

    def _shuffled(self, group: int) -> list[int]:
        """Return the samples of a group in the order of this epoch."""
        samples = self.groups[group]
        if len(samples) == 1:
            return list(samples)
        order = generator(self.seed, "order in a group", self.epoch, group).permutation(len(samples))
        return [samples[place] for place in order]

    def _batches(self) -> list[np.ndarray]:
        """Return the groups of every batch of the epoch."""
        rng = generator(self.seed, "order", self.epoch)
        order = rng.permutation(len(self.groups))
        batches = []
        for kind in np.unique(self.kinds):
            members = order[self.kinds[order] == kind]
            batches += [members[start:end] for start, end in self._cuts(len(members))]
        return [batches[place] for place in rng.permutation(len(batches))]

    def _cuts(self, count: int) -> list[tuple[int, int]]:
        """Return where the batches of `count` groups begin and end.

        A rest that would leave a process without a group joins the batch before it.
        """
        starts = list(range(0, count, self.groups_per_batch))
        if len(starts) > 1 and count - starts[-1] < self.world:
            starts.pop()
        return list(zip(starts, [*starts[1:], count], strict=True))


class OrderedBatches(Sampler[list[int]]):
    """Yield samples in order; every process gets its share of the batches, none is given out twice.

    Args:
        count: number of samples.
        size: samples in a batch; fewer where eight processes would not have one each, so that up to eight have the
            same batches as one: a contrast is over a batch.
        rank: of this process.
        world: number of processes.

    Raises:
        InputError: if there are fewer samples than processes.
    """

    def __init__(self, count: int, *, size: int, rank: int = 0, world: int = 1) -> None:
        if 0 < count < world:
            raise InputError(f"{count} samples cannot be shared among {world} processes: use fewer devices")
        size = max(1, min(size, count // max(world, _ALIKE)))
        starts = range(0, count, size)[rank::world]
        self.batches = [list(range(start, min(start + size, count))) for start in starts]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches."""
        return iter(self.batches)
