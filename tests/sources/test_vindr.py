"""VinDr-CXR as PhysioNet ships it: what several readers say becomes one label, and what they drew one box."""

import re
from dataclasses import replace

import polars as pl
import pytest
from layouts import VINDR_LABELS, VindrTree, write_dicom
from preparing import refusal

from cfvqa.errors import InputError
from cfvqa.sources.vindr import VindrSource
from cfvqa.sources.vindr_names import ANSWERS, NODES
from cfvqa.sources.vindr_tables import LABELS
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, FINDINGS

FIRST, SECOND, THIRD = (f"a{number:031x}" for number in (1, 2, 3))  # a large heart, an effusion, nothing
TEST = f"b{1:031x}"


@pytest.fixture
def tree(tmp_path):
    return VindrTree(tmp_path / "vindr")


def read(tree, **settings):
    return VindrSource(tree.write().root, **settings).read()


def answers(tables, image):
    asked = tables.questions.filter(pl.col("main_image") == image)
    return dict(asked.select("question", "answer").iter_rows())


def test_labels_have_names_that_answers_and_the_graph_know():
    assert set(LABELS) == set(VINDR_LABELS)
    assert set(ANSWERS.values()) <= set(ANSWER_FINDINGS)
    assert set(NODES.values()) <= set(FINDINGS)


def test_the_published_test_images_stay_test_and_an_eighth_of_the_others_validates(tmp_path):
    images = read(VindrTree(tmp_path / "vindr", images=200)).images
    assert set(images.filter(pl.col("split") == "test")["path"].str.slice(0, 5)) == {"test/"}
    assert 12 <= (images["split"] == "val").sum() <= 38
    assert set(images["view"]) == {"PA"}
    assert images.select("width", "height").unique().rows() == [(60, 48)]


def test_a_finding_is_there_where_more_than_half_of_its_readers_say_so(tree):
    rows = [row for row in tree.labels if row["image_id"] == THIRD]
    for row, labels in zip(rows, (["Edema", "Pneumonia"], ["Edema"], ["No finding"]), strict=True):
        row |= {"No finding": 0} | dict.fromkeys(labels, 1)
    tables = read(tree)
    said = tables.findings.filter((pl.col("image_id") == THIRD) & (pl.col("presence") == "yes"))
    assert said["finding"].to_list() == ["pulmonary edema/hazy opacity"]
    assert len(tables.findings) == len(tables.images) * len(set(NODES.values()))
    assert answers(tables, THIRD)["what abnormalities are seen in this image?"] == "edema"
    assert answers(tables, THIRD)["is there evidence of edema in this image?"] == "yes"


def test_questions_are_about_single_images_and_name_a_side_where_all_boxes_have_it(tree):
    tables = read(tree)
    assert tables.questions["reference_image"].null_count() == len(tables.questions)
    heart, effusion, nothing = (answers(tables, image) for image in (FIRST, SECOND, THIRD))
    assert effusion["is the pleural effusion located on the left side or right side?"] == "left side"
    assert not any("located" in question for question in (*heart, *nothing))  # the heart lies on both sides
    assert nothing["is there evidence of any abnormalities in this image?"] == "no"
    assert "what abnormalities are seen in this image?" not in nothing
    assert effusion["which view is this image taken?"] == "PA view"


def test_an_image_with_a_finding_that_has_no_name_is_abnormal_and_no_list_of_its_findings_is_asked_for(tree):
    for row in [row for row in tree.labels if row["image_id"] in (FIRST, THIRD)]:
        row |= {"Aortic enlargement": 1, "No finding": 0}
    tables = read(tree)
    for image in (FIRST, THIRD):
        assert answers(tables, image)["is there evidence of any abnormalities in this image?"] == "yes"
        assert "what abnormalities are seen in this image?" not in answers(tables, image)
    assert tables.skipped == {"label without a node of the graph: Aortic enlargement": 2}


