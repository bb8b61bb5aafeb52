import os
import re

import polars as pl
import pytest
from layouts import ADDED, WHAT_CHANGED, write_image
from pages import files_of
from preparing import refusal

from cfvqa.errors import InputError
from cfvqa.language.grammar import parse_changes
from cfvqa.sources.csv_tables import CsvSource
from cfvqa.sources.fingerprint import fingerprint
from cfvqa.vocabulary.findings import NODE_OF_ANSWER

SUBJECTS = 30


def own(root, **settings):
    """The source with a seed for which every split has a subject."""
    return CsvSource(root, split_seed=2, **settings)


def write(root, name, header, rows):
    root.mkdir(exist_ok=True)
    (root / name).write_text("\n".join([",".join(header), *(",".join(row) for row in rows)]) + "\n")


@pytest.fixture
def root(tmp_path):
    """Two radiographs a subject: one table names them all."""
    folder = tmp_path / "own"
    rows = []
    for number in range(SUBJECTS):
        for age in ("old", "new"):
            write_image(folder / f"images/p{number}-{age}.png")
        main, reference = f"images/p{number}-new.png", f"images/p{number}-old.png"
        rows.append([f"p{number}", main, reference, WHAT_CHANGED, ADDED.strip()])
        rows.append([f"p{number}", main, "", "is there edema?", "yes"])
    write(folder, "questions.csv", ["subject_id", "main", "reference", "question", "answer"], rows)
    return folder


def add_images(root, split="train"):
    rows = []
    for number in range(SUBJECTS):
        part = {0: "val", 1: "test"}.get(number, split)
        rows.append([f"images/p{number}-old.png", f"p{number}", "3", "AP", part])
        rows.append([f"images/p{number}-new.png", f"p{number}", "7", "PA", part])
    write(root, "images.csv", ["path", "subject_id", "study_order", "view", "split"], rows)


def add_labels(root):
    write(root, "findings.csv", ["path", "finding", "presence"], [["images/p1-new.png", "edema", "yes"]])
    box = ["images/p1-new.png", "left lung", "10.5", "5", "40", "30"]
    write(root, "regions.csv", ["path", "region", "x1", "y1", "x2", "y2"], [box])
    box = ["images/p1-new.png", "edema", "10.5", "5", "40", "30", "2"]
    write(root, "finding_boxes.csv", ["path", "finding", "x1", "y1", "x2", "y2", "readers"], [box])


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_one_table_of_questions_is_enough(root):
    tables = own(root).read()
    assert len(tables.images) == 2 * SUBJECTS
    first = tables.questions.row(0, named=True)
    assert (first["question_type"], first["main_image"]) == ("difference", "images/p0-new.png")
    assert first["keywords"] != first["answer"]
    assert tables.questions["question_type"].to_list()[1] == "presence"
    orders = dict(tables.images.select("image_id", "study_order").iter_rows())
    assert (orders["images/p3-old.png"], orders["images/p3-new.png"]) == (1, 2)
    assert not tables.has_regions
    assert set(tables.images["view"]) == {"unknown"}


def test_an_image_that_is_reference_and_main_stands_between_both(root):
    write_image(root / "images/p0-newest.png")
    with (root / "questions.csv").open("a") as file:
        file.write(f"p0,images/p0-newest.png,images/p0-new.png,{WHAT_CHANGED},nothing has changed.\n")
    orders = dict(own(root).read().images.select("image_id", "study_order").iter_rows())
    assert [orders[f"images/p0-{age}.png"] for age in ("old", "new", "newest")] == [1, 2, 3]


