"""MCCFormers (Qiu et al., ICCV 2021): two images, one difference, a caption.

rows of main, reference --difference encoder (joint: S, crossed: D)--> pair states (U, 2R, 2 D)
answer <--captioner, cross-attention to the pair states and to the words of the question
"""

from typing import Literal

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch
from cfvqa.models.captioner import Captioner
from cfvqa.models.outputs import Reading, image_shares
from cfvqa.models.rows import ROWS, ReferenceRows, Rows
from cfvqa.models.writing import SpecialIds


class JointEncoder(nn.Module):
    """MCCFormers-S: self-attention over the rows of both images together (section 3.2 of the paper).

    Args:
        width: D of a row.
        layers, heads, inner, dropout: of the transformer; `inner` is the width inside a layer.
    """

    def __init__(self, *, width: int, layers: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, heads, inner, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, main: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Encode rows (U, N, D) of both images; both come back in their shape."""
        first, second = self.encoder(torch.cat([main, reference], dim=1)).chunk(2, dim=1)
        return first, second


class CrossEncoder(nn.Module):
    """MCCFormers-D: the rows of each image attend to those of the other, both with the same weights.

    Args:
        width, layers, heads, inner, dropout: as of `JointEncoder`.
    """

    def __init__(self, *, width: int, layers: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            CrossLayer(width=width, heads=heads, inner=inner, dropout=dropout) for _ in range(layers)
        )

    def forward(self, main: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Encode rows (U, N, D) of both images; both come back in their shape."""
        for layer in self.layers:
            main, reference = layer(main, reference), layer(reference, main)  # both from what was before
        return main, reference


class CrossLayer(nn.Module):
    """One layer of `CrossEncoder`: attention to the other image and a feed-forward part, normalised behind each.

    Args:
        width, heads, inner, dropout: as of `JointEncoder`.
    """

    def __init__(self, *, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.forward_part = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), nn.Dropout(dropout), nn.Linear(inner, width)
        )
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        """Return `own` (U, N, D) in the light of `other` (U, N, D)."""
        seen, _ = self.attention(own, other, other, need_weights=False)
        state = self.first_norm(own + self.dropout(seen))
        return self.second_norm(state + self.dropout(self.forward_part(state)))


_ENCODERS = {"joint": JointEncoder, "crossed": CrossEncoder}


class MCCFormers(nn.Module):
    """Caption the difference of two images.

    Args:
        vocabulary: number of tokens V.
        special: ids of special tokens.
        region_width, finding_width: of the stored features.
        encoder: "joint" is MCCFormers-S, "crossed" MCCFormers-D.
        width: D of a row; the captioner is twice as wide. Published: 512.
        inner: width inside a layer of the encoder. Published: 2,048.
        layers, heads, dropout: of the encoder.
        caption_layers, caption_heads: of the captioner.
        question: whether the captioner sees the words of the question too. The published model has no question: it
            was made for captions, and can then answer only one.
        max_length: tokens of an answer or question at most.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        special: SpecialIds,
        region_width: int,
        finding_width: int,
        encoder: Literal["joint", "crossed"] = "joint",
        width: int = 512,
        inner: int = 2048,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        caption_layers: int = 2,
        caption_heads: int = 4,
        question: bool = True,
        max_length: int = 128,
    ) -> None:
        super().__init__()
        self.asked = question
        self.rows = Rows(region_width=region_width, finding_width=finding_width, width=width)
        self.reference = ReferenceRows(width)
        # As large as the published embeddings begin, and as rows are: smaller ones would be overlooked beside them.
        self.position = nn.Parameter(torch.randn(ROWS, width))  # of a row in its image
        self.image = nn.Parameter(torch.randn(2, width))  # main, reference
        self.encoder = _ENCODERS[encoder](width=width, layers=layers, heads=heads, inner=inner, dropout=dropout)
        self.text = Captioner(
            vocabulary=vocabulary,
            special=special,
            width=2 * width,
            layers=caption_layers,
            heads=caption_heads,
            dropout=dropout,
            max_length=max_length,
        )

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images, once before training."""
        self.rows.fit(features)

    def pair_states(self, batch: PairBatch) -> Tensor:
        """Return the states (U, 2R, 2 D) of the units: both images joined on the features, row by row."""
        main = self.rows(batch.main)
        reference = self.reference(self.rows(batch.reference), batch.has_reference)
        place = self.position + self.image.unsqueeze(1)
        return torch.cat(self.encoder(main + place[0], reference + place[1]), dim=-1)

    def read(self, batch: PairBatch) -> Reading:
        """Read the images of the units; the words of the questions go to the captioner as they are."""
        visual = self.pair_states(batch).index_select(0, batch.unit)
        mask = torch.ones(visual.shape[:2], dtype=torch.bool, device=visual.device)
        question = self.text.embed(batch.question)
        memory, memory_mask = visual, mask
        if self.asked:
            memory, memory_mask = torch.cat([question, visual], 1), torch.cat([batch.question.mask, mask], 1)
        return Reading(visual, mask, question, memory, memory_mask, None)

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor:
        """Return where in the images the captioner looks before its first word (Q, 2, R); a row is of both images."""
        seen = self.text.first_attention(reading.memory, reading.memory_mask)[:, -reading.visual.shape[1] :]
        seen = seen / seen.sum(1, keepdim=True).clamp(min=1e-6)  # what it sees of the question is left out
        regions = sum(seen.chunk(2, dim=1))  # the row of the region and that of its findings
        return image_shares(batch).unsqueeze(-1) * regions.unsqueeze(1)