def test_the_share_that_trains_is_the_one_of_the_split(tree):
    source = VindrSource(tree.write().root)
    assert source.listed().training == (source.read().images["split"] == "train").mean()
    hashed = replace(source, split="subject")
    assert hashed.listed().training == (hashed.read().images["split"] == "train").mean()


def test_boxes_of_three_readers_become_one_and_those_of_the_consensus_stay(tree):
    tree.boxes.append({"image_id": FIRST, "rad_id": "R2", "class_name": "Other lesion"} | box(0, 0, 5, 5))
    tables = read(tree)
    of = {image: tables.finding_boxes.filter(pl.col("image_id") == image).rows() for image in (FIRST, TEST)}
    assert of[FIRST] == [(FIRST, "enlarged cardiac silhouette", 21, 17, 45, 41, 3)]
    assert of[TEST] == [(TEST, "enlarged cardiac silhouette", 20, 16, 44, 40, 1)]
    assert tables.skipped == {"box of a finding without a node of the graph": 1}


def test_boxes_that_are_empty_inverted_or_leave_their_image_are_left_out_and_counted(tree):
    for row, change in zip(tree.boxes, ({"x_max": 20}, {"y_min": 45}, {"x_max": 62}), strict=False):
        row |= change
    tables = read(tree)
    assert FIRST not in tables.finding_boxes["image_id"]
    assert tables.skipped == {"box of a finding that is empty or leaves its image": 3}


def test_what_is_asked_of_an_image_depends_on_the_seed_and_the_image_alone(tree):
    many = read(tree).questions
    few = VindrSource(tree.root, limit=21).read().questions
    assert few.equals(many.filter(pl.col("main_image").is_in(few["main_image"].unique().implode())))
    assert not VindrSource(tree.root, question_seed=2).read().questions.equals(many)


def box(*corners):
    return dict(zip(("x_min", "y_min", "x_max", "y_max"), corners, strict=True))


def rewritten(name, old, new):
    def change(tree):
        path = tree.write().table(name)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def emptied(name, lines):
    def change(tree):
        path = tree.write().table(name)
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))

    return change


def boxed(**values):
    def change(tree):
        tree.boxes[0] |= values
        tree.write()

    return change


def labelled(**values):
    def change(tree):
        tree.labels[0] |= values
        tree.write()

    return change


def added(rows, **values):
    def change(tree):
        row = getattr(tree, rows)[0]
        getattr(tree, rows).append(row | values)
        tree.write()

    return change


def overwritten(content):
    def change(tree):
        tree.write().image_path(FIRST).write_bytes(content)

    return change


def garbled(tree):
    path = tree.write().table("annotations_test")
    path.write_bytes(path.read_bytes().replace(b"Cardiomegaly", b"Cardiom\xff\xfegaly"))


def linked(tree):
    path = tree.write().image_path(FIRST)
    path.rename(tree.root.parent / "elsewhere.dicom")
    path.symlink_to(tree.root.parent / "elsewhere.dicom")


def shrunk(tree):
    tree.write().image_path(FIRST).unlink()
    write_dicom(tree.image_path(FIRST), 1, 1)


