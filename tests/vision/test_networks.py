import math

import pytest
import torch
from torchvision.ops import nms

from cfvqa.data.batches import ImageBatch
from cfvqa.vision.faster_rcnn import FasterRCNN, _best_of_each_region
from cfvqa.vision.finding_losses import abnormality, finding_losses, masked_bce, pool_regions
from cfvqa.vision.region_crops import RegionCrops
from cfvqa.vision.region_queries import RegionQueries
from cfvqa.vision.shared_trunk import SharedTrunk
from cfvqa.vision.trunk import Trunk, standardise


def batch(count=2, size=64):
    g = torch.Generator().manual_seed(0)
    corner = torch.rand(count, 24, 2, generator=g) * 20
    return ImageBatch(
        image=torch.randint(1, 255, (count, 1, size, size), generator=g, dtype=torch.uint8),
        box=torch.cat([corner, corner + 30], -1),
        box_known=torch.ones(count, 24, dtype=torch.bool),
        region_finding=torch.randint(0, 2, (count, 24, 38), generator=g, dtype=torch.int8),
        image_finding=torch.randint(0, 2, (count, 38), generator=g, dtype=torch.int8),
        severity=torch.randint(0, 4, (count, 38), generator=g, dtype=torch.int8),
        index=torch.arange(count),
    )


def trunk():
    return Trunk(channels=(8, 8, 8, 8), width=16)


DETECTORS = {
    "region_queries": lambda: RegionQueries(trunk=trunk(), channels=16, width=12),
    "faster_rcnn": lambda: FasterRCNN(shortest_edge=64, proposals=50),
}
CLASSIFIERS = {
    "shared_trunk": lambda: SharedTrunk(trunk=trunk(), channels=16, width=12),
    "region_crops": lambda: RegionCrops(network="resnet18", width=12, crop=32),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_learns_and_finds_every_region_at_most_once(name):
    torch.manual_seed(0)
    network, images = DETECTORS[name](), batch()
    losses = network.train().losses(images)
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    with torch.inference_mode():
        output = network.eval().detect(images.image)
    assert output.box.shape == (2, 24, 4)
    assert output.feature.shape == (2, 24, network.width)
    assert ((output.score >= 0) & (output.score <= 1)).all()
    assert ((output.box >= 0) & (output.box <= 64)).all()


def best_after_suppression(box, probability, feature, iou=0.5):
    """Say region by region what is left first when overlapping proposals are suppressed."""
    regions = probability.shape[1] - 1
    found = torch.zeros(regions, 4), torch.zeros(regions), torch.zeros(regions, feature.shape[1])
    for region in range(regions):
        kept = nms(box[:, region + 1], probability[:, region + 1], iou)
        if len(kept):
            for there, values in zip(found, (box[:, region + 1], probability[:, region + 1], feature), strict=True):
                there[region] = values[kept[0]]
    return found


@pytest.mark.parametrize("proposals", [0, 1, 2, 40, 300])
def test_the_best_proposal_of_a_region_is_what_suppression_would_leave(proposals):
    g = torch.Generator().manual_seed(proposals)
    corner = torch.rand(proposals, 25, 2, generator=g) * 40
    box = torch.cat([corner, corner + 1 + torch.rand(proposals, 25, 2, generator=g) * 60], -1)
    probability = torch.randn(proposals, 25, generator=g).softmax(-1)
    feature = torch.randn(proposals, 7, generator=g)
    found = _best_of_each_region(box, probability, feature)
    for ours, expected in zip(found, best_after_suppression(box, probability, feature), strict=True):
        assert torch.equal(ours, expected)


def test_an_image_without_a_proposal_has_boxes_of_zero():
    torch.manual_seed(0)
    network = FasterRCNN(shortest_edge=64, proposals=50).eval()
    network.network.rpn.score_thresh = 1.1
    with torch.inference_mode():
        output = network.detect(batch().image)
    assert output.box.shape == (2, 24, 4)
    assert not output.box.any()
    assert not output.score.any()
    assert not output.feature.any()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_learns_from_regions_and_whole_images(name):
    torch.manual_seed(0)
    network, images = CLASSIFIERS[name](), batch()
    output = network.classify(images.image, images.box)
    assert output.logit.shape == (2, 24, 38)
    assert output.severity.shape == (2, 24, 38, 2)
    assert output.feature.shape == (2, 24, network.width)
    sum(finding_losses(output, images).values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_labels_of_whole_images_alone_train_a_classifier():
    network, images = CLASSIFIERS["shared_trunk"](), batch()
    images.region_finding.fill_(-1)
    images.severity.fill_(0)
    losses = finding_losses(network.classify(images.image, images.box), images)
    assert losses["image"] > 0
    assert losses["region"] == losses["severity"] == 0


def test_a_region_whose_only_finding_is_uncertain_is_neither_normal_nor_abnormal():
    findings = torch.tensor([[[0, 0], [0, -1], [-1, -1], [1, -1], [1, 0]]], dtype=torch.int8)
    assert abnormality(findings).tolist() == [[0, -1, -1, 1, 1]]


def test_defect_24_a_crop_takes_columns_from_x_and_rows_from_y():
    image = torch.ones(1, 1, 64, 64, dtype=torch.uint8)
    image[0, 0, 8:16, 40:56] = 255  # rows 8 to 16, columns 40 to 56
    seen = {}
    network = RegionCrops(network="resnet18", width=4, crop=8)
    network.trunk.register_forward_pre_hook(lambda _, inputs: seen.update(crops=inputs[0]))
    network.eval().classify(image, torch.tensor([40.0, 8.0, 56.0, 16.0]).expand(1, 24, 4))
    assert seen["crops"][0, :, 2:6, 2:6].min() > 1


def test_unknown_labels_weigh_nothing():
    logit = torch.tensor([[0.0, 5.0]])
    assert masked_bce(logit, torch.tensor([[1, -1]])).item() == pytest.approx(math.log(2))


def test_one_region_with_a_finding_is_enough_for_the_image():
    logit = torch.full((1, 24, 38), -8.0)
    logit[0, 3, 7] = 8.0
    pooled = pool_regions(logit)
    assert pooled[0, 7] > 6
    assert pooled[0, 8] == pytest.approx(-8.0, abs=1e-4)


def test_a_wrong_intensity_range_is_refused():
    with pytest.raises(TypeError, match="uint8"):
        standardise(torch.zeros(1, 1, 8, 8))


def test_exposure_does_not_reach_the_networks():
    image = batch().image.float().clamp(60, 120)
    dark, bright = image.round().to(torch.uint8), (image * 2).round().to(torch.uint8)
    assert torch.allclose(standardise(dark), standardise(bright), atol=0.05)
