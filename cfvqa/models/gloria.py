"""GLoRIA (Huang et al., ICCV 2021): places of images and words of sentences in one space; here it also answers.

rows of main, reference and their difference --local projection--> places (U, 6R, D)
places --one more layer, mean of each image, global projection--> the images as one vector (Q, D)
sentence --text encoder, which sees no image--> words (Q, T, D)
answer <--writer, cross-attention to the places and to the question read over them

The published model compares images with sentences and writes nothing: what reads questions and writes answers is that
of the method (`coarse_to_fine`). Its reader encodes the sentences too, with the cross-attention left out.
"""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch
from cfvqa.models.outputs import Reading
from cfvqa.models.rows import ROWS, Rows
from cfvqa.models.text import TextTransformer

_IMAGES = 3  # main, reference, reference - main
_TOLD_APART = 0.5  # size of what says which image and which region a row is of, at the start


class GLoRIA(nn.Module):
    """Answer questions about units of one or two images; compare them with sentences.

    Args:
        text: reads questions and sentences, writes answers; its width D is the model's.
        region_width, finding_width: of the stored features.
    """

    def __init__(self, *, text: TextTransformer, region_width: int, finding_width: int) -> None:
        super().__init__()
        width = text.settings.width
        self.text = text
        self.rows = Rows(region_width=region_width, finding_width=finding_width, width=width)
        # About as large as rows are: what is smaller is overlooked beside them.
        self.position = nn.Parameter(torch.randn(ROWS, width) * _TOLD_APART)  # of a row in its image
        self.image = nn.Parameter(torch.randn(_IMAGES, width) * _TOLD_APART)
        self.local = nn.Sequential(nn.Linear(width, width, bias=False), nn.LayerNorm(width))
        self.deeper = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.together = nn.Linear(_IMAGES * width, width)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images, once before training."""
        self.rows.fit(features)

    def places(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Return the places (U, 6R, D) of the units, and which are there (U, 6R): one image has no other."""
        main, reference = self.rows(batch.main), self.rows(batch.reference)
        images = torch.stack([main, reference, reference - main], dim=1)
        images = images + self.position + self.image.unsqueeze(1)
        there = batch.has_reference.unsqueeze(1)
        mask = torch.cat([torch.ones_like(there), there, there], dim=1).repeat_interleave(ROWS, dim=1)
        return self.local(images).flatten(1, 2), mask

    def read(self, batch: PairBatch) -> Reading:
        """Read the questions; the places of a unit are found once for all its questions."""
        places, there = self.places(batch)
        visual, mask = places.index_select(0, batch.unit), there.index_select(0, batch.unit)
        question, attention = self.text.read(batch.question, visual, mask)
        memory, memory_mask = torch.cat([question, visual], 1), torch.cat([batch.question.mask, mask], 1)
        return Reading(visual, mask, question, memory, memory_mask, attention)

    def whole(self, reading: Reading) -> Tensor:
        """Return the images of each question as one vector (Q, D)."""
        there = reading.visual_mask.unflatten(1, (_IMAGES, ROWS))[:, :, 0]
        pooled = self.deeper(reading.visual).unflatten(1, (_IMAGES, ROWS)).mean(2)
        return self.together(pooled.masked_fill(~there.unsqueeze(-1), 0).flatten(1))

    def token_regions(self, weight: Tensor, batch: PairBatch) -> Tensor:
        """Return where in the images weights of the places (Q, K, 6R) lie (Q, K, 2, R).

        A place of the difference is one of both images: its weight is halved.
        """
        main, reference, difference = weight.unflatten(2, (_IMAGES, 2, -1)).sum(3).unbind(2)
        return torch.stack([main, reference], dim=2) + difference.unsqueeze(2) / 2

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """Return where in the images the attention of the question lies (Q, 2, R), all of it 1."""
        assert reading.attention is not None
        return self.token_regions(reading.attention.unsqueeze(1), batch).squeeze(1)
