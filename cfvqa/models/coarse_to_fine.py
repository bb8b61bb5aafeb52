"""The method: knowledge graphs of both images, difference encoders, a question encoder, an answer decoder.

features --graph--> nodes main, reference --difference encoder--> pair states (U, 62, D)
question --reader, cross-attention to the pair states--> question states
answer   <--writer, cross-attention to question states and pair states
"""

from typing import Literal

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.models.difference import PairEncoder
from cfvqa.models.knowledge_graph import Edges
from cfvqa.models.nodes import NODES_OF_IMAGES, Nodes, NodeSettings
from cfvqa.models.outputs import Reading
from cfvqa.models.text import TextTransformer


class CoarseToFine(nn.Module):
    """Answer questions about units of one or two images.

    Args:
        text: reads questions, writes answers; its width D is the model's.
        labels: tokens (62, L) of the node labels.
        region_width, finding_width: of the stored features.
        layers, heads, dropout, inner: of the difference encoder; `inner`, the width inside a layer, is 2 D if None.
        graph_inner, graph_dropout: between the convolutions of the graph; None is D, and `dropout`.
        memory: "question_and_images" lets the writer see the pair states; "question" gives it the question
            states alone, as the published model does.
        nodes: what is compared. "graph": the knowledge graph, whose nodes hold the features; "rows": the features
            alone; "both": side by side, as published (there a graph of labels alone).
        encoders, join: see `PairEncoder`.
        edges: of the graph, by probability ("soft"), or where it is one half at least ("cut", as published).
        share: whether reader and writer share all but self-attention, as published.
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
        inner: int | None = None,
        graph_inner: int | None = None,
        graph_dropout: float | None = None,
        memory: Literal["question_and_images", "question"] = "question_and_images",
        nodes: Literal["graph", "rows", "both"] = "graph",
        encoders: Literal["shared", "separate"] = "shared",
        join: Literal["features", "tokens"] = "features",
        edges: Edges = "soft",
        share: bool = False,
    ) -> None:
        super().__init__()
        width = text.settings.width
        self.text = text
        if share:
            text.share_layers()
        self.memory = memory
        settings = NodeSettings(
            labels,
            region_width,
            finding_width,
            width=width,
            dropout=dropout if graph_dropout is None else graph_dropout,
            inner=graph_inner,
            edges=edges,
        )
        self.nodes: Nodes = NODES_OF_IMAGES[nodes](settings)
        self.pair = PairEncoder(
            width=width, layers=layers, heads=heads, dropout=dropout, inner=inner, encoders=encoders, join=join
        )
        self.contrast = nn.Linear(width, width)
        self.log_scale = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in ("coarse", "fine")})
        self.match = nn.Linear(width, 2)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images, once before training."""
        self.nodes.fit(features)

    def pair_states(self, batch: PairBatch) -> Tensor:
        """Return the states (U, N', D) of the units; N' is the number of nodes, or four times as many."""
        names = self.nodes.names(self.text.word_embeddings)
        mask = self.nodes.masks(len(batch.has_reference))
        main = self.nodes(batch.main, names, mask)
        there = batch.has_reference.nonzero().squeeze(1)
        reference = self.nodes(batch.reference[there], names, mask[there])
        return self.pair(main, reference, there) + names.repeat(self.pair.groups, 1)

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
        """Return where in the images weights of the visual tokens (Q, K, N') lie (Q, K, 2, R).

        Where the states of a node stand one behind the other (join "tokens": of the main image and its difference, of
        the reference image and its), their weights are added up, and the sum is what the node has in both images: by
        halves, as each state has seen the other image too.
        """
        return self.nodes.regions(weight.unflatten(2, (self.pair.groups, self.nodes.count)).sum(2), batch)

    def region_attention(self, reading: Reading, batch: PairBatch) -> Tensor | None:
        """Return where in the images the attention of the question lies (Q, 2, R); all of a question is 1."""
        assert reading.attention is not None
        return self.token_regions(reading.attention.unsqueeze(1), batch).squeeze(1)
