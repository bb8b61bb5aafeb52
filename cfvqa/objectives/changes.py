"""Changes: which findings changed, and how, learned from the parsed answer."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import PairBatch
from cfvqa.language.change_labels import UNKNOWN
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.gathering import mean_over_ranks


@dataclass(frozen=True)
class Changes:
    """The negative log-likelihood of the changes of an answer, and of whether changes are asked for at all."""

    needs = ("change_head", "asks_for_change")

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the mean over the difference questions, and over all for whether they are that."""
        assert reading.changes is not None
        found, label = reading.changes, batch.changes
        parts = zip((found.kind, found.before, found.after), label.unbind(-1), strict=True)
        total = torch.stack([_cross_entropy(logits, target) for logits, target in parts]).sum()
        is_asked = batch.says_changes
        asked = model.asks_for_change(reading)
        gate = F.binary_cross_entropy_with_logits(asked.float(), is_asked.float(), reduction="sum")
        questions = torch.tensor(len(is_asked), device=total.device)
        return mean_over_ranks(total, is_asked.sum()) + mean_over_ranks(gate, questions)


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sum over the known targets (Q, A) of logits (Q, A, C)."""
    return F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=UNKNOWN, reduction="sum")
