import re
import shutil

import polars as pl
import pytest
from layouts import NIH_HEADER, write_image, write_nih
from PIL import Image
from preparing import refusal

from cfvqa.errors import InputError
from cfvqa.language.grammar import Change, ChangeKind, parse_changes
from cfvqa.sources.nih import NihSource

TABLE = "Data_Entry_2017.csv"
IMAGE = "images/00000003_001.png"
MANY = [f"{subject:08d}_{follow_up:03d}.png" for subject in range(1, 31) for follow_up in range(3)]
NAMES = MANY[:9]


@pytest.fixture
def root(tmp_path):
    return write_nih(tmp_path / "nih")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_consecutive_follow_ups_become_pairs_in_the_answer_grammar(root):
    tables = NihSource(root).read()
    asked = tables.questions.filter(pl.col("question_type") == "difference")
    assert len(asked) == 60
    # Subject 1: "Cardiomegaly|Effusion", "Mass", "Effusion|Pleural_Thickening".
    first, second = asked.filter(pl.col("subject_id") == "00000001").rows(named=True)
    assert (first["main_image"], first["reference_image"]) == ("00000001_001", "00000001_000")
    assert parse_changes(first["answer"]) == {
        Change("mass", ChangeKind.ADDED),
        Change("cardiomegaly", ChangeKind.REMOVED),
        Change("pleural effusion", ChangeKind.REMOVED),
    }
    assert (second["main_image"], second["reference_image"]) == ("00000001_002", "00000001_001")


def test_presence_and_abnormality_follow_the_labels_and_the_view_is_asked_where_known(root):
    tables = NihSource(root).read()
    of_type = {kind: tables.questions.filter(pl.col("question_type") == kind) for kind in ("presence", "view")}
    healthy = tables.findings.group_by("image_id").agg((pl.col("presence") == "yes").sum().alias("n"))
    healthy = healthy.filter(pl.col("n") == 0)["image_id"]
    asked = tables.questions.filter(pl.col("question") == "is there evidence of any abnormalities in this image?")
    assert len(asked) == 90
    assert ((asked["answer"] == "no") == asked["main_image"].is_in(healthy.implode())).all()
    assert set(of_type["presence"]["answer"]) == {"yes", "no"}
    assert len(of_type["view"]) == 60
    assert set(of_type["view"]["answer"]) == {"PA view", "AP view"}
    assert not tables.has_regions


@pytest.mark.parametrize(("end", "name"), [("", "Data_Entry_2017_v2020.csv"), (",", TABLE)])
def test_both_forms_of_the_header_are_read(tmp_path, end, name):
    root = write_nih(tmp_path / "nih", end=end)
    (root / TABLE).rename(root / name)
    assert NihSource(root).read().images.height == 90


def test_images_of_the_split_download_are_found(root):
    (root / "images").rename(root / "images_001")
    (root / "images_001").rename(root / "parts")
    (root / "images_001").mkdir()
    (root / "parts").rename(root / "images_001" / "images")
    (root / "images_002" / "images").mkdir(parents=True)
    for part in ("images_001", "images_002"):
        (root / part / "images" / ".DS_Store").write_bytes(b"of a file browser")
    assert NihSource(root).read().images["path"][0].startswith("images_001/images/")


def test_images_that_are_linked_into_one_folder_are_read(root):
    (root / "images").rename(root / "parts")
    (root / "images_001").mkdir()
    (root / "parts").rename(root / "images_001" / "images")
    (root / "images").mkdir()
    for path in (root / "images_001" / "images").iterdir():
        (root / "images" / path.name).symlink_to(path)
    assert NihSource(root).read().images.height == 90


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_the_official_lists_decide_the_test_images(root, start):
    listed([start + MANY[60], *MANY[61:]], MANY[:60])(root)
    images = NihSource(root, split="official").read().images
    assert set(images.filter(pl.col("split") == "test")["subject_id"]) == {f"{n:08d}" for n in range(21, 31)}


