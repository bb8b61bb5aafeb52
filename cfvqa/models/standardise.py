"""Features and boxes of images on a common scale."""

import torch
from torch import Tensor, nn


class Standardise(nn.Module):
    """Map a region's features to zero mean and unit deviation over images, channel by channel.

    Features of a frozen network are mostly the same in every image of a region; what tells images apart is a small
    part of them, which a reader would take most of a training to find.

    Args:
        regions: R.
        width: D of the features.
    """

    def __init__(self, regions: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(regions, width))
        self.register_buffer("scale", torch.ones(regions, width))

    def fit(self, values: Tensor) -> None:
        """Take mean and deviation from features (N, R, D); channels that hardly vary are not blown up."""
        deviation = values.std(0, correction=0)
        self.mean.copy_(values.mean(0))
        self.scale.copy_(deviation.clamp(min=0.1 * float(deviation.mean()) + 1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """Standardise features (U, R, D)."""
        return ((values - self.mean) / self.scale).clamp(-6, 6)


def relative_boxes(box: Tensor) -> Tensor:
    """Return boxes (U, R, 4) as shares of the frame around all of them: free of the size and place of the image."""
    low, high = box[..., :2].amin(1, keepdim=True), box[..., 2:].amax(1, keepdim=True)
    extent = (high - low).clamp(min=1)
    return torch.cat([(box[..., :2] - low) / extent, (box[..., 2:] - low) / extent], dim=-1)
