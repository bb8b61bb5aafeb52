"""The module of the finding classifier: where its detector works."""

import pytest
import torch
from torch import nn

from cfvqa.data.batches import ImageBatch
from cfvqa.training.vision_modules import FindingsModule
from cfvqa.vision.outputs import RegionOutput


class DetectedError(Exception):
    """Says that boxes were found, and on which device."""


class Detector(nn.Module):
    """Finds boxes on the device on which its weights are."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 24, 4))

    def detect(self, image):
        return RegionOutput(box=self.weight, score=image, feature=image)


class Classifier(nn.Module):
    """Has weights on a device, and says where the boxes are that it gets."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, device="meta"))

    def classify(self, image, box):
        raise DetectedError(box.device.type)


def test_validation_detects_on_the_device_of_the_classifier():
    module = FindingsModule(Classifier(), Detector(), learning_rate=1.0, weight_decay=0.0).to("meta")
    with torch.device("meta"):
        known = torch.zeros(1, 24, dtype=torch.bool)
        finding, image = torch.zeros(1, 24, 38), torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
        batch = ImageBatch(image, torch.zeros(1, 24, 4), known, finding, finding[:, 0], finding[:, 0], known[:, 0])
    with pytest.raises(DetectedError, match="meta"):
        module.validation_step(batch, 0)