BOX_LIST = "Image Index,Finding Label,Bbox [x,y,w,h]{end}\n00000001_000.png,{label},512,256,128,64{end}\n"


@pytest.mark.parametrize("end", ["", ",,,"])
def test_boxes_of_findings_are_scaled_from_the_published_frame(root, end):
    (root / "BBox_List_2017.csv").write_text(BOX_LIST.format(label="Infiltrate", end=end))
    tables = NihSource(root).read()
    assert tables.finding_boxes.rows() == [("00000001_000", "infiltration", 32.0, 16.0, 40.0, 20.0, 1)]
    assert not tables.skipped


def test_boxes_of_images_left_out_by_limit_are_left_out_and_those_without_labels_counted(root):
    rows = [BOX_LIST.format(label="Mass", end=""), "00000030_000.png,Mass,0,0,8,8\n", "00000099_000.png,Mass,0,0,8,8\n"]
    (root / "BBox_List_2017.csv").write_text("".join(rows))
    tables = NihSource(root, limit=29).read()
    assert tables.finding_boxes["image_id"].to_list() == ["00000001_000"]
    assert tables.skipped == {"box of an image without labels": 1}


def test_a_box_that_is_listed_twice_is_kept_once_and_counted(root):
    row = BOX_LIST.format(label="Mass", end="")
    (root / "BBox_List_2017.csv").write_text(row + row.partition("\n")[2])
    tables = NihSource(root).read()
    assert len(tables.finding_boxes) == 1
    assert tables.skipped == {"box of a finding that is listed twice (kept once)": 1}


def test_names_of_the_official_lists_without_a_row_are_counted(root):
    listed([*MANY[60:], "00000099_000.png", "zzz"], MANY[:60])(root)
    assert NihSource(root, split="official").read().skipped == {"name in the official lists without a row": 2}


def test_the_table_of_labels_has_one_of_its_two_published_names(root):
    (root / "Data_Entry_2017 (1).csv").write_text("not looked at")
    (root / TABLE).rename(root / "Data_Entry_2017_v2020.csv")
    assert NihSource(root).listed().images.height == 90
    (root / TABLE).write_text("of before")
    with pytest.raises(InputError, match=r"has both Data_Entry_2017\.csv and Data_Entry_2017_v2020\.csv: keep the one"):
        NihSource(root).listed()
    for path in root.glob("Data_Entry_2017[._]*csv"):
        path.unlink()
    with pytest.raises(InputError, match=r"Data_Entry_2017\.csv is missing"):
        NihSource(root).listed()


def test_the_share_that_trains_is_the_one_of_the_split(root):
    names = sorted(path.name for path in (root / "images").iterdir())
    (root / "test_list.txt").write_text("\n".join(name for name in names if name < "00000004"))
    (root / "train_val_list.txt").write_text("\n".join(name for name in names if name >= "00000004"))
    source = NihSource(root, split="official")
    assert source.listed().training == (source.read().images["split"] == "train").mean()


def test_boxes_that_are_empty_or_leave_their_image_are_left_out_and_counted(root):
    rows = [BOX_LIST.format(label="Mass", end=""), "00000001_000.png,Mass,1,2,0,4\n00000001_000.png,Mass,999,2,99,4\n"]
    (root / "BBox_List_2017.csv").write_text("".join(rows))
    tables = NihSource(root).read()
    assert len(tables.finding_boxes) == 1
    assert tables.skipped == {"box of a finding that is empty or leaves its image": 2}


def test_a_year_later_question_is_drawn_from_seed_and_image_alone(root):
    few = NihSource(root, limit=20).read().questions
    many = NihSource(root).read().questions
    assert few.equals(many.filter(pl.col("subject_id").is_in(few["subject_id"].unique().implode())))
    assert not NihSource(root, question_seed=2).read().questions.equals(many)


