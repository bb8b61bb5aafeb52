"""A small finding classifier: one pass of a shared trunk an image, RoIAlign for its 24 regions."""

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from cfvqa.vision.outputs import FindingOutput
from cfvqa.vision.trunk import Trunk
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS


class FindingHeads(nn.Module):
    """Findings, abnormal or normal, and severity of a region, from its feature.

    Args:
        width: D of the features.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.finding = nn.Linear(width, len(FINDINGS))
        self.abnormal = nn.Linear(width, 2)
        self.severity = nn.Linear(width, len(FINDINGS) * 2)
        nn.init.constant_(self.finding.bias, -3.0)  # most regions lack most findings

    def forward(self, feature: Tensor) -> FindingOutput:
        """Judge features (B, R, D)."""
        severity = self.severity(feature).view(*feature.shape[:2], len(FINDINGS), 2)
        return FindingOutput(
            logit=self.finding(feature).float(),
            abnormal=self.abnormal(feature).float(),
            severity=severity.float(),
            feature=feature.float(),
        )


class SharedTrunk(nn.Module):
    """Classify all regions of an image in one pass.

    Args:
        trunk: gives the map (B, C, h, w).
        channels: C.
        width: D of the finding features.
        cells: side of the grid that RoIAlign samples a region with.
        margin: share of its side by which a region is widened: findings at its edge stay in view.
    """

    def __init__(self, *, trunk: Trunk, channels: int, width: int = 256, cells: int = 4, margin: float = 0.1) -> None:
        super().__init__()
        self.trunk = trunk
        self.width = width
        self.cells = cells
        self.margin = margin
        self.region = nn.Parameter(torch.randn(len(REGIONS), width) * 0.02)
        # Fewer channels before the regions are cut out: RoIAlign and its gradient cost a third of a step else.
        self.reduce = nn.Sequential(nn.Conv2d(channels, channels // 2, 1), nn.ReLU(inplace=True))
        self.project = nn.Linear(channels // 2 * (cells * cells + 2), width)
        self.hidden = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Dropout(0.1))
        self.heads = FindingHeads(width=width)

    def classify(self, image: Tensor, box: Tensor) -> FindingOutput:
        """Classify the regions `box` (B, R, 4), frame pixels, of images (B, 1, S, S) uint8."""
        features = self.reduce(self.trunk(image))
        regions = self._align(features, box, image.shape[-1])  # (B * R, C / 2, cells, cells)
        pooled = torch.cat([regions.flatten(1), regions.amax((2, 3)), regions.mean((2, 3))], dim=1)
        feature = self.project(pooled).view(*box.shape[:2], self.width) + self.region
        return self.heads(self.hidden(feature))

    def _align(self, features: Tensor, box: Tensor, size: int) -> Tensor:
        sides = (box[..., 2:] - box[..., :2]) * self.margin
        wide = torch.cat([box[..., :2] - sides, box[..., 2:] + sides], -1).clamp(0, size)
        return roi_align(
            features,
            list(wide.to(features.dtype)),
            output_size=self.cells,
            spatial_scale=1 / self.trunk.stride,
            sampling_ratio=2,
            aligned=True,
        )
