"""EKAID (Hu et al., KDD 2023): relations among the rows of each image, their difference, a speaker.

rows of main, reference --three relation encoders, aware of the question--> nodes
nodes, their difference --change attention--> three vectors: main, reference, what differs
answer <--speaker, two LSTM cells, which mixes the three
"""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.models.outputs import Reading
from cfvqa.models.relations import (
    SEMANTIC_LABELS,
    SPATIAL_LABELS,
    AskedNodes,
    RelationEncoder,
    SemanticEdges,
    geometry,
    row_boxes,
    spatial_edges,
)
from cfvqa.models.rows import ReferenceRows, Rows, found_rows
from cfvqa.models.speaker import Speaker
from cfvqa.models.writing import SpecialIds

_RELATIONS = 3


class QuestionEncoder(nn.Module):
    """Read the words of a question one after the other, and pool them by attention.

    Args:
        vocabulary: number of tokens.
        word_width: of a word.
        width: D.
        dropout: of the pooled state.
    """

    def __init__(self, *, vocabulary: int, word_width: int, width: int, dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, word_width)
        self.reader = nn.GRU(word_width, width, batch_first=True)
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: Tokens) -> tuple[Tensor, Tensor]:
        """Return the pooled question (Q, D) and the states of its words (Q, T, D)."""
        states, _ = self.reader(self.words(text.ids))
        score = self.score(states).squeeze(-1).masked_fill(~text.mask, float("-inf"))
        return self.dropout((score.softmax(1).unsqueeze(1) @ states).squeeze(1)), states


class ChangeAttention(nn.Module):
    """Weigh the nodes of an image by what they and their difference say, and add them up.

    Args:
        width: D.
        inner: width of the judgement.
        dropout: of the gated context and the judgement.
    """

    def __init__(self, *, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.content = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.gate = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.judge = nn.Sequential(
            nn.Linear(3 * width, inner), nn.Dropout(dropout), nn.ReLU(), nn.Linear(inner, 1), nn.Sigmoid()
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, node: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum (Q, D) of the nodes (Q, N, D) and the weight (Q, N) of each."""
        content = torch.tanh(self.content[0](difference) + self.content[1](node))
        gate = torch.sigmoid(self.gate[0](difference) + self.gate[1](node))
        context = self.dropout(content) * self.dropout(gate)
        weight = self.judge(torch.cat([node, difference, context], dim=-1)).squeeze(-1)
        return (weight.unsqueeze(1) @ node).squeeze(1), weight


class EKAID(nn.Module):
    """Answer questions about units of one or two images.

    Args:
        vocabulary: number of tokens V.
        special: ids of special tokens.
        region_width, finding_width: of the stored features.
        width: D of a node. Published: 1,024.
        heads: of the graph attention.
        word_width: of a word. Published: 300.
        state_width: of the speaker. Published: 512.
        inner: width of the judgement of changes. Published: 128.
        dropout: everywhere. Published: 0.5.
        relations: weights of the spatial, the semantic and the implicit relation.

    Raises:
        ValueError: if heads do not divide the width, or relations are not three.
    """

    attends = True  # each node by itself: the sum is what `objectives.sparse_attention` keeps small

    def __init__(
        self,
        *,
        vocabulary: int,
        special: SpecialIds,
        region_width: int,
        finding_width: int,
        width: int = 1024,
        heads: int = 4,
        word_width: int = 300,
        state_width: int = 512,
        inner: int = 128,
        dropout: float = 0.5,
        relations: tuple[float, float, float] = (0.333, 0.333, 0.334),
    ) -> None:
        super().__init__()
        if len(relations) != _RELATIONS:
            raise ValueError(f"relations {[*relations]} are not {_RELATIONS} weights: spatial, semantic, implicit")
        self.shares = tuple(relations)
        self.rows = Rows(region_width=region_width, finding_width=finding_width, width=width)
        self.reference = ReferenceRows(width)
        self.question = QuestionEncoder(
            vocabulary=vocabulary, word_width=word_width, width=width, dropout=min(dropout, 0.2)
        )
        self.semantic_edges = SemanticEdges()
        self.spatial, self.semantic, self.implicit = (
            RelationEncoder(width=width, heads=heads, dropout=dropout, labels=labels)
            for labels in (SPATIAL_LABELS, SEMANTIC_LABELS, None)
        )
        self.change = ChangeAttention(width=width, inner=inner, dropout=dropout)
        self.text = Speaker(
            vocabulary=vocabulary,
            special=special,
            width=width,
            state_width=state_width,
            word_width=word_width,
            dropout=dropout,
        )

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images, and which findings occur together there."""
        self.rows.fit(features)
        self.semantic_edges.fit(features.seen)

    def nodes(self, rows: Tensor, features: ImageFeatures, question: Tensor, unit: Tensor) -> Tensor:
        """Return the nodes (Q, N, D) of the images of the units, each in the light of a question about it.

        Those of a region that was not found are zero.

        Args:
            rows: (U, N, D).
            features: of U images.
            question: (Q, D).
            unit: (Q,) int64, the unit of a question.
        """
        box, there = row_boxes(features), found_rows(features)
        asked, node = AskedNodes(rows, question, unit), rows.index_select(0, unit)
        ways = (
            (self.spatial, spatial_edges(box)),
            (self.semantic, self.semantic_edges(features.seen)),
            (self.implicit, geometry(box)),
        )
        mixed = [
            share * (node + encoder(asked, edge, there))
            for share, (encoder, edge) in zip(self.shares, ways, strict=True)
        ]
        return sum(mixed[1:], mixed[0]) * there.index_select(0, unit).unsqueeze(-1)

    def read(self, batch: PairBatch) -> Reading:
        """Read the questions: what differs depends on what is asked."""
        question, states = self.question(batch.question)
        main = self.nodes(self.rows(batch.main), batch.main, question, batch.unit)
        reference = self._reference_nodes(batch, question, like=main)
        difference = reference - main
        first, first_weight = self.change(main, difference)
        second, second_weight = self.change(reference, difference)
        memory = torch.stack([first, second, second - first], dim=1)
        visual = torch.cat([main, reference], dim=1)
        there = found_rows(batch.reference) & batch.has_reference.unsqueeze(1)
        mask = torch.cat([found_rows(batch.main), there], dim=1)[batch.unit]
        attention = torch.cat([first_weight, second_weight], dim=1) * mask
        return Reading(visual, mask, states, memory, torch.ones_like(memory[..., 0], dtype=torch.bool), attention)

    def _reference_nodes(self, batch: PairBatch, question: Tensor, *, like: Tensor) -> Tensor:
        """Return the nodes (Q, N, D) of the reference images, and a learned one where there is none."""
        there = batch.has_reference[batch.unit]
        features = batch.reference[batch.has_reference]
        unit = (batch.has_reference.cumsum(0) - 1)[batch.unit[there]]
        found = self.nodes(self.rows(features), features, question[there], unit)
        nodes = torch.zeros_like(like, dtype=found.dtype)
        nodes[there] = found
        return self.reference(nodes, there)

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """Return where in the images the attention lies (Q, 2, R), all of it 1."""
        if reading.attention is None:
            return None
        weight = reading.attention.unflatten(1, (2, 2, -1)).sum(2)  # image, kind of row, region
        return weight / weight.sum((1, 2), keepdim=True).clamp(min=1e-6)
