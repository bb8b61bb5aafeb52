"""What boxes of findings say of regions, worked out by hand: half of one in the other is there, no touch is not."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from layouts import VindrTree

from cfvqa.data.batches import ImageBatch
from cfvqa.data.image_sets import ImageSet, labels_of
from cfvqa.sources.vindr import VindrSource
from cfvqa.vision.finding_losses import finding_losses
from cfvqa.vision.locating import located_findings, shares
from cfvqa.vision.outputs import FindingOutput
from cfvqa.vocabulary.findings import FINDING_INDEX, FINDINGS
from cfvqa.vocabulary.regions import REGIONS

R, F = len(REGIONS), len(FINDINGS)
EFFUSION, EDEMA = 1, 11
BOX = (10, 10, 20, 20)
REGION = {  # region -> (box, what it says of a finding drawn at BOX)
    0: ((0, 0, 40, 40), 1),  # all of the finding lies in it
    1: ((15, 0, 40, 40), 1),  # half of it
    2: ((16, 0, 40, 40), -1),  # less
    3: ((12, 12, 14, 14), 1),  # the finding covers it
    4: ((18, 12, 22, 14), 1),  # half of it
    5: ((20, 10, 40, 20), 0),  # side by side
    6: ((30, 30, 40, 40), 0),
    7: ((12, 12, 12, 12), -1),  # was not found
}


def regions():
    box = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(2, R, 1)
    for region, (corners, _) in REGION.items():
        box[:, region] = torch.tensor(corners, dtype=torch.float32)
    return box


def batch(*drawn):
    """Two images; each of `drawn` is the image, the finding and the box."""
    return ImageBatch(
        image=torch.zeros(2, 1, 8, 8, dtype=torch.uint8),
        box=torch.zeros(2, R, 4),
        box_known=torch.zeros(2, R, dtype=torch.bool),
        region_finding=torch.full((2, R, F), -1, dtype=torch.int8),
        image_finding=torch.full((2, F), -1, dtype=torch.int8),
        severity=torch.zeros(2, F, dtype=torch.int8),
        index=torch.arange(2),
        drawn_box=torch.tensor([box for _, _, box in drawn], dtype=torch.float32).reshape(-1, 4),
        drawn_at=torch.tensor([(image, finding) for image, finding, _ in drawn]).reshape(-1, 2),
    )


def test_the_share_of_boxes_is_taken_of_the_smaller():
    first, second = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 4], [0, 0, 1, 1]]), torch.tensor([2.0, 0, 12, 10])
    assert shares(first, second.expand(3, 4)).tolist() == [0.5, 0.5, 0]
    assert shares(torch.tensor(BOX).float(), torch.zeros(4)).item() == 0


def test_a_drawn_finding_is_where_half_is_shared_and_absent_where_nothing_is():
    label = located_findings(batch((1, EFFUSION, BOX)), regions())
    assert label[1, list(REGION), EFFUSION].tolist() == [said for _, said in REGION.values()]
    label[1, :, EFFUSION] = -1
    assert (label == -1).all()  # of other findings and images it says nothing


def test_of_several_boxes_of_a_finding_any_counts():
    label = located_findings(batch((0, EFFUSION, BOX), (0, EFFUSION, (30, 30, 40, 40)), (0, EDEMA, BOX)), regions())
    assert label[0, [5, 6], EFFUSION].tolist() == [0, 1]
    assert label[0, [5, 6], EDEMA].tolist() == [0, 0]


def test_what_is_labelled_region_by_region_stays():
    labelled = batch((0, EFFUSION, BOX))
    labelled.region_finding[0, 0, EFFUSION] = 0
    label = located_findings(labelled, regions())
    assert label[0, :2, EFFUSION].tolist() == [0, 1]


def test_without_a_box_the_labels_are_those_of_the_batch():
    plain = batch()
    assert located_findings(plain, regions()) is plain.region_finding


def test_a_classifier_learns_the_drawn_finding_in_its_regions_and_nowhere_else():
    some = batch((0, EFFUSION, BOX))
    logit = torch.zeros(2, R, F, requires_grad=True)
    output = FindingOutput(logit, torch.zeros(2, R, 2), torch.zeros(2, R, F, 2), torch.zeros(2, R, 3))
    located = located_findings(some, regions())
    losses = finding_losses(output, some, located)
    assert losses["region"].item() == pytest.approx(10 * math.log(2), rel=1e-5)
    assert losses["abnormal"].item() == 0  # the rest of a region may hold anything
    sum(losses.values()).backward()
    step = 10 * 0.5 / (located >= 0).sum().item()
    expected = torch.where(located == 1, -step, torch.where(located == 0, step, 0.0))
    assert torch.allclose(logit.grad, expected)


def test_boxes_of_a_data_set_come_with_its_images_in_frame_pixels(tmp_path):
    tree = VindrTree(tmp_path / "vindr")
    first, second = (f"a{number:031x}" for number in (1, 2))
    corners = {"x_min": 0, "y_min": 0, "x_max": 9, "y_max": 9}
    tree.boxes.append({"image_id": second, "rad_id": "R1", "class_name": "Edema"} | corners)
    tables = VindrSource(tree.write().root).read()
    images = ImageSet(labels_of(tables, tables.images.filter(pl.col("image_id").is_in([first, second]))), size=120)
    batch = images.collate([(row, np.zeros((120, 120), dtype=np.uint8)) for row in (1, 0)])
    # The file has 60 x 48 pixels: twice as many in the frame, between two bands of 12. Only one reader saw an edema.
    assert batch.drawn_box.tolist() == [[74, 54, 114, 102], [42, 46, 90, 94]]
    nodes = (FINDING_INDEX["pleural effusion"], FINDING_INDEX["enlarged cardiac silhouette"])
    assert batch.drawn_at.tolist() == [[0, nodes[0]], [1, nodes[1]]]
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.drawn_at, batch.drawn_at)


def test_a_part_without_an_image_has_no_labels(tmp_path):
    tables = VindrSource(VindrTree(tmp_path / "vindr").write().root).read()
    labels = labels_of(tables, tables.images.head(0))
    assert labels.image_ids == labels.paths == []
    assert len(labels.box) == len(labels.image_finding) == len(labels.drawn) == 0