def test_further_tables_say_order_view_split_findings_and_regions(root):
    add_images(root)
    add_labels(root)
    tables = own(root, split="given").read()
    images = dict(zip(tables.images["image_id"], tables.images.iter_rows(named=True), strict=True))
    assert images["images/p1-new.png"]["study_order"] == 7
    assert images["images/p1-new.png"]["view"] == "PA"
    assert images["images/p1-new.png"]["split"] == "test"
    assert tables.findings.row(0) == ("images/p1-new.png", None, NODE_OF_ANSWER["edema"], "yes", None)
    assert tables.regions.row(0) == ("images/p1-new.png", "left lung", 10.5, 5, 40, 30)
    assert tables.finding_boxes.row(0) == ("images/p1-new.png", NODE_OF_ANSWER["edema"], 10.5, 5, 40, 30, 2)
    assert {path.name for path in own(root).files().tables} == {
        "questions.csv", "images.csv", "findings.csv", "regions.csv", "finding_boxes.csv",
    }  # fmt: skip


def test_a_limit_leaves_out_all_that_is_about_other_subjects(root):
    add_images(root)
    add_labels(root)
    tables = own(root, limit=25).read()
    kept = tables.images["subject_id"].unique().implode()
    assert tables.images["subject_id"].n_unique() == 25
    assert tables.questions["subject_id"].is_in(kept).all()


def test_the_images_that_are_named_count_whatever_their_suffix_and_no_others(root):
    path = root / "images/p4-old.png"
    path.rename(path.with_suffix(".PNG"))
    edit(root / "questions.csv", "images/p4-old.png", "images/p4-old.PNG")
    before = fingerprint(own(root).files())
    write_image(root / "answer.png")
    assert fingerprint(own(root).files()) == before
    os.utime(path.with_suffix(".PNG"), ns=(1, 1))
    assert fingerprint(own(root).files()) != before


QUESTION = "question_type, one of abnormality"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("questions.csv", "main,", "picture,", r"questions\.csv: column 'main' is missing"),
        ("questions.csv", "images/p0-new.png", "", r"row 2: main is blank"),
        ("questions.csv", "is there edema?", "how do you do?", rf"row 3: 'how do you do\?' .*{QUESTION}"),
        (
            "questions.csv",
            "images/p0-new.png",
            "../secret.png",
            r"questions\.csv, row 2: main '\.\./secret\.png' leaves the",
        ),
        (
            "questions.csv",
            "images/p0-old.png",
            "/p0-old.png",
            r"questions\.csv, row 2: reference '/p0-old\.png' leaves",
        ),
        ("questions.csv", "images/p0-old.png", "images/\0.png", r"row 2: reference 'images/\\x00\.png' holds a NUL"),
        (
            "images.csv",
            "images/p0-old.png",
            "images//p0-old.png",
            r"row 2: path .* another spelling of 'images/p0-old\.png'",
        ),
        ("images.csv", "images/p0-old.png", "../p0-old.png", r"images\.csv, row 2: path '\.\./p0-old\.png' leaves the"),
        ("questions.csv", "images/p0-old.png", "images/p0-new.png", r"are each an earlier image of the other"),
        ("questions.csv", "p0,images/p0-new", ",images/p0-new", r"row 2: subject_id is blank"),
        ("images.csv", "images/p0-old.png,p0,3", "images/p0-old.png,p0,first", r"row 2: study_order is 'first'"),
        ("images.csv", "3,AP,val", "3,oblique,val", r"row 2: view is 'oblique'"),
        ("images.csv", "3,AP,val", "3,AP,validate", r"row 2: split is 'validate'"),
        ("images.csv", "images/p0-new.png,p0,7", "images/p0-new.png,p0,1", "main study before its reference"),
        ("images.csv", "images/p0-new.png,p0", "images/p99-new.png,p0", r"questions\.csv, row 2: main 'images/p0-new"),
        ("finding_boxes.csv", "edema", "hiccups", r"finding_boxes\.csv, row 2: finding is 'hiccups'"),
        ("finding_boxes.csv", "10.5", "left", r"finding_boxes\.csv, row 2: x1 is 'left'"),
        ("finding_boxes.csv", "10.5", "nan", r"finding_boxes\.csv, row 2: x1 is 'nan'"),
        ("finding_boxes.csv", "10.5", "40", r"finding_boxes\.csv, row 2: the box .* of finding 'pul.* is empty"),
        ("finding_boxes.csv", ",2", ",0", r"finding_boxes\.csv, row 2: readers is '0'"),
        ("finding_boxes.csv", "images/p1-new", "images/p1", r"finding_boxes\.csv, row 2: path .images/p1\.png."),
        ("findings.csv", "images/p1-new.png", "images/p1.png", r"findings\.csv, row 2: path 'images/p1\.png' is no"),
        ("findings.csv", "edema", "hiccups", r"findings\.csv, row 2: finding is 'hiccups'"),
        ("regions.csv", ",40,", ",4,", r"regions\.csv, row 2: the box \(10\.5, 5, 4, 30\) .* is empty"),
        ("findings.csv", "edema,yes", "edema,maybe", r"findings\.csv, row 2: presence is 'maybe'"),
        ("findings.csv", "edema,yes", "edema,", r"findings\.csv, row 2: presence is blank"),
        ("regions.csv", "left lung", "left leg", r"regions\.csv, row 2: region is 'left leg'"),
        ("regions.csv", "10.5", "left", r"regions\.csv, row 2: x1 is 'left'"),
    ],
)
def test_a_malformed_row_ends_a_command_that_names_it_and_leaves_nothing(root, tmp_path, name, old, new, message):
    if name != "questions.csv":
        add_images(root)
        add_labels(root)
    edit(root / name, old, new)
    source = own(root, split="given" if name == "images.csv" else "subject")
    assert re.search(message, refusal(source, tmp_path / "work"))


