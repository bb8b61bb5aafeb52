"""Matching: does this answer belong to these images and this question?"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import PairBatch, Tokens
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.contrast import taking_part
from cfvqa.objectives.gathering import mean_over_ranks


@dataclass(frozen=True)
class Matching:
    """Tell the true answer from the wrong one that was made by rule; both begin with the same token.

    Attributes:
        limit: questions of a batch, over all ranks, that take part, spread over its units: each reads two answers.
    """

    limit: int = 16

    needs = ("match", "text.answer_state")

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the cross-entropy over twice the questions."""
        some, count = taking_part(batch.unit, self.limit)
        right = self._judge(model, batch.answer, reading, some)
        wrong = self._judge(model, batch.wrong_answer, reading, some)
        target = torch.cat([torch.ones(len(right)), torch.zeros(len(wrong))]).long().to(right.device)
        total = F.cross_entropy(torch.cat([right, wrong]).float(), target, reduction="sum") * (count > 0)
        return mean_over_ranks(total, torch.tensor(2 * count, device=right.device))

    @staticmethod
    def _judge(model: Reader, answer: Tokens, reading: Reading, some: Tensor) -> Tensor:
        state = model.text.answer_state(
            Tokens(answer.ids[some], answer.mask[some]), reading.memory[some], reading.memory_mask[some]
        )
        return model.match(state)