def entered(old, new):
    return lambda root: edit(root / TABLE, old, new)


def boxed(row, end=""):
    def change(root):
        header = f"Image Index,Finding Label,Bbox [x,y,w,h]{end}"
        (root / "BBox_List_2017.csv").write_text(
            f"{header}\n00000001_002.png,Mass,1,2,3,4{end}\n{row}{end}\n", errors="surrogateescape"
        )

    return change


def overwritten(name, content):
    return lambda root: (root / name).write_bytes(content)


def cut(root):
    path = root / IMAGE
    path.write_bytes(path.read_bytes()[:-40])


def shrunk(root):
    Image.new("L", (1, 1)).save(root / IMAGE)


def linked(root):
    (root / IMAGE).rename(root.parent / "elsewhere.png")
    (root / IMAGE).symlink_to(root.parent / "elsewhere.png")


def doubled_image(root):
    (root / "images_001" / "images").mkdir(parents=True)
    shutil.copy(root / IMAGE, root / "images_001" / "images")


def listed(test, others):
    def change(root):
        (root / "test_list.txt").write_text("\n".join(test))
        (root / "train_val_list.txt").write_text("\n".join(others))

    return change


def without_list(root):
    listed(NAMES[6:], NAMES[:6])(root)
    (root / "test_list.txt").unlink()


def garbled_list(root):
    listed(NAMES[6:], NAMES[:6])(root)
    (root / "test_list.txt").write_bytes(b"\xff\xfe")


