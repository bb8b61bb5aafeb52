"""A siamese reader: both images through one encoder, a comparison finding by finding, answers by the grammar.

features --graph--> nodes of main, of reference --finding states--> change head --> the answer about changes
question --reader, cross-attention to the nodes--> question states --writer--> every other answer

What has changed is decided for every finding and then written in the published sentences: such an answer always parses,
and with the images exchanged it is exchanged too.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.language.change_labels import changes_of_labels
from cfvqa.language.grammar import write_changes
from cfvqa.language.tokenizer import Tokenizer
from cfvqa.models.change_head import ChangeHead, ChangeLogits, PairDropout
from cfvqa.models.knowledge_graph import NODES
from cfvqa.models.nodes import GraphNodes, NodeSettings
from cfvqa.models.outputs import Reading
from cfvqa.models.text import TextTransformer
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, FINDING_INDEX, NODE_OF_ANSWER
from cfvqa.vocabulary.regions import REGIONS

_OWN_NODE = 4.0  # log of how much more a finding looks at its own node than at another, in the beginning


class FindingStates(nn.Module):
    """States of the findings that answers name: each looks at the nodes of an image, first of all at its own.

    Args:
        width: D.
        dropout: of the hidden layer.
    """

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.look = nn.Parameter(_own_nodes() * _OWN_NODE)
        self.name = nn.Parameter(torch.randn(len(ANSWER_FINDINGS), width) * 0.02)
        self.refine = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            PairDropout(dropout),
            nn.Linear(2 * width, width),
        )
        self.norm = nn.LayerNorm(width)

    def share(self) -> Tensor:
        """Return (A, 62): how much of a finding's state comes from each node."""
        return self.look.softmax(-1)

    def forward(self, nodes: Tensor) -> Tensor:
        """Map nodes (U, 2, 62, D) of the images of units to states (U, 2, A, D)."""
        seen = self.share() @ nodes + self.name
        return self.norm(seen + self.refine(seen))


class Siamese(nn.Module):
    """Answer questions about units of one or two images.

    Args:
        text: reads questions, writes answers; its width D is the model's.
        tokenizer: of the answers that are put together by the grammar.
        labels: tokens (62, L) of the node labels.
        region_width, finding_width: of the stored features.
        dropout: of the graph and the comparison.
    """

    def __init__(
        self,
        *,
        text: TextTransformer,
        tokenizer: Tokenizer,
        labels: Tokens,
        region_width: int,
        finding_width: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        width = text.settings.width
        self.text = text
        self.tokenizer = tokenizer
        self.nodes = GraphNodes(NodeSettings(labels, region_width, finding_width, width=width, dropout=dropout))
        self.finding_states = FindingStates(width=width, dropout=dropout)
        self.change_head = ChangeHead(width=width, dropout=dropout)
        self.which = nn.Parameter(torch.randn(2, width) * 0.02)
        self.asked = nn.Linear(width, 1)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images, once before training."""
        self.nodes.fit(features)

    def read(self, batch: PairBatch) -> Reading:
        """Read the questions; the images of a unit are encoded once for all its questions."""
        names = self.nodes.names(self.text.word_embeddings)
        # A unit without a reference has its main image in that place, which nothing below looks at.
        mask = self.nodes.masks(len(batch.has_reference))
        main, reference = self.nodes(batch.main, names, mask), self.nodes(batch.reference, names, mask)
        changes = self.change_head(*self.finding_states(torch.stack([main, reference], dim=1)).unbind(1))
        visual = torch.cat([main + self.which[0], reference + self.which[1]], dim=1).index_select(0, batch.unit)
        there = torch.stack([torch.ones_like(batch.has_reference), batch.has_reference], dim=1)
        mask = there.repeat_interleave(NODES, dim=1).index_select(0, batch.unit)
        question, attention = self.text.read(batch.question, visual, mask)
        memory = torch.cat([question, visual], dim=1), torch.cat([batch.question.mask, mask], dim=1)
        return Reading(visual, mask, question, *memory, attention, changes.index_select(batch.unit))

    def asks_for_change(self, reading: Reading) -> Tensor:
        """Return logits (Q,): whether a question asks what has changed.

        The question is read beside the images: exchanging them moves a logit (a trained reader's by 1e-4 of it).
        """
        return self.asked(reading.question[:, 0]).squeeze(-1)

    def answer(self, reading: Reading, batch: PairBatch, **decoding: Any) -> tuple[Tensor, Tensor]:
        """Answer what has changed by the change head, and every other question by the writer.

        Returns:
            Ids (Q, T) that begin behind [DEC], and scores (Q,): the probability of all that is said of changes, or
            the mean probability of the written tokens.
        """
        composed = self._is_composed(reading, batch)
        scores = reading.memory.new_zeros(len(composed), dtype=torch.float)
        parts: list[tuple[Tensor, Tensor]] = []
        if composed.any():
            labels, scores[composed] = _changes_of(reading).index_select(composed.nonzero().squeeze(1)).decide()
            parts.append((composed, self._compose(labels)))
        if not composed.all():
            rest = ~composed
            ids, scores[rest] = self.text.generate(reading.memory[rest], reading.memory_mask[rest], **decoding)
            parts.append((rest, ids))
        length = max(ids.shape[1] for _, ids in parts)
        whole = torch.full((len(composed), length), self.text.special.pad, device=composed.device)
        for rows, ids in parts:
            whole[rows] = F.pad(ids, (0, length - ids.shape[1]), value=self.text.special.pad)
        return whole, scores

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """Return where in the images an answer comes from (Q, 2, R); all of it is 1.

        An answer about changes comes from the nodes of the findings, each by the probability that it has changed; any
        other from where the question looks.
        """
        assert reading.attention is not None
        looked = reading.attention.unflatten(1, (2, NODES)).sum(1)
        changed = 1 - _changes_of(reading).kind.float().softmax(-1)[..., 0]
        total = changed.sum(1, keepdim=True).clamp(min=torch.finfo(changed.dtype).tiny)  # 0 where none can have changed
        evidence = (changed / total).to(looked.dtype) @ self.finding_states.share()
        composed = self._is_composed(reading, batch).unsqueeze(1)
        return self.nodes.regions(torch.where(composed, evidence, looked).unsqueeze(1), batch).squeeze(1)

    def _is_composed(self, reading: Reading, batch: PairBatch) -> Tensor:
        return (self.asks_for_change(reading) > 0) & batch.has_reference[batch.unit]

    def _compose(self, labels: Tensor) -> Tensor:
        """Return the ids (P, T), behind [DEC], of the sentences that say what labels (P, A, 3) mean."""
        texts = [write_changes(changes_of_labels(row)) for row in labels.cpu().numpy()]
        longest = 2 + max(map(len, texts))  # no token but the first and the last is shorter than a character
        ids, _ = self.tokenizer.encode(texts, max_length=longest, first="[DEC]")
        return torch.from_numpy(ids[:, 1:].copy()).to(labels.device)


def _changes_of(reading: Reading) -> ChangeLogits:
    assert reading.changes is not None
    return reading.changes


def _own_nodes() -> Tensor:
    """Return (A, 62): one at the node that shows a finding; a finding that has none looks at all alike."""
    own = torch.zeros(len(ANSWER_FINDINGS), NODES)
    for row, name in enumerate(ANSWER_FINDINGS):
        if name in NODE_OF_ANSWER:
            own[row, len(REGIONS) + FINDING_INDEX[NODE_OF_ANSWER[name]]] = 1
    return own
