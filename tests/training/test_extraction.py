"""What extraction takes from the labels where it is told to, and from its networks everywhere else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cfvqa.data.batches import ImageBatch, ImageFeatures
from cfvqa.data.feature_store import has_shard
from cfvqa.training.extraction import ExtractionModule, ShardWriter
from cfvqa.vision.outputs import FindingOutput, RegionOutput
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

R, F = len(REGIONS), len(FINDINGS)
DETECTED, TRUE = torch.tensor([1.0, 1.0, 5.0, 5.0]), torch.tensor([2.0, 2.0, 6.0, 6.0])


class Detector(nn.Module):
    def detect(self, image):
        return RegionOutput(DETECTED.expand(1, R, 4), torch.ones(1, R), torch.zeros(1, R, 3))


class Classifier(nn.Module):
    def classify(self, image, box):
        self.seen = box
        zero = torch.zeros(1, R, F)
        return FindingOutput(zero, torch.zeros(1, R, 2), zero.unsqueeze(-1).expand(1, R, F, 2), torch.zeros(1, R, 3))


@pytest.fixture
def batch():
    """An image of which the first region, its first finding and their level are known."""
    known = torch.zeros(1, R, dtype=torch.bool)
    known[0, 0] = True
    label = torch.full((1, R, F), -1, dtype=torch.int8)
    label[0, 0, :2] = torch.tensor([1, 0])
    severity = torch.zeros(1, F, dtype=torch.int8)
    severity[0, 0] = 2
    return ImageBatch(
        image=torch.zeros(1, 1, 8, 8, dtype=torch.uint8),
        box=TRUE.expand(1, R, 4),
        box_known=known,
        region_finding=label,
        image_finding=torch.zeros(1, F, dtype=torch.int8),
        severity=severity,
        index=torch.tensor([0]),
    )


def extracted(batch, truth):
    images = SimpleNamespace(frame=lambda row: SimpleNamespace(to_original=np.asarray))
    module = ExtractionModule(Detector(), Classifier(), images, truth=truth)
    return module.predict_step(batch, 0), module.classifier.seen


def test_true_regions_replace_detected_ones_where_they_are_known(batch):
    features, seen = extracted(batch, "regions")
    for box in (features.box, seen):
        assert torch.equal(box[0, 0], TRUE)
        assert torch.equal(box[0, 1], DETECTED)
    assert (features.probability == 0.5).all()


def test_true_findings_replace_probabilities_where_they_are_known(batch):
    features, seen = extracted(batch, "findings")
    assert features.probability[0, 0, :3].tolist() == [1, 0, 0.5]
    assert (features.probability[0, 1:] == 0.5).all()
    assert features.severity[0, :2].tolist() == [[1, 0], [0.5, 0.5]]
    assert torch.equal(seen[0, 0], DETECTED)


def test_without_a_diagnosis_nothing_is_taken_from_the_labels(batch):
    features, seen = extracted(batch, "none")
    assert torch.equal(seen, DETECTED.expand(1, R, 4))
    assert (features.probability == 0.5).all()


def test_images_are_counted_batch_by_batch_over_all_shards(tmp_path):
    counts, names = [], [f"i{number}" for number in range(7)]
    writer = ShardWriter(tmp_path, names, [0, 3], 4, counts.append)
    for size in (2, 2, 2, 1):
        writer.write_on_batch_end(None, None, ImageFeatures(*(torch.zeros(size, 1) for _ in range(6))))
    assert counts == [2, 4, 6, 7]
    assert has_shard(tmp_path, 0, names[:4])
    assert has_shard(tmp_path, 3, names[4:])