MALFORMED = {
    "a column of labels is missing": (
        rewritten("image_labels_train", "Cardiomegaly", "Heart"),
        r"image_labels_train\.csv: column 'Cardiomegaly' is missing",
    ),
    "a column of boxes is missing": (
        rewritten("annotations_test", "x_min", "left"),
        r"annotations_test\.csv: column 'x_min' is missing",
    ),
    "a reader speaks twice": (
        added("labels", Edema=1),
        rf"image_labels_train\.csv, row 2: image_id '{FIRST}' \+ rad_id 'R1' has more than one row",
    ),
    "a test image has two rows": (
        added("test_labels"),
        rf"image_labels_test\.csv, row 2: image_id '{TEST}' has more than one row",
    ),
    "an unknown label is drawn": (
        boxed(class_name="Hiccups"),
        r"annotations_train\.csv, row 2: class_name is 'Hiccups'",
    ),
    "a drawn label is blank": (boxed(class_name=None), r"annotations_train\.csv, row 2: class_name is blank"),
    "a label is neither yes nor no": (labelled(Edema=2), r"image_labels_train\.csv, row 2: Edema is '2'"),
    "a corner is a word": (boxed(x_min="wide"), r"annotations_train\.csv, row 2: x_min is 'wide'; expected a number"),
    "a corner is no number": (boxed(y_max="nan"), r"annotations_train\.csv, row 2: y_max is 'nan'"),
    "a corner is blank": (boxed(y_max=None), r"annotations_train\.csv, row 2: y_max is blank"),
    "a table has no rows": (emptied("image_labels_train", 1), r"image_labels_train\.csv has no rows"),
    "a table is empty": (emptied("annotations_test", 0), r"annotations_test\.csv cannot be read as CSV"),
    "a label in two spellings": (
        rewritten("image_labels_train", "Other diseases", "Other disease,Other diseases"),
        r"image_labels_train\.csv: column 'Other diseases' occurs twice, in two spellings",
    ),
    "a table is no UTF-8": (garbled, r"annotations_test\.csv, row 2: it is no UTF-8"),
    "a row is too wide": (
        rewritten("annotations_train", ",44,40", ",44,40,1,1"),
        r"annotations_train\.csv, row 2: it has 9 fields",
    ),
    "a reader has no name": (labelled(rad_id="Jane"), r"image_labels_train\.csv, row 2: rad_id is 'Jane'"),
    "an id leaves the folder": (
        rewritten("image_labels_test", TEST, "../../secret"),
        r"image_labels_test\.csv, row 2: image_id is '\.\./\.\./secret'",
    ),
    "an image is a link that leaves the folder": (linked, rf"{FIRST}\.dicom' goes through a link that leaves"),
    "an image is no DICOM": (overwritten(b"no image" * 100), rf"{FIRST}\.dicom is no readable DICOM file"),
    "an image has no content": (overwritten(b""), rf"{FIRST}\.dicom is no readable DICOM file"),
    "an image has one pixel": (shrunk, rf"{FIRST}\.dicom has 1 x 1 pixels"),
    "an image has no row": (
        lambda tree: write_dicom(tree.write().root / "test" / f"{THIRD}.dicom"),
        rf"test/{THIRD}\.dicom has no row in .*image_labels_test\.csv",
    ),
    "a row has no image": (lambda tree: tree.write().image_path(TEST).unlink(), rf"{TEST}\.dicom is missing"),
    "a box has no labels": (
        added("boxes", image_id="c" * 32),
        rf"annotations_train\.csv, row 11: image '{'c' * 32}' has no labels",
    ),
    "a box of a test image is among those of training": (
        added("boxes", image_id=TEST),
        rf"annotations_train\.csv, row 11: image '{TEST}' has no labels",
    ),
    "an image is in both parts": (added("test_labels", image_id=FIRST), rf"image '{FIRST}' is in both"),
    "a table is missing": (
        lambda tree: tree.write().table("annotations_test").unlink(),
        r"annotations_test\.csv is missing",
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_malformed_ends_a_command_that_names_it_and_leaves_nothing(tmp_path, what):
    tree = VindrTree(tmp_path / "vindr", images=3, test_images=3)
    change, message = MALFORMED[what]
    change(tree)
    assert re.search(message, refusal(VindrSource(tree.root), tmp_path / "work"))


@pytest.mark.parametrize(("key", "value"), [("box_overlap", 0.0), ("box_overlap", 1.5), ("split", "paper")])
def test_a_wrong_setting_is_named(tree, key, value):
    with pytest.raises(InputError, match=rf"source\.{key} is '?{value}"):
        read(tree, **{key: value})
