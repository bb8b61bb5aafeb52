"""Where findings are: boxes that readers drew, as labels of regions.

ChestX-ray14 and VinDr-CXR say of a whole image what is in it, and draw where, in no region. Without their boxes a
classifier has to find out by itself in which region it saw a finding (`finding_losses.pool_regions`); with them it is
told, in the boxes of the regions that the detector found. They are used to train and not to judge: the share of boxes
that the region of most attention overlaps says little where a lung is one region and overlaps most of them.
"""

import torch
from torch import Tensor

from cfvqa.data.batches import ImageBatch

_HALF = 0.5


def located_findings(batch: ImageBatch, box: Tensor) -> Tensor:
    """Return the labels of regions (B, R, F) int8: 1 present, 0 absent, -1 unknown.

    Labels of the batch stay. Where it has none, a finding that was drawn is present in the regions in which half of one
    of its boxes lies, and in those of which one of its boxes covers half; absent in those that none of its boxes
    touches; unknown in the others, and in a region that was not found. A finding that was not drawn stays unknown.

    Args:
        batch: images with drawn findings.
        box: (B, R, 4) the regions, in frame pixels.
    """
    if not len(batch.drawn_box):
        return batch.region_finding
    image, finding = batch.drawn_at.unbind(1)
    share = shares(batch.drawn_box.unsqueeze(1), box[image])  # (K, R)
    same = (batch.drawn_at.unsqueeze(0) == batch.drawn_at.unsqueeze(1)).all(-1)  # (K, K): boxes of one finding
    most = torch.where(same.unsqueeze(-1), share, 0).amax(1)
    label = torch.where(most >= _HALF, 1, torch.where(most > 0, -1, 0))
    label = torch.where(_area(box[image]) > 0, label, -1)
    located = torch.full_like(batch.region_finding, -1)
    located[image, :, finding] = label.to(located.dtype)
    return torch.where(batch.region_finding >= 0, batch.region_finding, located)


def shares(drawn: Tensor, region: Tensor) -> Tensor:
    """Return how much of a box lies in a region, or how much of the region in the box, whichever is more; (..., 4)."""
    sides = torch.minimum(drawn[..., 2:], region[..., 2:]) - torch.maximum(drawn[..., :2], region[..., :2])
    smaller = torch.minimum(_area(drawn), _area(region))
    return torch.where(smaller > 0, sides.clamp(min=0).prod(-1) / smaller.clamp(min=torch.finfo(smaller.dtype).tiny), 0)


def _area(box: Tensor) -> Tensor:
    return (box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1)
