"""How the rows of an image relate: the edges and the graph attention of EKAID (Hu et al., KDD 2023)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from cfvqa.data.batches import ImageFeatures
from cfvqa.models.standardise import relative_boxes
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.groups import GROUPS, finding_group, region_group
from cfvqa.vocabulary.regions import REGIONS

SPATIAL_LABELS = 12
"""0 no edge, 1 inside, 2 contains, 3 overlap, 4 to 11 the sectors of 45 degrees in which the other box lies."""
SEMANTIC_LABELS = 3
"""0 no edge, 1 a region and a finding of one knowledge group, 2 findings that occur together."""
GEOMETRY = 64
"""Numbers that describe how one box lies to another."""

_FAR = 2 / 3  # of the side of the frame: boxes whose centres are as far apart have no spatial edge
_OVERLAP = 0.5  # intersection over union
_PRESENT = 0.5  # probability of a finding
_TOGETHER = 0.18  # share of the images with a finding that have the other one too
_WAVES = 8  # of sine and cosine, a measure of geometry


def spatial_edges(box: Tensor) -> Tensor:
    """Return the labels (U, N, N) int64 of the edges from each box i to each box j.

    Args:
        box: (U, N, 4), x1, y1, x2, y2 as shares of the frame.
    """
    one, other = box.unsqueeze(2), box.unsqueeze(1)
    inside = (one[..., :2] > other[..., :2]).all(-1) & (one[..., 2:] < other[..., 2:]).all(-1)
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1)
    union = area.unsqueeze(2) + area.unsqueeze(1) - shared
    centre = (box[..., :2] + box[..., 2:]) / 2
    step = centre.unsqueeze(1) - centre.unsqueeze(2)  # from i to j
    angle = torch.rad2deg(torch.atan2(step[..., 1], step[..., 0])) % 360
    label = 4 + (angle / 45).floor().long().clamp(max=7)
    label = label.masked_fill(step.norm(dim=-1) >= _FAR, 0)
    label = label.masked_fill(shared >= _OVERLAP * union.clamp(min=1e-9), 3)
    label = label.masked_fill(inside.transpose(1, 2), 2)
    label = label.masked_fill(inside, 1)
    return label * ~torch.eye(box.shape[1], dtype=torch.bool, device=box.device)


def geometry(box: Tensor) -> Tensor:
    """Return how each box j lies to each box i (U, N, N, 64): logarithms of distances and sizes as sines and cosines.

    Args:
        box: as of `spatial_edges`.
    """
    centre, size = (box[..., :2] + box[..., 2:]) / 2, (box[..., 2:] - box[..., :2]).clamp(min=1e-3)
    apart = (centre.unsqueeze(1) - centre.unsqueeze(2)).abs() / size.unsqueeze(2)
    scale = size.unsqueeze(2) / size.unsqueeze(1)
    measure = torch.cat([apart.clamp(min=1e-3), scale], dim=-1).log()  # (U, N, N, 4)
    wave = 100 / 1000 ** (torch.arange(_WAVES, device=box.device) / _WAVES)
    phase = measure.unsqueeze(-1) * wave
    return torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(-2)


class SemanticEdges(nn.Module):
    """Label edges by knowledge: groups of regions and findings, and which findings occur together."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("region_groups", _one_hot([region_group(name) for name in REGIONS]))
        self.register_buffer("finding_groups", _one_hot([finding_group(name) for name in FINDINGS]))
        self.register_buffer("together", torch.zeros(len(FINDINGS), len(FINDINGS)))

    def fit(self, probability: Tensor) -> None:
        """Count on training images (N, R, F) which findings occur together: in more than 0.18 of those with one."""
        present = (probability.amax(1) >= _PRESENT).float()
        both = present.T @ present
        share = both / both.diagonal().unsqueeze(1).clamp(min=1)
        self.together.copy_((share > _TOGETHER) & ~torch.eye(len(share), dtype=torch.bool, device=share.device))

    def forward(self, probability: Tensor) -> Tensor:
        """Return the labels (U, 2R, 2R) int64 of the edges among rows of regions, then of findings.

        Args:
            probability: (U, R, F).
        """
        present = (probability >= _PRESENT).float()
        count, regions = present.shape[:2]
        known = (self.region_groups @ (present @ self.finding_groups).transpose(1, 2)) > 0  # region, findings of a row
        met = (present @ self.together @ present.transpose(1, 2)) > 0
        met = met | met.transpose(1, 2)
        label = torch.zeros(count, 2 * regions, 2 * regions, dtype=torch.long, device=probability.device)
        label[:, :regions, regions:] = known
        label[:, regions:, :regions] = known.transpose(1, 2)
        label[:, regions:, regions:] = 2 * (met & ~torch.eye(regions, dtype=torch.bool, device=met.device))
        return label


