"""Learning-rate schedules, by optimizer step."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

_START = 1 / 25  # of the peak, as in Smith and Topin (2018)


def one_cycle(optimizer: Optimizer, *, steps: int, warmup: float = 0.1) -> LambdaLR:
    """Rise to the optimizer's rate over a share `warmup` of `steps`, then fall to zero; both along a cosine.

    The length is no part of its state: a training that goes on with more epochs follows the longer curve.
    """
    last = max(1, steps - 1)
    rise = max(1.0, warmup * steps - 1)

    def share(step: int) -> float:
        if step < rise:
            return _START + (1 - _START) * (1 - math.cos(math.pi * step / rise)) / 2
        return (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, last - rise)))) / 2

    return LambdaLR(optimizer, share)


def staircase(optimizer: Optimizer, *, steps: int, every: float, factor: float = 0.1) -> LambdaLR:
    """Begin with the optimizer's rate and multiply it by `factor` each time a share `every` of `steps` is over."""
    stride = max(1, round(every * steps))
    return LambdaLR(optimizer, lambda step: factor ** (step // stride))
