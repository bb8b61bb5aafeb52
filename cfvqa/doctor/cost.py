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


def image_seconds(epochs: int, work: float, decoding: float, *, workers: int, kept: bool = False) -> float:
    """Return the seconds that an image takes over all epochs.

    Args:
        epochs: passes over the images.
        work: seconds of the networks, an epoch.
        decoding: seconds of the image file.
        workers: loading processes, which decode while the networks work; without them the training decodes itself.
        kept: whether it then decodes an image once, and keeps it.
    """
    if workers:
        return epochs * max(work, decoding / workers)
    return epochs * work + (1 if kept else epochs) * decoding


def epochs_of(count: int) -> str:
    """Return a number of epochs in words."""
    return f"{count} epoch" if count == 1 else f"{count} epochs"


def checkpoint_bytes(network: nn.Module) -> int:
    """Return what all checkpoints of a training keep at a time."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    moments = _MOMENTS * sum(weight.numel() * weight.element_size() for weight in learned)
    return _CHECKPOINTS * (weights + moments)