@dataclass(frozen=True)
class AskedNodes:
    """States of nodes, each in the light of a question about its image: a sum of one part of each.

    Of a sum, a linear layer is a sum. So it is computed once a node and once a question, and not for each node of each
    question, of which there are several times as many.

    Attributes:
        node: (U, N, D).
        question: (Q, D).
        unit: (Q,) int64, the image of a question.
    """

    node: Tensor
    question: Tensor
    unit: Tensor

    def through(self, layer: nn.Linear) -> "AskedNodes":
        """Return what the layer makes of the states."""
        return AskedNodes(layer(self.node), functional.linear(self.question, layer.weight), self.unit)

    def states(self) -> Tensor:
        """Return the states (Q, N, D)."""
        return self.node.index_select(0, self.unit) + self.question.unsqueeze(1)


class RelationEncoder(nn.Module):
    """Graph attention along one kind of relation, in both directions, aware of the question.

    Args:
        width: D of a node.
        heads, dropout: of the attention.
        labels: kinds of edges, 0 being none; None where every node is joined to all by its geometry.
    """

    def __init__(self, *, width: int, heads: int, dropout: float, labels: int | None) -> None:
        super().__init__()
        self.join = weight_norm(nn.Linear(2 * width, width), dim=None)
        self.itself = weight_norm(nn.Linear(width, width), dim=None)
        self.directions = nn.ModuleList(_Direction(width, heads, labels) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, asked: AskedNodes, edge: Tensor, there: Tensor) -> Tensor:
        """Return what the relation adds to the nodes of each question's image (Q, N, D).

        Args:
            asked: the nodes of U images (U, N, D), and the questions (Q, D).
            edge: labels (U, N, N), or geometry (U, N, N, 64).
            there: (U, N) bool; the others are nobody's neighbours.
        """
        state = self._joined(asked)
        out, back = self.directions
        seen = out(state, edge, there) + back(state, edge.transpose(1, 2), there)
        return torch.relu(self.dropout(state.through(self.itself).states() + seen))

    def _joined(self, asked: AskedNodes) -> AskedNodes:
        """Return one layer of node and question side by side, as the sum that it is."""
        of_node, of_question = self.join.weight.chunk(2, dim=1)
        node = functional.linear(asked.node, of_node, self.join.bias)
        return AskedNodes(node, functional.linear(asked.question, of_question), asked.unit)


class _Direction(nn.Module):
    """Attention along the edges of one direction; what is not projected is the value, as published."""

    def __init__(self, width: int, heads: int, labels: int | None) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads {heads} do not divide the width {width}")
        self.heads = heads
        self.query = weight_norm(nn.Linear(width, width), dim=None)
        self.key = weight_norm(nn.Linear(width, width), dim=None)
        self.output = weight_norm(nn.Linear(heads * width, width), dim=None)
        self.bias = nn.Embedding(labels, 1) if labels is not None else nn.Linear(GEOMETRY, heads)

    def forward(self, state: AskedNodes, edge: Tensor, there: Tensor) -> Tensor:
        """Return (Q, N, D): a node that has no neighbour receives what says nothing of any, the bias of the output."""
        query, key = (
            state.through(part).states().unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key)
        )  # (Q, H, N, D / H)
        bias, joined = self._edges(edge, there)
        score = query @ key.mT / math.sqrt(query.shape[-1]) + bias.index_select(0, state.unit)
        return self._collected(state, score.softmax(-1), joined.any(-1).index_select(0, state.unit))

    def _edges(self, edge: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Return what edges add to the scores (U, 1 or H, N, N), and which nodes are neighbours (U, N, N)."""
        if isinstance(self.bias, nn.Embedding):
            bias, joined = self.bias(edge).movedim(-1, 1), edge > 0
        else:
            bias = torch.relu(self.bias(edge)).clamp(min=1e-6).log().movedim(-1, 1)
            joined = torch.ones_like(edge[..., 0], dtype=torch.bool)
        joined = joined & there.unsqueeze(1)
        apart = torch.finfo(bias.dtype).min / 2  # finite with any score: of a node without neighbours, no NaN
        return bias.masked_fill(~joined.unsqueeze(1), apart), joined

    def _collected(self, state: AskedNodes, weight: Tensor, has_neighbours: Tensor) -> Tensor:
        """Return the output (Q, N, D) of the weighted sums of all heads side by side.

        Each head's part of the output is taken of the nodes before they are added up: once an image. The weights of a
        node add up to 1, so that the question's part is in the sum once.

        Args:
            state: the values.
            weight: (Q, H, N, N).
            has_neighbours: (Q, N) bool; the sum of the others is 0.
        """
        parts = self.output.weight.unflatten(1, (self.heads, -1))  # (D, H, D)
        value = torch.einsum("und,ehd->uhne", state.node, parts).flatten(1, 2).index_select(0, state.unit)
        asked = functional.linear(state.question, parts.sum(1)).unsqueeze(1)
        seen = weight.transpose(1, 2).flatten(2) @ value + asked
        return seen * has_neighbours.unsqueeze(-1) + self.output.bias


def row_boxes(features: ImageFeatures) -> Tensor:
    """Return the boxes (U, 2R, 4) of the rows, as shares of the frame: findings lie where their region does."""
    box = relative_boxes(features.box, features.found)
    return torch.cat([box, box], dim=1)


def _one_hot(groups: list[str | None]) -> Tensor:
    return torch.tensor([[float(group == name) for name in GROUPS] for group in groups])
