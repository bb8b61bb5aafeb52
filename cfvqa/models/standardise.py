"""Features, boxes and predicted labels of images on a common scale, of about -3 to 3."""

import torch
from torch import Tensor, nn

from cfvqa.data.batches import ImageFeatures
from cfvqa.vocabulary.regions import REGIONS

BOX = 4
"""Numbers of a box: its edges."""


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

    def fit(self, values: Tensor, found: Tensor) -> None:
        """Take mean and deviation from features (N, R, D); channels that hardly vary are not blown up.

        A region that was not found (N, R) counts as an average one.
        """
        mean = torch.einsum("nrd,nr->rd", values, found.to(values.dtype)) / found.sum(0).clamp(min=1).unsqueeze(-1)
        values = torch.where(found.unsqueeze(-1), values, mean)
        deviation = values.std(0, correction=0)
        self.mean.copy_(values.mean(0))
        self.scale.copy_(deviation.clamp(min=0.1 * float(deviation.mean()) + 1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """Standardise features (U, R, D)."""
        return ((values - self.mean) / self.scale).clamp(-6, 6)


def relative_boxes(box: Tensor, found: Tensor) -> Tensor:
    """Return boxes (U, R, 4) as shares of the frame around all of them: free of the size and place of the image.

    Boxes of regions that were not found (U, R) do not count, and become zeros.
    """
    found = found.unsqueeze(-1)
    low = torch.where(found, box[..., :2], float("inf")).amin(1, keepdim=True)
    high = torch.where(found, box[..., 2:], float("-inf")).amax(1, keepdim=True)
    extent = (high - low).clamp(min=1)
    shares = torch.cat([(box[..., :2] - low) / extent, (box[..., 2:] - low) / extent], dim=-1)
    return torch.where(found, shares, 0.0)


class StandardisedImage(nn.Module):
    """What a part of a reader that reads images has: the scales of their features and boxes.

    Args:
        region_width, finding_width: of the stored features.
    """

    def __init__(self, *, region_width: int, finding_width: int) -> None:
        super().__init__()
        self.region = Standardise(len(REGIONS), region_width)
        self.finding = Standardise(len(REGIONS), finding_width)
        self.box = Standardise(len(REGIONS), BOX)

    def fit(self, features: ImageFeatures) -> None:
        """Take the statistics of the features of N training images; they become part of the weights."""
        self.region.fit(features.region, features.found)
        self.finding.fit(features.finding, features.found)
        self.box.fit(relative_boxes(features.box, features.found), features.found)

    def place(self, features: ImageFeatures) -> Tensor:
        """Return where the regions lie (U, R, 4), on the scale of their features."""
        return self.box(relative_boxes(features.box, features.found))


def log_odds(probability: Tensor) -> Tensor:
    """Return half of the log-odds of probabilities: what differs between small ones shows too."""
    return torch.logit(probability.float(), eps=1e-3).to(probability.dtype) / 2


def centred(probability: Tensor) -> Tensor:
    """Return probabilities spread over -3 to 3: as they are, features of width would drown them."""
    return 6 * probability - 3
