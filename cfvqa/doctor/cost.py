"""What a part of an experiment costs: time, and what it keeps on disk."""

from dataclasses import dataclass

from torch import nn

_CHECKPOINTS = 4  # best, last, the one before, and the one that is being written
_MOMENTS = 2  # that an optimizer keeps of each weight, as Adam does


@dataclass(frozen=True)
class Cost:
    """What a part costs.

    Attributes:
        about: its name.
        seconds: that it takes.
        how: it comes about, in words.
        bytes: that it keeps.
    """

    about: str
    seconds: float
    how: str
    bytes: int


def item_seconds(work: float, decoding: float, workers: int) -> float:
    """Return the seconds that an image takes, given those of the networks and of its decoding.

    Loading processes decode while the networks work; without them the training decodes itself.
    """
    return max(work, decoding / workers) if workers else work + decoding


def checkpoint_bytes(network: nn.Module) -> int:
    """Return what all checkpoints of a training keep at a time."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    moments = _MOMENTS * sum(weight.numel() * weight.element_size() for weight in learned)
    return _CHECKPOINTS * (weights + moments)
