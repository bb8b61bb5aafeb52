"""What detectors and classifiers return, whichever they are."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from cfvqa.data.batches import ImageBatch


@dataclass
class RegionOutput:
    """The regions of B images; region r of every image is the one of `vocabulary.regions.REGIONS`.

    Attributes:
        box: (B, R, 4) x1, y1, x2, y2 in frame pixels.
        score: (B, R) in 0..1, confidence that the region is in the image.
        feature: (B, R, D) region features.
    """

    box: Tensor
    score: Tensor
    feature: Tensor


@dataclass
class FindingOutput:
    """What is in the regions of B images.

    Attributes:
        logit: (B, R, F) findings.
        abnormal: (B, R, 2) logits of normal, abnormal.
        severity: (B, R, F, 2) logits of "at least moderate", "at least severe".
        feature: (B, R, D) features before the heads.
    """

    logit: Tensor
    abnormal: Tensor
    severity: Tensor
    feature: Tensor


@runtime_checkable
class Starting(Protocol):
    """A network that a training can start from the weights of a file; where they are stored, it is not read."""

    def start(self) -> None:
        """Load the weights to start from, if there are any."""


@runtime_checkable
class AnatomyDetector(Protocol):
    """A network that finds every region at most once."""

    width: int
    """Width D of the region features."""

    def losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the training losses by name."""

    def detect(self, image: Tensor) -> RegionOutput:
        """Find the regions of images (B, 1, S, S) uint8."""


@runtime_checkable
class FindingClassifier(Protocol):
    """A network that names the findings in given regions."""

    width: int
    """Width D of the finding features."""

    def classify(self, image: Tensor, box: Tensor) -> FindingOutput:
        """Classify the regions `box` (B, R, 4), frame pixels, of images (B, 1, S, S) uint8."""
