"""Chest ImaGenome, gold: its boxes in place of the silver ones, and a test by what people drew and checked alone."""

import polars as pl
import pytest
from layouts import MimicTree, csv_text, dicom_id

from cfvqa.data.image_data import ImageData, ImageDataSettings
from cfvqa.errors import InputError
from cfvqa.sources.fingerprint import fingerprint
from cfvqa.sources.gold_boxes import BOXES
from cfvqa.sources.gold_findings import AVOIDED, CHECKED
from cfvqa.sources.mimic import MimicSource

FIRST, SECOND = 59_000_011, 59_000_012
HEADER = [
    "image_id",
    "x1",
    "y1",
    "x2",
    "y2",
    "width",
    "height",
    "bbox_name",
    "annot_id",
    "original_x1",
    "original_x2",
    "original_y1",
    "original_y2",
]
BOX = [f"{dicom_id(SECOND)}.dcm", 56, 72, 112, 152, 56, 80, "right lung"]
COUNTED = "scene graph whose boxes gold ones stand for"


@pytest.fixture
def tree(tmp_path):
    return MimicTree(tmp_path / "data", subjects=3).write()


def write(tree, *rows):
    folder = tree.root / "chest-imagenome" / "gold_dataset"
    folder.mkdir(exist_ok=True)
    full = [[*row, *[None] * (len(HEADER) - len(row))] for row in rows]
    (folder / BOXES).write_text(csv_text(HEADER, full))


def source(tree, boxes="gold"):
    return MimicSource(tree.root, split="official", boxes=boxes)


def boxes_of(tables, study):
    return tables.regions.filter(pl.col("image_id") == dicom_id(study))


def test_gold_boxes_stand_for_the_silver_ones_of_their_image_alone(tree):
    write(tree, BOX)
    tables = source(tree).read()
    box = boxes_of(tables, SECOND).row(0, named=True)
    scale = 60 / 224  # of 60 x 48 pixels, 22 rows below the top of the frame
    assert box["region"] == "right lung"
    expected = (56 * scale, (72 - 22) * scale, 112 * scale, (152 - 22) * scale)
    assert (box["x1"], box["y1"], box["x2"], box["y2"]) == pytest.approx(expected, abs=1e-4)
    assert boxes_of(tables, FIRST)["region"].to_list() == ["left lung"]
    assert tables.skipped == {COUNTED: 1}
    assert boxes_of(source(tree, "silver").read(), SECOND)["region"].to_list() == ["left lung"]


def test_findings_are_those_of_the_scene_graph_and_an_image_without_one_has_gold_boxes(tree):
    write(tree, BOX)
    expected = source(tree, "silver").read().findings
    assert source(tree).read().findings.equals(expected)
    next(tree.graph_root.glob(f"{dicom_id(SECOND)}*")).unlink()
    tables = source(tree).read()
    assert boxes_of(tables, SECOND)["region"].to_list() == ["right lung"]
    assert tables.skipped == {"image without a scene graph": 1}


def test_the_first_of_two_boxes_of_a_region_counts_and_a_row_without_one_is_no_box(tree):
    blank = [BOX[0], *[None] * 6, "left lung"]
    write(tree, BOX, [*BOX[:1], 60, 80, 100, 140, 40, 60, "right lung"], blank)
    tables = source(tree).read()
    assert boxes_of(tables, SECOND)["x1"].to_list() == pytest.approx([15])
    assert tables.skipped == {COUNTED: 1, "box that is empty or a region's second": 1}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([BOX[0], "a", 72, 112, 152, 56, 80, "left lung"], "row 2: it lacks a name or a number"),
        ([BOX[0], None, 72, 112, 152, 56, 80, "left lung"], "row 2: it lacks a name or a number"),
        ([None, *BOX[1:]], "row 2: it lacks a name or a number"),
    ],
)
def test_a_gold_box_that_is_none_is_named(tree, row, words):
    write(tree, row)
    with pytest.raises(InputError, match=rf"{BOXES}.*{words}"):
        source(tree).read()


def test_the_gold_table_belongs_to_the_data_set_where_it_is_asked_for(tree):
    with pytest.raises(InputError, match=rf"{BOXES}\(\.gz\) is missing.*source\.graphs"):
        source(tree).files()
    write(tree, BOX)
    silver, gold = fingerprint(source(tree, "silver").files()), fingerprint(source(tree).files())
    write(tree, [*BOX[:7], "left lung"])
    assert fingerprint(source(tree, "silver").files()) == silver
    assert fingerprint(source(tree).files()) != gold


