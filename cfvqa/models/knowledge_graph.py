"""The anatomy-finding knowledge graph of an image: 24 regions and 38 findings, 62 nodes."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cfvqa.data.batches import ImageFeatures, PairBatch, Tokens
from cfvqa.models.dropout import Dropout
from cfvqa.models.outputs import image_shares
from cfvqa.models.standardise import BOX, StandardisedImage, centred, log_odds
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.findings import label_text as finding_text
from cfvqa.vocabulary.regions import REGIONS
from cfvqa.vocabulary.regions import label_text as region_text

NODES = len(REGIONS) + len(FINDINGS)
Edges = Literal["soft", "cut"]
_LIKELY = 0.5  # probability of a finding from which the published graph has an edge
_UNSEEN = 1e-6  # probability of a finding at least: one that is seen nowhere is spread evenly


def node_texts() -> list[str]:
    """Return the label of each node: regions first, then findings."""
    return [region_text(region) for region in REGIONS] + [finding_text(finding) for finding in FINDINGS]


class NodeLabels(nn.Module):
    """The labels of the 62 nodes, the mean of their words: embedded once a batch, whatever it holds.

    Args:
        labels: tokens (62, L).
        width: D of the words.
    """

    def __init__(self, labels: Tokens, *, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)  # word embeddings are small: a label must weigh as much as a state
        self.register_buffer("ids", labels.ids)
        self.register_buffer("mask", labels.mask)

    def forward(self, words: nn.Embedding) -> Tensor:
        """Return the embedded labels (62, D)."""
        mask = self.mask.unsqueeze(-1).to(words.weight.dtype)
        return self.norm((words(self.ids) * mask).sum(1) / mask.sum(1))


def node_regions(weight: Tensor, batch: PairBatch) -> Tensor:
    """Return where in the images weights of the 62 nodes (Q, K, 62) lie (Q, K, 2, R).

    Every node is of both images. The weight of a finding is spread over the regions of both in proportion to its
    probability there; that of a region is halved.
    """
    regions, findings = weight.split([len(REGIONS), len(FINDINGS)], dim=-1)
    part = image_shares(batch)
    probability = torch.stack([batch.main.seen, batch.reference.seen], dim=1)[batch.unit]
    seen = (probability.to(regions.dtype) + _UNSEEN).masked_fill((part == 0)[..., None, None], 0)
    share = seen / seen.sum((1, 2), keepdim=True)  # (Q, 2, R, F)
    return part[:, None, :, None] * regions.unsqueeze(2) + torch.einsum("qirf,qkf->qkir", share, findings)


def adjacency(probability: Tensor, edges: Edges = "soft") -> Tensor:
    """Return the normalised adjacency (U, 62, 62) of the graph of each image.

    A region and a finding are joined by the probability of the finding there ("soft": it keeps what the classifier is
    unsure of), or if that is one half at least ("cut", as published). Symmetric, with self-loops, scaled as
    D^-1/2 (A + I) D^-1/2 (Kipf and Welling, ICLR 2017, equation 2).

    Args:
        probability: (U, R, F).
        edges: "soft" or "cut".
    """
    if edges == "cut":
        probability = (probability >= _LIKELY).to(probability.dtype)
    regions, findings = probability.shape[1:]
    matrix = probability.new_zeros(len(probability), regions + findings, regions + findings)
    matrix[:, :regions, regions:] = probability
    matrix[:, regions:, :regions] = probability.transpose(1, 2)
    matrix = matrix + torch.eye(regions + findings, device=probability.device, dtype=probability.dtype)
    scale = matrix.sum(-1).rsqrt()
    return scale.unsqueeze(-1) * matrix * scale.unsqueeze(-2)


class KnowledgeGraph(StandardisedImage):
    """Turn the features of an image into 62 node states.

    A region starts from its region and finding features and from where it lies; a finding starts from where it
    is likely: the finding features and the labels of the regions, weighted by its probability there. Every node
    knows its label and, a finding, how likely and how severe it is. Of a region that was not found the label is all
    that is known. Two graph convolutions follow.

    Args:
        region_width, finding_width: of the stored features.
        width: D of the nodes.
        dropout: between the convolutions.
        inner: width between the convolutions; None is D.
        edges: see `adjacency`.
    """

    def __init__(
        self,
        *,
        region_width: int,
        finding_width: int,
        width: int,
        dropout: float,
        inner: int | None = None,
        edges: Edges = "soft",
    ) -> None:
        super().__init__(region_width=region_width, finding_width=finding_width)
        self.edges = edges
        self.from_region = nn.Linear(region_width, width)
        self.from_finding = nn.Linear(finding_width, width)
        self.gate = nn.Linear(width, width)
        self.geometry = nn.Linear(BOX, width)
        self.whereabouts = nn.Linear(width, width)
        self.presence = nn.Linear(4, width)
        self.first = nn.Linear(width, inner or width)
        self.second = nn.Linear(inner or width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def masks(self, units: int) -> Tensor:
        """Draw what the graphs of each unit lose between their convolutions in training (U, 62, inner).

        It is the same for both images: were it not, equal images would differ.
        """
        return self.dropout(torch.ones(units, NODES, self.first.out_features, device=self.first.weight.device))

    def forward(self, features: ImageFeatures, labels: Tensor, mask: Tensor) -> Tensor:
        """Return node states (U, 62, D).

        Args:
            features: of U images.
            labels: (62, D) embedded label texts; embedded once, used for all images.
            mask: (U, 62, inner), of the units of the images.
        """
        probability = features.seen
        seen = self.from_finding(self.finding(features.finding))
        place = self.geometry(self.place(features))
        regions = self.from_region(self.region(features.region)) + seen + place
        regions = regions * features.found.unsqueeze(-1)
        share = probability / probability.sum(1, keepdim=True).clamp(min=1e-4)
        there = seen + self.whereabouts(labels[: len(REGIONS)])
        # An absent finding has nowhere to take features from: what is seen of it fades with its probability.
        seen_there = (share.transpose(1, 2) @ there) * probability.amax(1).unsqueeze(-1)
        findings = seen_there + self.presence(_presence(probability, features.severity))
        nodes = torch.cat([regions, findings], dim=1)
        nodes = nodes * (1 + self.gate(labels)) + labels
        matrix = adjacency(probability, self.edges)
        hidden = F.gelu(matrix @ self.first(nodes)) * mask
        return self.norm(nodes + matrix @ self.second(hidden))


def _presence(probability: Tensor, severity: Tensor) -> Tensor:
    """Return (U, F, 4): highest probability over the regions, its log-odds, and the severity."""
    highest = probability.amax(1)
    return torch.cat([torch.stack([centred(highest), log_odds(highest)], dim=-1), centred(severity)], dim=-1)
