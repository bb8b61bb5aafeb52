"""One loss over the batch of all ranks: rows gathered with their gradients, and means over all rows.

Every rank of a DDP training sees a part of a batch. The functions here make its losses those of one process that
sees the whole. Without a process group they change nothing, nor without gradients: a validation batch is whole on the
rank that has it, and ranks may have different numbers of them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

from cfvqa.data.batches import Tokens


def ranks() -> int:
    """Return how many processes share a batch."""
    shared = distributed.is_available() and distributed.is_initialized() and torch.is_grad_enabled()
    return distributed.get_world_size() if shared else 1


def gather(rows: Tensor) -> Tensor:
    """Return the rows (Q, ...) of all ranks (sum of Q, ...) in the order of the ranks.

    Ranks may differ in every size; what is shorter is filled with zeros. The gradient of a row comes from the losses
    of all ranks: DDP's mean over ranks then makes it that of one process.
    """
    if ranks() == 1:
        return rows
    shape = torch.tensor(rows.shape, device=rows.device)
    shapes = [torch.empty_like(shape) for _ in range(ranks())]
    distributed.all_gather(shapes, shape)
    largest = torch.stack(shapes).amax(0).tolist()
    missing = [want - have for want, have in zip(largest, rows.shape, strict=True)]
    padded = F.pad(rows, [part for size in reversed(missing) for part in (0, size)])
    parts = _Gather.apply(padded)
    return torch.cat([part[: int(own[0])] for part, own in zip(parts, shapes, strict=True)])


def gather_tokens(text: Tokens) -> Tokens:
    """Return the tokens of all ranks."""
    return Tokens(gather(text.ids), gather(text.mask))


def gather_units(unit: Tensor) -> Tensor:
    """Return the units (sum of Q,) of the questions of all ranks, numbered anew: no two ranks share one."""
    if ranks() == 1:
        return unit
    owned = gather(torch.stack([torch.full_like(unit, distributed.get_rank()), unit], dim=1))
    return torch.unique(owned, dim=0, return_inverse=True)[1]


def share_of_limit(count: int, limit: int, device: torch.device) -> int:
    """Return how many of this rank's `count` rows take part, of at most `limit` of all ranks.

    The ranks have shares as even as their rows allow, so that none waits for another.
    """
    if ranks() == 1:
        return min(count, limit)
    counts = [torch.zeros(1, dtype=torch.long, device=device) for _ in range(ranks())]
    distributed.all_gather(counts, torch.tensor([count], device=device))
    return even_shares(torch.cat(counts).tolist(), limit)[distributed.get_rank()]


def even_shares(counts: Sequence[int], limit: int) -> list[int]:
    """Return how many of `counts` rows each rank has among `limit`: those with few rows leave theirs to the others."""
    shares, left = [0] * len(counts), limit
    for place, rank in enumerate(sorted(range(len(counts)), key=lambda rank: counts[rank])):
        shares[rank] = min(counts[rank], left // (len(counts) - place))
        left -= shares[rank]
    return shares


def mean_over_ranks(total: Tensor, count: Tensor) -> Tensor:
    """Return what, averaged over the ranks, is the mean of all rows: the sum of this rank over the mean count.

    Args:
        total: sum of this rank, scalar.
        count: how many rows it is over, scalar; at least 1 is taken.
    """
    count = count.detach().float()
    if ranks() > 1:
        count = count.clone()
        distributed.all_reduce(count)
        count = count / ranks()
    return total / count.clamp(min=1 / ranks())


class _Gather(torch.autograd.Function):
    """Stack tensors of one shape from all ranks; a gradient is the sum of those that the ranks have."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous()
        distributed.all_reduce(total)
        return total[distributed.get_rank()]
