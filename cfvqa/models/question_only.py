"""The blind control: answers from the question alone. What it scores, the wording gives away."""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch
from cfvqa.models.outputs import Reading
from cfvqa.models.text import TextTransformer


class QuestionOnly(nn.Module):
    """Read the question, never an image.

    Args:
        text: reads questions, writes answers.
    """

    def __init__(self, *, text: TextTransformer) -> None:
        super().__init__()
        width = text.settings.width
        self.text = text
        self.blind = nn.Parameter(torch.zeros(1, 1, width))
        self.contrast = nn.Linear(width, width)
        self.match = nn.Linear(width, 2)

    def fit(self, features: ImageFeatures) -> None:
        """A blind model takes nothing from images."""

    def read(self, batch: PairBatch) -> Reading:
        """Read the questions; the one visual token is a constant."""
        visual = self.blind.expand(len(batch.unit), -1, -1)
        mask = torch.ones(visual.shape[:2], dtype=torch.bool, device=visual.device)
        question, _ = self.text.read(batch.question, visual, mask)
        return Reading(visual, mask, question, question, batch.question.mask, None)

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """A blind model attends to no region."""
        return None
