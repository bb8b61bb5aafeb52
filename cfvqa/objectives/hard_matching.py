"""Matching against the wrong images and answers that look most alike: the second loss of BLIP."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cfvqa.data.batches import PairBatch, Tokens
from cfvqa.models.outputs import Reader, Reading
from cfvqa.models.text import beginning_with
from cfvqa.objectives.contrast import all_digits, taking_part, texts_of_units
from cfvqa.objectives.gathering import mean_over_ranks

_LEAST = 1e-4  # weight of every candidate, however unlike


def draw_negatives(similarity: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a wrong candidate for each row, with probability softmax(similarity) + 1e-4 among those allowed.

    Args:
        similarity: (Q, N).
        allowed: (Q, N) bool.

    Returns:
        Rows (n,) that have a candidate at all, and what was drawn for each (n,).
    """
    weight = (similarity.softmax(1) + _LEAST) * allowed
    rows = allowed.any(1).nonzero().squeeze(1)
    if not len(rows):
        return rows, rows
    return rows, torch.multinomial(weight[rows], 1).squeeze(1)


@dataclass(frozen=True)
class HardMatching:
    """Tell whether an answer belongs to an image: each against a hard wrong answer, and a hard wrong image.

    Wrong ones come from the batch of the rank. No answer to any question about a unit is wrong for its images, nor is
    a text that equals one; where nothing else is left, there is no row (Li et al., ICML 2022, section 3.2, which
    excludes the pair itself alone).

    Attributes:
        limit: questions of a batch, over all ranks, that take part, spread over its units: each is read three times.
    """

    limit: int = 16

    needs = ("directions", "temperature", "match", "text.read")

    def __call__(self, model: Reader, batch: PairBatch, reading: Reading) -> Tensor:
        """Return the cross-entropy over true pairs and drawn ones."""
        device = reading.visual.device
        own, count = taking_part(batch.unit, self.limit)
        (text_rows, texts), (image_rows, images) = self._negatives(model, batch, reading, own)
        image = torch.cat([own, own[text_rows], images])
        text = torch.cat([own, texts, own[image_rows]])
        answer = Tokens(batch.answer.ids.index_select(0, text), batch.answer.mask.index_select(0, text))
        state, _ = model.text.read(
            beginning_with(answer, model.text.special.enc),
            reading.visual.index_select(0, image),
            reading.visual_mask.index_select(0, image),
        )
        target = (torch.arange(len(image), device=device) < len(own)).long()
        total = F.cross_entropy(model.match(state[:, 0]).float(), target, reduction="sum") * (count > 0)
        return mean_over_ranks(total, torch.tensor(len(target) * (count > 0), device=device))

    @staticmethod
    @torch.no_grad()
    def _negatives(
        model: Reader, batch: PairBatch, reading: Reading, some: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Draw for `some` questions a wrong text of each image, and a wrong image of each text; rows are of `some`."""
        image, text = model.directions(reading, batch.answer)
        wrong = ~texts_of_units(batch.answer, batch.unit)
        with all_digits(image):
            similarity = image @ text.T / model.temperature
        return draw_negatives(similarity[some], wrong[some]), draw_negatives(similarity.T[some], wrong.T[some])
