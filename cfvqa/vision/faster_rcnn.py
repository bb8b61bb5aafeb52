"""The paper's kind of detector: torchvision's Faster R-CNN with a ResNet-50 feature pyramid."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.ops import batched_nms

from cfvqa.data.batches import ImageBatch
from cfvqa.errors import InputError
from cfvqa.vision.outputs import RegionOutput
from cfvqa.vision.trunk import standardise
from cfvqa.vocabulary.regions import REGIONS


class FasterRCNN(nn.Module):
    """Detect regions as classes; the best proposal of a class is the region.

    Args:
        weights: a state dictionary to start from (a local file); null starts from random numbers.
        shortest_edge: to which torchvision scales the frame, in pixels (800 in the paper).
        iou: overlap above which the weaker of two proposals of one region goes (.5 in the paper).
        proposals: kept by the region proposal network at inference (1,000 in the paper).
    """

    width = 1024

    def __init__(
        self, *, weights: str | None = None, shortest_edge: int = 800, iou: float = 0.5, proposals: int = 1000
    ) -> None:
        super().__init__()
        self.iou = iou
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
        if weights is not None:
            self._load(Path(weights))

    def _load(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"detector.network.weights: no file {path}; give a local file or null")
        self.network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))

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
        A region without a proposal gets a zero box and score 0.
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
            self._best(*parts)
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

    def _best(self, box: Tensor, probability: Tensor, feature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pick the best proposal of each region: (R, 4), (R,), (R, 1024)."""
        regions = len(REGIONS)
        label = torch.arange(regions, device=box.device).repeat(len(box))
        flat_box, flat_score = box[:, 1:].reshape(-1, 4), probability[:, 1:].reshape(-1)
        kept = batched_nms(flat_box, flat_score, label, self.iou)  # sorted by score, best first
        out_box, out_score = box.new_zeros(regions, 4), box.new_zeros(regions)
        out_feature = feature.new_zeros(regions, feature.shape[-1])
        for row in kept.flip(0):  # the best of a region is written last
            region = label[row]
            out_box[region], out_score[region] = flat_box[row], flat_score[row]
            out_feature[region] = feature[row // regions]
        return out_box, out_score, out_feature


def _three_channels(image: Tensor) -> list[Tensor]:
    return list(standardise(image).expand(-1, 3, -1, -1))