def test_rows_that_say_the_same_twice_are_both_named(root):
    add_images(root)
    add_labels(root)
    for name, named in {
        "findings.csv": "path \\+ region \\+ finding 'images/p1-new.png, pulmonary edema/hazy opacity'",
        "regions.csv": "path \\+ region 'images/p1-new.png, left lung'",
        "finding_boxes.csv": "path \\+ finding \\+ x1 .*'images/p1-new.png, pulmonary edema/hazy opacity, 10.5",
        "images.csv": "path 'images/p29-new.png'",
    }.items():
        text = (root / name).read_text()
        lines = text.splitlines()
        (root / name).write_text(f"{text}{lines[-1]}\n")
        with pytest.raises(InputError, match=rf"{name}, rows {len(lines)} and {len(lines) + 1}: {named}"):
            own(root).read()
        (root / name).write_text(text)


def test_a_question_that_occurs_twice_is_named_with_both_rows_whatever_it_is_answered(root):
    text = (root / "questions.csv").read_text()
    for answer in ("yes", "no"):
        (root / "questions.csv").write_text(f"{text}p0,images/p0-new.png,,is there edema?,{answer}\n")
        named = r"main \+ reference \+ question 'images/p0-new\.png, is there edema\?' twice"
        with pytest.raises(InputError, match=rf"questions\.csv, rows 3 and {2 * SUBJECTS + 2}: {named}"):
            own(root).read()


@pytest.mark.parametrize("name", ["questions.csv", "images.csv"])
def test_an_optional_column_that_occurs_twice_is_named(root, name):
    add_images(root)
    column = {"questions.csv": "subject_id", "images.csv": "split"}[name]
    first, *lines = (root / name).read_text().splitlines()
    (root / name).write_text("\n".join([f"{first},{column}", *(f"{line},train" for line in lines)]))
    with pytest.raises(InputError, match=rf"{name}: column '{column}' occurs twice: remove one of them"):
        own(root).read()


def test_a_subject_that_contradicts_the_table_of_images_is_named(root):
    add_images(root)
    edit(root / "questions.csv", "p0,images/p0-new.png,,", "p1,images/p0-new.png,,")
    with pytest.raises(InputError, match=r"questions\.csv, row 3: subject_id is 'p1', but images\.csv says 'p0' of"):
        own(root).listed()


def test_an_image_of_two_subjects_is_named_with_its_rows(root):
    edit(root / "questions.csv", "p1,images/p1-new.png,images/p1-old.png", "p1,images/p1-new.png,images/p0-old.png")
    with pytest.raises(InputError, match=r"rows 2 and 4: image 'images/p0-old\.png' is of subject_id 'p0' in the one"):
        own(root).read()


