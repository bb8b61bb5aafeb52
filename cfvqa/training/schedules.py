"""Learning-rate schedules, by optimizer step."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR


def one_cycle(optimizer: Optimizer, *, steps: int, warmup: float = 0.1) -> LRScheduler:
    """Rise to the optimizer's rate over a share `warmup` of `steps`, then fall to zero along a cosine."""
    peak = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, max_lr=peak, total_steps=max(steps, 2), pct_start=warmup, cycle_momentum=False)
