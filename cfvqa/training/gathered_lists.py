"""Metrics whose states are lists: gathered from all processes, of any type and length, also from one that has none."""

from typing import Any

from torch import distributed
from torchmetrics import Metric


class GatheredLists(Metric):
    """Put the lists of all processes behind each other, a tensor as it is.

    (torchmetrics gathers tensor by tensor, and waits for ever, or fails, where their numbers or types differ.)
    """

    def _sync_dist(self, dist_sync_fn: Any = None, process_group: Any = None) -> None:
        own = {name: [tensor.cpu() for tensor in getattr(self, name)] for name in self._reductions}
        parts: list[Any] = [None] * distributed.get_world_size(process_group)
        distributed.all_gather_object(parts, own, group=process_group)
        for name in own:
            setattr(self, name, [tensor.to(self.device) for part in parts for tensor in part[name]])
