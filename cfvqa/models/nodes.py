"""What a difference encoder compares: the nodes of an image, as a knowledge graph, as plain rows, or both."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.models.knowledge_graph import NODES, Edges, KnowledgeGraph, NodeLabels, node_regions
from cfvqa.models.outputs import image_shares
from cfvqa.models.rows import ROWS, Rows


@dataclass(frozen=True)
class NodeSettings:
    """What nodes are built from.

    Attributes:
        labels: tokens (62, L) of the label texts of the graph.
        region_width, finding_width: of the stored features.
        width: D.
        dropout: between the convolutions of the graph.
        inner: width there; None is D.
        edges: of the graph, see `knowledge_graph.adjacency`.
    """

    labels: Tokens
    region_width: int
    finding_width: int
    width: int
    dropout: float
    inner: int | None = None
    edges: Edges = "soft"


class Nodes(Protocol):
    """Turn images into N nodes each."""

    count: int
    """N."""

    def fit(self, features: ImageFeatures) -> None:
        """Take what it needs to know of the features of training images."""

    def names(self, words: nn.Embedding) -> Tensor:
        """Return what tells the nodes apart in every image (N, D): computed once a batch."""

    def masks(self, units: int) -> Tensor:
        """Draw what is lost in training of U units, the same of both images (U, ...)."""

    def __call__(self, features: ImageFeatures, names: Tensor, mask: Tensor) -> Tensor:
        """Return the nodes (U, N, D) of images, given the masks of their units."""

    def regions(self, weight: Tensor, batch: PairBatch) -> Tensor:
        """Return where in the images weights of their nodes (Q, K, N) lie (Q, K, 2, R)."""


class GraphNodes(nn.Module):
    """The 62 nodes of the knowledge graph, by their label texts."""

    count = NODES

    def __init__(self, settings: NodeSettings) -> None:
        super().__init__()
        self.labels = NodeLabels(settings.labels, width=settings.width)
        self.graph = KnowledgeGraph(
            region_width=settings.region_width,
            finding_width=settings.finding_width,
            width=settings.width,
            dropout=settings.dropout,
            inner=settings.inner,
            edges=settings.edges,
        )

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images."""
        self.graph.fit(features)

    def names(self, words: nn.Embedding) -> Tensor:
        """Return the embedded labels (62, D)."""
        return self.labels(words)

    def masks(self, units: int) -> Tensor:
        """Draw what the graphs of units lose in training (U, 62, inner)."""
        return self.graph.masks(units)

    def forward(self, features: ImageFeatures, names: Tensor, mask: Tensor) -> Tensor:
        """Return the nodes (U, 62, D)."""
        return self.graph(features, names, mask)

    def regions(self, weight: Tensor, batch: PairBatch) -> Tensor:
        """Return where in the images weights (Q, K, 62) lie (Q, K, 2, R)."""
        return node_regions(weight, batch)


class RowNodes(nn.Module):
    """The rows of the features alone: a region and the findings in it, without a graph."""

    count = ROWS

    def __init__(self, settings: NodeSettings) -> None:
        super().__init__()
        width = settings.width
        self.rows = Rows(region_width=settings.region_width, finding_width=settings.finding_width, width=width)
        self.name = nn.Parameter(torch.randn(ROWS, width))
        self.norm = nn.LayerNorm(width)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images."""
        self.rows.fit(features)

    def names(self, words: nn.Embedding) -> Tensor:
        """Return the learned names (48, D)."""
        return self.name

    def masks(self, units: int) -> Tensor:
        """Return that nothing is lost (U, 1, 1)."""
        return self.name.new_ones(units, 1, 1)

    def forward(self, features: ImageFeatures, names: Tensor, mask: Tensor) -> Tensor:
        """Return the nodes (U, 48, D)."""
        return self.norm(self.rows(features) + names)

    def regions(self, weight: Tensor, batch: PairBatch) -> Tensor:
        """Return where in the images weights (Q, K, 48) lie (Q, K, 2, R): both rows of a region are that region."""
        here, findings = weight.chunk(2, dim=2)
        return image_shares(batch)[:, None, :, None] * (here + findings).unsqueeze(2)


class RowsAndGraph(nn.Module):
    """Rows and graph side by side: 110 nodes.

    As published, but for what the nodes of the graph hold: there label texts alone, here features, boxes and severity
    too, as those of `GraphNodes`.
    """

    count = ROWS + NODES

    def __init__(self, settings: NodeSettings) -> None:
        super().__init__()
        self.parts = nn.ModuleList([RowNodes(settings), GraphNodes(settings)])

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of training images."""
        for part in self.parts:
            part.fit(features)

    def names(self, words: nn.Embedding) -> Tensor:
        """Return the names of both (110, D)."""
        return torch.cat([part.names(words) for part in self.parts])

    def masks(self, units: int) -> Tensor:
        """Draw what the graphs of units lose in training (U, 62, inner)."""
        return self.parts[1].masks(units)

    def forward(self, features: ImageFeatures, names: Tensor, mask: Tensor) -> Tensor:
        """Return the nodes (U, 110, D)."""
        own = names.split([part.count for part in self.parts])
        return torch.cat([part(features, name, mask) for part, name in zip(self.parts, own, strict=True)], dim=1)

    def regions(self, weight: Tensor, batch: PairBatch) -> Tensor:
        """Return where in the images weights (Q, K, 110) lie (Q, K, 2, R)."""
        own = weight.split([part.count for part in self.parts], dim=2)
        return sum(part.regions(share, batch) for part, share in zip(self.parts, own, strict=True))


NODES_OF_IMAGES = {"graph": GraphNodes, "rows": RowNodes, "both": RowsAndGraph}
"""Kinds of nodes by their names in configs."""
