"""Matching: does this answer belong to these images and this question?"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import PairBatch, Tokens
from cfvqa.models.outputs import Reader, Reading


@dataclass(frozen=True)
class Matching:
    """Tell the true answer from the wrong one that was made by rule; both begin with the same token."""

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the cross-entropy over twice the questions."""
        right = self._judge(model, batch.answer, reading)
        wrong = self._judge(model, batch.wrong_answer, reading)
        target = torch.cat([torch.ones(len(right)), torch.zeros(len(wrong))]).long().to(right.device)
        return F.cross_entropy(torch.cat([right, wrong]).float(), target)

    @staticmethod
    def _judge(model: Reader, answer: Tokens, reading: Reading) -> Tensor:
        states = model.text.answer_states(answer, reading.memory, reading.memory_mask)
        return model.match(states[:, 0])
