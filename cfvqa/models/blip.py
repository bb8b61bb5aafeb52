"""BLIP (Li et al., ICML 2022): one text transformer in three modes over the rows of both images.

[pool; main; reference; main - reference] --transformer over rows--> image tokens (U, 1 + 3 x 2R, D)
text       [CLS]: a text alone, for the contrast with the pooling token
grounded   [ENC]: a question, or an answer to be matched, with cross-attention to the image tokens
decoder    [DEC]: an answer word by word, with cross-attention to the states of the question
"""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.models.momentum import Momentum, TwoTowers
from cfvqa.models.outputs import Reading
from cfvqa.models.rows import ROWS, ReferenceRows, Rows
from cfvqa.models.text import TextTransformer

_PARTS = 3  # main, reference, their difference
_TEMPERATURE = 0.07  # published, at the start
_TOLD_APART = 0.5  # size of what says which image and which region a row is of, at the start; a row has size 1


class ImageEncoder(nn.Module):
    """Read the rows of both images and of their difference as tokens of one image.

    Args:
        region_width, finding_width: of the stored features.
        width: D of a token.
        layers, heads, dropout: of the transformer over the tokens.
    """

    def __init__(
        self, *, region_width: int, finding_width: int, width: int, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.rows = Rows(region_width=region_width, finding_width=finding_width, width=width)
        # Rows differ in size from one data set to the next: what tells them apart must be seen beside them. The
        # difference is taken behind the norm, so that a small one stays small.
        self.norm = nn.LayerNorm(width)
        self.reference = ReferenceRows(width)
        self.pool = nn.Parameter(torch.randn(width) * _TOLD_APART)
        self.part = nn.Parameter(torch.randn(_PARTS, 1, width) * _TOLD_APART)
        self.position = nn.Parameter(torch.randn(ROWS, width) * _TOLD_APART)  # of a row in its image
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, batch: PairBatch) -> Tensor:
        """Return tokens (U, 1 + 3 x 2R, D) of the units, the pooling token first."""
        main, other = (self.norm(self.rows(image)) for image in (batch.main, batch.reference))
        reference, difference = (self.reference(rows, batch.has_reference) for rows in (other, main - other))
        rows = torch.stack([main, reference, difference], dim=1) + self.part + self.position
        pool = self.pool.to(rows.dtype).expand(len(rows), 1, -1)
        return self.encoder(torch.cat([pool, rows.flatten(1, 2)], dim=1))


class BLIP(nn.Module):
    """Answer questions about units of one or two images.

    Args:
        text: reads questions and answers, writes answers; its width D is the model's.
        region_width, finding_width: of the stored features.
        layers, heads, dropout: of the transformer over the rows.
        space: width of the space where images and texts meet. Published: 256.
        queue: images and texts of earlier steps that a contrast sees. Published: 57,600.
        share: whether reader and writer share all but self-attention, as in the published pretraining. The published
            reader and writer of answers are separate; here both phases train one model, so that it is one or the other.
    """

    def __init__(
        self,
        *,
        text: TextTransformer,
        region_width: int,
        finding_width: int,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.1,
        space: int = 256,
        queue: int = 57_600,
        share: bool = False,
    ) -> None:
        super().__init__()
        width = text.settings.width
        if share:
            text.share_layers()
        self.text = text
        self.match = nn.Linear(width, 2)
        self.temperature = nn.Parameter(torch.tensor(_TEMPERATURE))
        images = ImageEncoder(
            region_width=region_width,
            finding_width=finding_width,
            width=width,
            layers=layers,
            heads=heads,
            dropout=dropout,
        )
        self.towers = TwoTowers(images=images, reader=text.reader, width=width, space=space, cls=text.special.cls)
        self.momentum = Momentum(self.towers, space=space, length=queue)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images, once before training."""
        for towers in (self.towers, self.momentum.towers):
            towers.images.rows.fit(features)

    def read(self, batch: PairBatch) -> Reading:
        """Read the questions in the light of the images; an answer is written from the states of its question."""
        visual = self.towers.images(batch).index_select(0, batch.unit)
        mask = torch.ones(visual.shape[:2], dtype=torch.bool, device=visual.device)
        question, attention = self.text.read(batch.question, visual, mask)
        return Reading(visual, mask, question, question, batch.question.mask, attention)

    def directions(self, reading: Reading, answer: Tokens) -> tuple[Tensor, Tensor]:
        """Return where the images of the questions and answers (Q, T) lie in the space of contrast (Q, E)."""
        return self.towers.image(reading.visual[:, 0]), self.towers.text(answer)

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """Return where in the images the attention of the question lies (Q, 2, R), all of it 1.

        That to rows of the difference is of both images by halves; that to the pooling token is left out.
        """
        assert reading.attention is not None
        main, reference, difference = reading.attention[:, 1:].unflatten(1, (_PARTS, 2, -1)).sum(2).unbind(1)
        there = batch.has_reference[batch.unit].unsqueeze(1)
        halves = difference / 2
        weight = torch.stack([main + halves * there, (reference + halves) * there], dim=1)
        return weight / weight.sum((1, 2), keepdim=True).clamp(min=1e-6)
