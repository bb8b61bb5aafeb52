"""Two encoders that meet in one space, slow copies of them, and a queue of what the copies saw (MoCo, as in BLIP).

He et al., CVPR 2020, section 3.2; Li et al., ICML 2022, section 3.2.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.blip.modeling_blip_text import BlipTextModel

from cfvqa.data.batches import PairBatch, Tokens
from cfvqa.models.text import beginning_with, read_alone


class TwoTowers(nn.Module):
    """An encoder of images and one of texts, each with a projection to directions of one space.

    Args:
        images: from a batch to tokens (U, N, D) of its units, the pooling token first.
        reader: of texts; without a memory it reads a text alone.
        width: D.
        space: E, of a direction.
        cls: token that a text which is read alone begins with.
    """

    def __init__(self, *, images: nn.Module, reader: BlipTextModel, width: int, space: int, cls: int) -> None:
        super().__init__()
        self.images, self.reader = images, reader
        self.project_image, self.project_text = nn.Linear(width, space), nn.Linear(width, space)
        self.cls = cls

    def image(self, pooled: Tensor) -> Tensor:
        """Return the direction (Q, E) of images by their pooling token (Q, D)."""
        return F.normalize(self.project_image(pooled).float(), dim=-1)

    def text(self, text: Tokens) -> Tensor:
        """Return the direction (Q, E) of texts, whatever token they begin with."""
        states = read_alone(self.reader, beginning_with(text, self.cls))
        return F.normalize(self.project_text(states[:, 0]).float(), dim=-1)


@dataclass(frozen=True)
class Queue:
    """What was seen before: directions (n, E) of images and texts, and ids (n,) of the texts."""

    image: Tensor
    text: Tensor
    ids: Tensor


class Momentum(nn.Module):
    """Copies of two encoders that follow them slowly, and a queue of what they saw last.

    All of it is part of a checkpoint, and none of it is learned by gradients or needed to answer.

    Args:
        towers: that are followed.
        space: E, of a direction.
        length: of the queue.
    """

    def __init__(self, towers: TwoTowers, *, space: int, length: int) -> None:
        super().__init__()
        self.towers = copy.deepcopy(towers).requires_grad_(requires_grad=False)
        self.register_buffer("image", torch.zeros(length, space))
        self.register_buffer("text", torch.zeros(length, space))
        self.register_buffer("ids", torch.zeros(length, dtype=torch.int64))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))  # rows, those overwritten too
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def train(self, mode: bool = True) -> "Momentum":
        """Leave the copies without dropout: what they say is a target."""
        super().train(mode)
        self.towers.eval()
        return self

    @torch.no_grad()
    def follow(self, towers: TwoTowers, momentum: float) -> None:
        """Move each weight to `momentum` of itself and the rest of that of `towers`; counts as a step."""
        for own, other in zip(self.towers.parameters(), towers.parameters(), strict=True):
            own.lerp_(other, 1 - momentum)
        self.steps += 1

    @torch.no_grad()
    def see(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Return the directions (Q, E) of the images of the questions, and of their answers."""
        pooled = self.towers.images(batch)[:, 0].index_select(0, batch.unit)
        return self.towers.image(pooled), self.towers.text(batch.answer)

    def queue(self) -> Queue:
        """Return a copy of what is in the queue: nothing before the first step, and never more than was put there."""
        filled = min(int(self.written), len(self.ids))
        return Queue(*(part[:filled].clone() for part in (self.image, self.text, self.ids)))

    @torch.no_grad()
    def enqueue(self, image: Tensor, text: Tensor, ids: Tensor) -> None:
        """Put directions (B, E) and ids (B,) in the place of the oldest; of more than the queue holds, the last."""
        length = len(self.ids)
        place = (self.written + torch.arange(len(ids), device=ids.device))[-length:] % length
        for part, rows in ((self.image, image), (self.text, text), (self.ids, ids)):
            part[place] = rows[-length:].to(part.dtype)
        self.written += len(ids)


def without_momentum(model: nn.Module) -> nn.Module:
    """Return a model without its slow copies and queue: answering needs neither, and the queue is of training data."""
    for name, part in list(model.named_children()):
        if isinstance(part, Momentum):
            delattr(model, name)
    return model