MALFORMED = {
    "a label does not exist": (entered("Cardiomegaly|Effusion", "Hiccups"), "row 2: Finding Labels is 'Hiccups'"),
    "a label is blank": (entered("Cardiomegaly|Effusion", ""), "row 2: Finding Labels is blank"),
    "a label contradicts": (entered("Cardiomegaly|Eff", "No Finding|Eff"), "row 2: Finding Labels is 'No Finding|Eff"),
    "an image is doubled": (
        entered("00000001_001.png", "00000001_000.png"),
        "rows 2 and 3: Image Index '00000001_000.png' twice",
    ),
    "a name leaves the folder": (
        entered("00000001_001.png", "../secret.png"),
        r"row 3: Image Index is '\.\./secret\.png'",
    ),
    "a row has no image": (entered("00000001_001.png", "00000001_777.png"), r"00000001_777\.png is missing"),
    "a follow-up is a word": (entered(",0,1,058Y", ",zero,1,058Y"), "row 2: Follow-up # is 'zero'"),
    "a patient is a word": (entered(",0,1,058Y", ",0,one,058Y"), "row 2: Patient ID is 'one'"),
    "a patient is another's": (entered(",0,1,058Y", ",0,2,058Y"), rf"{TABLE}, row 2: Patient ID is '2', but the name"),
    "a column is missing": (entered("Finding Labels", "Labels"), "column 'Finding Labels' is missing"),
    "a row is too wide": (entered("0.168,0.168,", "0.168,0.168,1,1,"), rf"{TABLE}, row 2: it has 14 fields"),
    "the table has no rows": (overwritten(TABLE, NIH_HEADER.encode() + b"\n"), rf"{TABLE} has no rows"),
    "the table is empty": (overwritten(TABLE, b""), rf"{TABLE} cannot be read as CSV"),
    "the table is no UTF-8": (
        overwritten(TABLE, NIH_HEADER.encode() + b"\n\xff\xfe,Mass\n"),
        rf"{TABLE}, row 2: it is no UTF-8 text: save the file as UTF-8",
    ),
    "the table is UTF-16": (
        overwritten(TABLE, f"{NIH_HEADER}\n".encode("utf-16")),
        rf"{TABLE} is no UTF-8 text, but UTF-16 or UTF-32: save it as UTF-8",
    ),
    "the table is missing": (lambda root: (root / TABLE).unlink(), rf"{TABLE} is missing"),
    "an image is cut": (cut, r"00000003_001\.png cannot be read .*truncated"),
    "an image has no content": (overwritten(IMAGE, b""), r"00000003_001\.png cannot be read"),
    "an image has one pixel": (shrunk, r"00000003_001\.png has 1 x 1 pixels"),
    "an image is a link that leaves the folder": (linked, r"00000003_001\.png' goes through a link that leaves"),
    "an image has no row": (
        lambda root: write_image(root / "images" / "00000099_000.png"),
        rf"00000099_000\.png has no row in .*{TABLE}",
    ),
    "a corner is a word": (boxed("00000001_000.png,Mass,left,2,3,4"), r"BBox_List_2017\.csv, row 3: x is 'left'"),
    "a side is infinite": (boxed("00000001_000.png,Mass,1,2,inf,4"), r"BBox_List_2017\.csv, row 3: w is 'inf'"),
    "a side is blank": (boxed("00000001_000.png,Mass,1,2,3,", ",,,"), r"BBox_List_2017\.csv, row 3: h is blank"),
    "a box has an unknown label": (boxed("00000001_000.png,Flu,1,2,3,4"), "row 3: Finding Label is 'Flu'"),
    "a box has no image": (boxed(",Mass,1,2,3,4"), r"BBox_List_2017\.csv, row 3: Image Index is blank"),
    "the first box lacks a side": (
        overwritten("BBox_List_2017.csv", f"a,b\n{IMAGE[7:]},Mass,1,2,3\n{IMAGE[7:]},Mass,1,2,3,4\n".encode()),
        r"BBox_List_2017\.csv, row 2: it ends after 5 of 6 fields",
    ),
    "a box lacks a column": (overwritten("BBox_List_2017.csv", b"a,b\nx.png,Mass,1,2,3\n"), "has 5 columns"),
    "the list of boxes has no rows": (overwritten("BBox_List_2017.csv", b"a,b\n"), "BBox_List_2017.csv cannot be read"),
    "the list of boxes is no UTF-8": (
        boxed("00000001_000.png,M\udcff,1,2,3,4"),
        r"BBox_List_2017\.csv, row 3: it is no UTF-8 text: save the file as UTF-8",
    ),
    "the list of boxes has no header": (
        overwritten("BBox_List_2017.csv", b"00000001_000.png,Mass,1,2,3,4\n00000001_001.png,Mass,1,2,3,4\n"),
        r"BBox_List_2017\.csv, row 1: it is a box, the header is missing",
    ),
    "an image is there twice": (doubled_image, rf"{IMAGE} and images_001/{IMAGE} are of one image"),
    "a list is missing": (without_list, r"test_list\.txt is missing"),
    "a list is no text": (garbled_list, r"test_list\.txt cannot be read as a list of image names"),
    "an image is in no list": (listed(NAMES[6:], NAMES[1:6]), r"'00000001_000\.png' is in neither list"),
    "an image is in both lists": (listed(NAMES[6:], NAMES[:7]), "both have images of patient '00000003'"),
    "a patient is in both lists": (listed(NAMES[7:], NAMES[:7]), "both have images of patient '00000003'"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_malformed_ends_a_command_that_names_it_and_leaves_nothing(tmp_path, what):
    root = write_nih(tmp_path / "nih", subjects=3)
    change, message = MALFORMED[what]
    change(root)
    source = NihSource(root, split="official" if " list" in what and "boxes" not in what else "subject")
    assert re.search(message, refusal(source, tmp_path / "work"))


def test_the_reader_takes_the_real_sample():
    from pathlib import Path

    sample = Path(__file__).parents[3] / "shared" / "nih_cxr14_sample"
    if not sample.is_dir():
        pytest.skip("the sample of real radiographs does not lie beside the project")
    tables = NihSource(sample).read()
    assert len(tables.images) == 345
    assert tables.images["subject_id"].n_unique() == 121
    assert (tables.questions["question_type"] == "difference").sum() == 224
