"""What a reader passes on to the objectives and to generation."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cfvqa.data.batches import ImageFeatures, PairBatch
from cfvqa.models.change_head import ChangeLogits
from cfvqa.models.writing import Writer


@dataclass
class Reading:
    """How a model read the questions of a batch.

    Attributes:
        visual: (Q, N, D) visual tokens of each question's unit.
        visual_mask: (Q, N) bool.
        question: (Q, T, D) states of the question in the light of the images.
        memory, memory_mask: (Q, M, D) and (Q, M) bool, what the answer is written from.
        attention: (Q, N) attention of the question to the visual tokens, or None for a model that is blind or does not
            weigh them when it reads.
        changes: what it thinks of every finding, or None for a model that has no opinion before it writes.
    """

    visual: Tensor
    visual_mask: Tensor
    question: Tensor
    memory: Tensor
    memory_mask: Tensor
    attention: Tensor | None
    changes: ChangeLogits | None = None


def image_shares(batch: PairBatch) -> Tensor:
    """Return the shares (Q, 2) that main and reference have in an attention to nodes of both: halves, or all of it."""
    has_reference = batch.has_reference[batch.unit]
    there = torch.stack([torch.ones_like(has_reference), has_reference], dim=1)
    return there / there.sum(1, keepdim=True)


class Reader(Protocol):
    """A whole model: reads pairs and questions, writes answers.

    Objectives may ask for more: `contrast(state)`, which projects states (Q, D) into the space of contrast,
    `whole(reading)`, the images of each question as one vector (Q, D), and `match(state)`, which judges states: logits
    (Q, 2) of wrong, right answer; and of a writer for `encode`, `masked_logits` and `answer_state`, as
    `models.text.TextTransformer` has them. What each asks for stands in its `needs`; what momentum contrast asks for is
    as `models.blip.BLIP` has it, and what the changes of findings do as `models.siamese.Siamese` has it.

    A model that does not write each answer word by word has `answer(reading, batch, **decoding)`: ids and scores as
    `Writer.generate` returns them.
    """

    text: Writer

    def fit(self, features: ImageFeatures) -> None:
        """Take what it needs to know of the features of training images, once before training."""

    def read(self, batch: PairBatch) -> Reading:
        """Read the questions of a batch."""

    def token_regions(self, weight: Tensor, batch: PairBatch) -> Tensor:
        """Return where in main and reference image weights of visual tokens (Q, K, N) lie (Q, K, 2, R).

        Only models with a local contrast need it; K weights a question stand for themselves.
        """

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """Return where in main and reference image the attention lies (Q, 2, R), all of it 1; or None.

        Args:
            reading: of the batch.
            batch: its images say where each finding is seen.
        """