CHECKED_ROWS = (
    ("right lung", "anatomicalfinding|no|pleural effusion"),
    ("right lung", "anatomicalfinding|yes|pleural effusion"),
    ("right lung", "anatomicalfinding|no|pneumothorax"),
    ("right lung", "nlp|yes|abnormal"),
    ("left breast", "anatomicalfinding|yes|lung lesion"),
    ("left breast", "disease|yes|no such finding"),
)


def write_checked(tree, *rows, avoided=(19_000_001,)):
    """Write the findings that people checked of the second study, and the subjects of whom nothing is learned."""
    columns = "row_id\timage_id\tpatient_id\tbbox\tcontext\tlabel_name\tattribute\tsentence"
    lines = [
        f"{n}\t{dicom_id(SECOND)}.dcm\t19000001\t{box}\t\t\t{name}\tSmall, round." for n, (box, name) in enumerate(rows)
    ]
    gold = tree.root / "chest-imagenome" / "gold_dataset"
    (gold / CHECKED).write_text("\n".join([columns, *lines]) + "\n")
    splits = tree.root / "chest-imagenome" / "silver_dataset" / "splits"
    splits.mkdir(exist_ok=True)
    (splits / AVOIDED).write_text(csv_text(["subject_id", "dicom_id"], [[subject, "-"] for subject in avoided]))


@pytest.fixture
def checked(tmp_path):
    tree = MimicTree(tmp_path / "data", subjects=30).write()
    write(tree, BOX)
    write_checked(tree, *CHECKED_ROWS)
    return tree


def test_a_gold_split_tests_on_its_subjects_by_what_people_drew_and_checked_alone(checked):
    tables = MimicSource(checked.root, split="gold", boxes="gold").read()
    tested = tables.images.filter(pl.col("split") == "test")
    assert tested["subject_id"].unique().to_list() == ["19000001"]
    assert set(tables.images["split"]) == {"train", "val", "test"}
    assert tables.regions.join(tested, on="image_id", how="semi")["region"].to_list() == ["right lung"]
    found = tables.findings.join(tested, on="image_id", how="semi").rows()
    image = dicom_id(SECOND)
    assert found == [
        (image, "right lung", "pleural effusion", "yes", None),
        (image, None, "pleural effusion", "yes", None),
        (image, None, "lung lesion", "yes", None),
        (image, "right lung", "pneumothorax", "no", None),
        (image, None, "pneumothorax", "no", None),
    ]
    assert tables.skipped["gold finding outside the 38 findings"] == 1
    others = pl.col("image_id").is_in(tested["image_id"].implode()).not_()
    silver = MimicSource(checked.root, split="official").read()
    for name in ("regions", "findings"):
        assert getattr(tables, name).filter(others).equals(getattr(silver, name).filter(others))


def test_a_detector_and_a_classifier_are_tested_on_gold_images_alone(checked):
    tables = MimicSource(checked.root, split="gold", boxes="gold").read()
    for needs in ("boxes", "findings"):
        data = ImageData(tables, ImageDataSettings(image_size=32, batch_size=2), needs=needs)
        data.setup()
        assert data.sets["test"].labels.image_ids == [dicom_id(SECOND)]


@pytest.mark.parametrize("attribute", ["pleural effusion", "anatomicalfinding|maybe|pleural effusion", ""])
def test_a_checked_finding_that_is_none_is_named(checked, attribute):
    write_checked(checked, CHECKED_ROWS[0], ("left lung", attribute))
    with pytest.raises(InputError, match=rf"{CHECKED}, row 3: attribute"):
        MimicSource(checked.root, split="gold", boxes="gold").read()


def test_a_gold_split_needs_gold_boxes_and_its_files(checked):
    with pytest.raises(InputError, match=r"source\.split=gold needs source\.boxes=gold, which is silver: give both"):
        MimicSource(checked.root, split="gold").read()
    gold = MimicSource(checked.root, split="gold", boxes="gold")
    before = fingerprint(gold.files())
    write_checked(checked, *CHECKED_ROWS[1:])
    assert fingerprint(gold.files()) != before
    (checked.root / "chest-imagenome" / "silver_dataset" / "splits" / AVOIDED).unlink()
    with pytest.raises(InputError, match=rf"{AVOIDED}\(\.gz\) is missing.*source\.graphs"):
        gold.files()
