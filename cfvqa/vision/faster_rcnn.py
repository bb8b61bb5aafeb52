"""The paper's kind of detector: torchvision's Faster R-CNN with a ResNet-50 feature pyramid."""

from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torchvision.models.detection import fasterrcnn_resnet50_fpn

from cfvqa.data.batches import ImageBatch
from cfvqa.errors import InputError
from cfvqa.vision.outputs import RegionOutput
from cfvqa.vision.trunk import standardise
from cfvqa.vocabulary.regions import REGIONS


class FasterRCNN(nn.Module):
    """Detect regions as classes; the best proposal of a class is the region.

    Args:
        weights: a state dictionary that a training starts from (a local file); null starts from random numbers.
        shortest_edge: to which torchvision scales the frame, in pixels (800 in the paper).
        proposals: kept by the region proposal network at inference (1,000 in the paper).
    """

    width = 1024

    def __init__(self, *, weights: str | None = None, shortest_edge: int = 800, proposals: int = 1000) -> None:
        super().__init__()
        self.network = fasterrcnn_resnet50_fpn(
            weights=None,
            weights_backbone=None,
            num_classes=len(REGIONS) + 1,
            min_size=shortest_edge,
            max_size=max(1333, shortest_edge),
            image_mean=[0.0] * 3,  # the frame is standardised already
            image_std=[1.0] * 3,
            rpn_post_nms_top_n_test=proposals,
        )
        self.weights = weights

    def start(self) -> None:
        """Load the weights to start from.

        Raises:
            InputError: if the file is missing, damaged, or holds the weights of another network.
        """
        if self.weights is None:
            return
        path = Path(self.weights)
        if not path.is_file():
            raise InputError(f"weights: no file {path}; give a local file or null")
        try:
            self.network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        except (OSError, RuntimeError, ValueError, TypeError, UnpicklingError) as error:
            raise InputError(f"weights: {path} is damaged, or of another network: give another file or null") from error

    def losses(self, batch: ImageBatch) -> dict[str, Tensor]:
        """Return the four losses of Faster R-CNN."""
        labels = torch.arange(1, len(REGIONS) + 1, device=batch.image.device)
        targets = [
            {"boxes": box[known], "labels": labels[known]}
            for box, known in zip(batch.box, batch.box_known, strict=True)
        ]
        return self.network(_three_channels(batch.image), targets)

    def detect(self, image: Tensor) -> RegionOutput:
        """Find the regions of images (B, 1, S, S) uint8.

        The feature of a region is what the box head says of its best proposal, just before the predictors.
        In an image without a proposal every region gets a zero box and score 0.
        """
        net = self.network
        sizes = [(image.shape[-2], image.shape[-1])] * len(image)
        images, _ = net.transform(_three_channels(image))
        maps = net.backbone(images.tensors)
        proposals, _ = net.rpn(images, maps)
        pooled = net.roi_heads.box_roi_pool(maps, proposals, images.image_sizes)
        feature = net.roi_heads.box_head(pooled)
        logits, deltas = net.roi_heads.box_predictor(feature)
        boxes = net.roi_heads.box_coder.decode(deltas, proposals)
        counts = [len(p) for p in proposals]
        best = [
            _best_of_each_region(*parts)
            for parts in zip(boxes.split(counts), logits.softmax(-1).split(counts), feature.split(counts), strict=True)
        ]
        scale = torch.tensor(
            [[s[1] / w, s[0] / h] * 2 for s, (h, w) in zip(sizes, images.image_sizes, strict=True)],
            device=image.device,
        )
        box = torch.stack([b for b, _, _ in best]) * scale[:, None]
        return RegionOutput(
            box=box.clamp(0, image.shape[-1]),
            score=torch.stack([s for _, s, _ in best]),
            feature=torch.stack([f for _, _, f in best]),
        )


def _best_of_each_region(box: Tensor, probability: Tensor, feature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pick the proposal of each region that has the highest probability of it.

    Suppressing overlapping proposals of a region would never take its best one.

    Args:
        box: of each proposal as each class (P, 1 + R, 4), the background first.
        probability: (P, 1 + R).
        feature: (P, D).

    Returns:
        Box (R, 4), score (R,) and feature (R, D); zeros where there is no proposal.
    """
    regions = probability.shape[1] - 1
    if not len(probability):
        return box.new_zeros(regions, 4), probability.new_zeros(regions), feature.new_zeros(regions, feature.shape[1])
    score, best = probability[:, 1:].max(0)
    return box[best, torch.arange(1, regions + 1, device=box.device)], score, feature[best]


def _three_channels(image: Tensor) -> list[Tensor]:
    return list(standardise(image).expand(-1, 3, -1, -1))
