"""A small detector: one learned query a region, so that every region occurs at most once.

Each query attends over the positions of the trunk's map; its box is the attended mean of what the positions
say. There is nothing to match and nothing to suppress, and a CPU trains it within minutes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss, roi_align

from cfvqa.data.batches import ImageBatch
from cfvqa.vision.outputs import RegionOutput
from cfvqa.vision.trunk import Trunk
from cfvqa.vocabulary.regions import REGIONS


class RegionQueries(nn.Module):
    """Detect the R regions with R learned queries.

    Args:
        trunk: gives the map (B, C, h, w).
        channels: C.
        width: of the region features.
    """

    def __init__(self, *, trunk: Trunk, channels: int, width: int) -> None:
        super().__init__()
        regions = len(REGIONS)
        self.trunk = trunk
        self.width = width
        self.heat = nn.Conv2d(channels, regions, 1)
        self.offset = nn.Conv2d(channels, regions * 4, 1)
        self.feature = nn.Sequential(nn.Linear(channels * 2, width), nn.GELU(), nn.LayerNorm(width))
        self.present = nn.Linear(width, 1)
        # Sides of the box around a position start at a tenth of the frame.
        nn.init.constant_(self.offset.bias, 0.1)

    def forward(self, image: Tensor) -> RegionOutput:
        """Find the regions of images (B, 1, S, S) uint8; `score` holds logits here."""
        features = self.trunk(image)
        attention = self.heat(features).flatten(2).softmax(-1)
        box = self._boxes(features, attention) * image.shape[-1]
        attended = torch.einsum("brp,bcp->brc", attention, features.flatten(2))
        pooled = _pool(features, box.detach(), self.trunk.stride)
        feature = self.feature(torch.cat([attended, pooled], dim=-1))
        return RegionOutput(box=box, score=self.present(feature).squeeze(-1), feature=feature)

    def _boxes(self, features: Tensor, attention: Tensor) -> Tensor:
        """Return boxes (B, R, 4) as shares of the frame: attended mean position, less and plus its sides."""
        batch, _, height, width = features.shape
        offset = self.offset(features).view(batch, len(REGIONS), 4, height * width)
        y, x = torch.meshgrid(
            (torch.arange(height, device=features.device) + 0.5) / height,
            (torch.arange(width, device=features.device) + 0.5) / width,
            indexing="ij",
        )
        position = torch.stack([x, y, x, y]).flatten(1)  # (4, P)
        sign = torch.tensor([-1.0, -1.0, 1.0, 1.0], device=features.device).view(1, 1, 4, 1)
        corners = position + sign * offset
        box = (corners * attention.unsqueeze(2)).sum(-1)
        return torch.cat([torch.minimum(box[..., :2], box[..., 2:]), torch.maximum(box[..., :2], box[..., 2:])], -1)

    def losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return box distance, generalised IoU and presence losses."""
        output = self(batch.image)
        known, size = batch.box_known, batch.image.shape[-1]
        predicted, truth = output.box[known].float(), batch.box[known]
        return {
            "box": 5 * F.l1_loss(predicted / size, truth / size),
            "giou": generalized_box_iou_loss(predicted, truth, reduction="mean"),
            "present": F.binary_cross_entropy_with_logits(output.score.float(), known.float()),
        }

    def detect(self, image: Tensor) -> RegionOutput:
        """Find the regions of images (B, 1, S, S) uint8."""
        output = self(image)
        box = output.box.float().clamp(0, image.shape[-1])
        return RegionOutput(box=box, score=output.score.float().sigmoid(), feature=output.feature.float())


def _pool(features: Tensor, box: Tensor, stride: int) -> Tensor:
    """Return the mean of the map inside every box: (B, R, C)."""
    pooled = roi_align(features.float(), list(box.float()), output_size=3, spatial_scale=1 / stride, sampling_ratio=1)
    return pooled.mean((2, 3)).view(*box.shape[:2], -1)
