"""Sparse attention: look at few nodes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cfvqa.data.batches import PairBatch
from cfvqa.models.outputs import Reader, Reading
from cfvqa.objectives.gathering import mean_over_ranks


@dataclass(frozen=True)
class SparseAttention:
    """The attention of a question over all nodes, which EKAID weighs with 0.0025 (Hu et al., KDD 2023)."""

    needs = ("attends",)

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the mean over the questions of the sum over the nodes of both images."""
        total = reading.attention.sum()
        return mean_over_ranks(total, torch.tensor(len(batch.unit), device=total.device))
