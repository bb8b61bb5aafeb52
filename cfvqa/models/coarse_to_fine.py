"""The method: knowledge graphs of both images, difference encoders, a question encoder, an answer decoder.

features --graph--> nodes main, reference --difference encoder--> pair states (U, 62, D)
question --reader, cross-attention to the pair states--> question states
answer   <--writer, cross-attention to question states and pair states
"""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.models.difference import PairEncoder
from cfvqa.models.knowledge_graph import KnowledgeGraph
from cfvqa.models.outputs import Reading, image_shares
from cfvqa.models.text import TextTransformer
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

_UNSEEN = 1e-6  # probability of a finding at least: one that is seen nowhere is spread evenly


class CoarseToFine(nn.Module):
    """Answer questions about units of one or two images.

    Args:
        text: reads questions, writes answers; its width D is the model's.
        labels: tokens (62, L) of the node labels.
        region_width, finding_width: of the stored features.
        layers, heads, dropout: of the difference encoder.
        memory: "question_and_images" lets the writer see the pair states; "question" gives it the question
            states alone, as the published model does.
    """

    def __init__(
        self,
        *,
        text: TextTransformer,
        labels: Tokens,
        region_width: int,
        finding_width: int,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.1,
        memory: str = "question_and_images",
    ) -> None:
        super().__init__()
        width = text.settings.width
        self.text = text
        self.memory = memory
        self.label_norm = nn.LayerNorm(width)  # word embeddings are small: a label must weigh as much as a state
        self.register_buffer("label_ids", labels.ids)
        self.register_buffer("label_mask", labels.mask)
        self.graph = KnowledgeGraph(
            region_width=region_width, finding_width=finding_width, width=width, dropout=dropout
        )
        self.pair = PairEncoder(width=width, layers=layers, heads=heads, dropout=dropout)
        self.contrast = nn.Linear(width, width)
        self.match = nn.Linear(width, 2)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images, once before training."""
        self.graph.fit(features)

    def labels(self) -> Tensor:
        """Embed the 62 label texts (62, D), the mean of their words: once a batch, whatever it holds."""
        mask = self.label_mask.unsqueeze(-1).to(self.text.word_embeddings.weight.dtype)
        words = self.text.word_embeddings(self.label_ids) * mask
        return self.label_norm(words.sum(1) / mask.sum(1))

    def pair_states(self, batch: PairBatch) -> Tensor:
        """Return the states (U, 62, D) of the units."""
        labels = self.labels()
        main = self.graph(batch.main, labels)
        reference = self.graph(batch.reference[batch.has_reference], labels)
        return self.pair(main, reference, batch.has_reference) + labels

    def read(self, batch: PairBatch) -> Reading:
        """Read the questions; the images of a unit are encoded once for all its questions."""
        # Not by indexing: its gradient is gathered in no fixed order, and two runs would differ in their last digits.
        visual = self.pair_states(batch).index_select(0, batch.unit)
        mask = torch.ones(visual.shape[:2], dtype=torch.bool, device=visual.device)
        question, attention = self.text.read(batch.question, visual, mask)
        memory, memory_mask = question, batch.question.mask
        if self.memory == "question_and_images":
            memory, memory_mask = torch.cat([question, visual], 1), torch.cat([memory_mask, mask], 1)
        return Reading(visual, mask, question, memory, memory_mask, attention)

    def token_regions(self, weight: Tensor, batch: PairBatch) -> Tensor:
        """Return where in the images weights of the 62 nodes (Q, K, 62) lie (Q, K, 2, R).

        Every node is of both images. The weight of a finding is spread over the regions of both in proportion to its
        probability there; that of a region is halved.
        """
        regions, findings = weight.split([len(REGIONS), len(FINDINGS)], dim=-1)
        part = image_shares(batch)
        probability = torch.stack([batch.main.probability, batch.reference.probability], dim=1)[batch.unit]
        seen = (probability.to(regions.dtype) + _UNSEEN).masked_fill((part == 0)[..., None, None], 0)
        share = seen / seen.sum((1, 2), keepdim=True)  # (Q, 2, R, F)
        return part[:, None, :, None] * regions.unsqueeze(2) + torch.einsum("qirf,qkf->qkir", share, findings)

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """Return where in the images the attention of the question lies (Q, 2, R); most is paid to findings."""
        if reading.attention is None:
            return None
        return self.token_regions(reading.attention.unsqueeze(1), batch).squeeze(1)
