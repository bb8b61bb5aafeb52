"""Contrast of images and answers against slow copies of the encoders and a queue: the first loss of BLIP."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cfvqa.data.batches import PairBatch, Tokens
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.contrast import all_digits
from cfvqa.objectives.gathering import gather

_COLDEST, _WARMEST = 0.001, 0.5  # temperature
_BASE = 0x5851F42D4C957F2D  # odd and large: a polynomial in it, modulo 2^64, tells texts apart


def text_ids(text: Tokens) -> Tensor:
    """Return a number (Q,) int64 of each text that equal texts share; padding and the first token do not count."""
    ids, mask = text.ids[:, 1:], text.mask[:, 1:]
    power = torch.full((ids.shape[1],), _BASE, dtype=torch.int64, device=ids.device).cumprod(0)
    return ((ids + 1) * mask * power).sum(1)


def contrast_targets(positive: Tensor, slow: Tensor, alpha: float) -> Tensor:
    """Return targets (B, N), each row a distribution: the positives alike, mixed with what the slow copies say.

    Args:
        positive: (B, N) bool, one in each row at least.
        slow: (B, N) scores of the slow copies.
        alpha: share of theirs.
    """
    alike = positive.float() / positive.sum(1, keepdim=True)
    return alpha * slow.softmax(1) + (1 - alpha) * alike


def soft_cross_entropy(score: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross-entropy of scores (B, N) against targets (B, N)."""
    return -(score.log_softmax(1) * target).sum(1).mean()


@dataclass(frozen=True)
class ImageTextContrast:
    """Find the answer of an image, and the image of an answer, among those of this step and of the queue.

    Equal answers are positives wherever they are, so that none is ever pushed away (Li et al., ICML 2022, section
    3.2, with the targets of their retrieval).

    Attributes:
        momentum: of the slow copies, which follow before they are used.
        alpha: share of what the slow copies say in the targets.
        warmup: steps in which it is reached, linearly.
    """

    momentum: float = 0.995
    alpha: float = 0.4
    warmup: int = 100

    needs = ("momentum", "towers", "temperature", "directions")

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the mean over both directions; in training, the slow copies and the queue go on by a step."""
        slow, learns = model.momentum, model.training and torch.is_grad_enabled()
        if learns:
            slow.follow(model.towers, self.momentum)
            model.temperature.data.clamp_(_COLDEST, _WARMEST)
        ids = gather(text_ids(batch.answer))
        image, text = (gather(part) for part in model.directions(reading, batch.answer))
        slow_image, slow_text = (gather(part) for part in slow.see(batch))
        queue = slow.queue()
        candidates = torch.cat([slow_image, queue.image]), torch.cat([slow_text, queue.text])
        positive = ids.unsqueeze(1) == torch.cat([ids, queue.ids])
        alpha = self.alpha * min(1.0, int(slow.steps) / max(1, self.warmup))
        with all_digits(image):

            def loss(fast: Tensor, own: Tensor, others: Tensor) -> Tensor:
                target = contrast_targets(positive, own @ others.T / model.temperature.detach(), alpha)
                return soft_cross_entropy(fast @ others.T / model.temperature, target)

            total = (loss(image, slow_image, candidates[1]) + loss(text, slow_text, candidates[0])) / 2
        if learns:
            slow.enqueue(slow_image, slow_text, ids)
        return total