def test_wrong_values_of_columns_that_may_be_left_out_are_named(root):
    images = [f"images/p{number}-new.png" for number in range(3)]
    write(root, "findings.csv", ["path", "finding", "presence", "region"], [[images[0], "edema", "yes", "left leg"]])
    with pytest.raises(InputError, match=r"findings\.csv, row 2: region is 'left leg'"):
        own(root).read()
    write(root, "findings.csv", ["path", "finding", "presence", "level"], [[images[0], "edema", "yes", "huge"]])
    with pytest.raises(InputError, match=r"findings\.csv, row 2: level is 'huge'"):
        own(root).read()
    write(root, "questions.csv", ["main", "question_type", "question", "answer"], [[images[0], "how", "why?", "yes"]])
    with pytest.raises(InputError, match=r"questions\.csv, row 2: question_type is 'how'"):
        own(root).read()


def test_a_given_split_is_checked_in_the_whole_file_and_needs_it(root):
    with pytest.raises(InputError, match=r"split=given takes the column split of .*images\.csv, which is missing"):
        own(root, split="given").read()
    add_images(root)
    edit(root / "images.csv", "images/p7-old.png,p7,3,AP,train", "images/p7-old.png,p7,3,AP,")
    with pytest.raises(InputError, match=r"images\.csv, row 16: split is blank"):
        own(root, split="given", limit=2).read()


def test_the_share_that_trains_is_the_one_of_the_given_split(root):
    add_images(root)
    assert own(root, split="given").listed().training == pytest.approx(28 / 30)
    assert own(root).listed().training == pytest.approx((own(root).read().images["split"] == "train").mean())


def test_a_subject_that_the_given_split_divides_is_counted(root):
    add_images(root)
    assert own(root, split="given").read().skipped == {}
    edit(root / "images.csv", "images/p7-old.png,p7,3,AP,train", "images/p7-old.png,p7,3,AP,test")
    tables = own(root, split="given").read()
    assert tables.skipped == {"subject on two sides of the split": 1}
    assert tables.left_out["subject on two sides of the split"] == ["p7"]


def test_a_question_about_nothing_known_and_a_missing_file_are_named(root):
    (root / "images/p4-old.png").unlink()
    fingerprint(own(root).files())  # leaves it to the reading
    with pytest.raises(InputError, match=r"p4-old\.png is missing"):
        own(root).read()
    (root / "questions.csv").unlink()
    with pytest.raises(InputError, match=r"questions\.csv is missing"):
        own(root).read()


def test_a_link_to_itself_ends_a_command_that_names_it(root, tmp_path):
    (root / "images/p4-old.png").unlink()
    (root / "images/p4-old.png").symlink_to("p4-old.png")
    assert re.search(r"p4-old\.png cannot be followed", refusal(own(root), tmp_path / "work"))


def test_questions_are_counted_where_they_have_no_id(root):
    assert own(root).read().questions["question_id"].to_list()[:3] == ["q0", "q1", "q2"]
    assert pl.read_csv(root / "questions.csv").height == 2 * SUBJECTS


def test_the_example_of_the_site_is_read(tmp_path):
    for name, text in files_of("how-to/own-data.md").items():
        (tmp_path / name).write_text(text)
    for name in ("a1", "a2", "b1", "b2", "c1", "c2"):
        write_image(tmp_path / f"images/{name}.png")
    tables = CsvSource(tmp_path, split="given").read()
    answers = tables.questions.filter(pl.col("question_type") == "difference")["answer"]
    assert len(answers) == 3
    assert all(parse_changes(answer) is not None for answer in answers)
    said = dict(tables.findings.select("image_id", "presence").iter_rows())
    assert said["images/a2.png"] == "yes"
    assert {said["images/b1.png"], said["images/b2.png"]} == {"yes", "no"}  # by which the classifier is chosen
