"""The paper's kind of finding classifier: a ResNet-101 over 224-pixel crops, one pass a region."""

import torch
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50, resnet101
from torchvision.ops import roi_align

from cfvqa.vision.outputs import FindingOutput
from cfvqa.vision.shared_trunk import FindingHeads
from cfvqa.vision.trunk import standardise
from cfvqa.vocabulary.regions import REGIONS

_NETWORKS = {"resnet18": resnet18, "resnet50": resnet50, "resnet101": resnet101}


class RegionCrops(nn.Module):
    """Crop every region, scale it to `crop` pixels, and run a whole ResNet over it.

    Args:
        network: resnet101 (the paper's), resnet50 or resnet18, from random numbers.
        width: D of the finding features (1,024 in the paper).
        crop: side of a crop in pixels.
    """

    def __init__(self, *, network: str = "resnet101", width: int = 1024, crop: int = 224) -> None:
        super().__init__()
        self.width = width
        self.crop = crop
        self.trunk = _NETWORKS[network](weights=None)
        self.trunk.fc = nn.Linear(self.trunk.fc.in_features, width)
        self.region = nn.Embedding(len(REGIONS), width)
        self.heads = FindingHeads(width=width)

    def classify(self, image: Tensor, box: Tensor) -> FindingOutput:
        """Classify the regions `box` (B, R, 4), frame pixels, of images (B, 1, S, S) uint8.

        The finding feature is the trunk's output f; the heads see f plus the embedding of the region.
        """
        crops = roi_align(standardise(image), list(box.float()), output_size=self.crop, aligned=True)
        feature = self.trunk(crops.expand(-1, 3, -1, -1)).view(*box.shape[:2], self.width)
        regions = torch.arange(len(REGIONS), device=image.device)
        output = self.heads(feature + self.region(regions))
        return FindingOutput(output.logit, output.abnormal, output.severity, feature.float())
