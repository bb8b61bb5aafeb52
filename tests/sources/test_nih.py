import polars as pl
import pytest
from layouts import NIH_HEADER, write_nih

from cfvqa.errors import InputError
from cfvqa.language.grammar import Change, ChangeKind, parse_changes
from cfvqa.sources.nih import NihSource

TABLE = "Data_Entry_2017.csv"


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


@pytest.mark.parametrize("end", ["", ","])
def test_both_forms_of_the_header_are_read(tmp_path, end):
    assert NihSource(write_nih(tmp_path / "nih", end=end)).read().images.height == 90


def test_images_of_the_split_download_are_found(root):
    (root / "images").rename(root / "images_001")
    (root / "images_001").rename(root / "parts")
    (root / "images_001").mkdir()
    (root / "parts").rename(root / "images_001" / "images")
    assert NihSource(root).read().images["path"][0].startswith("images_001/images/")


def test_the_official_lists_decide_the_test_images(root):
    names = [f"{subject:08d}_{follow_up:03d}.png" for subject in range(1, 31) for follow_up in range(3)]
    (root / "test_list.txt").write_text("\n".join(names[60:]))
    (root / "train_val_list.txt").write_text("\n".join(names[:60]))
    images = NihSource(root, split="official").read().images
    assert set(images.filter(pl.col("split") == "test")["subject_id"]) == {f"{n:08d}" for n in range(21, 31)}
    (root / "train_val_list.txt").write_text("\n".join(names[1:60]))
    with pytest.raises(InputError, match=r"'00000001_000\.png' is in neither list"):
        NihSource(root, split="official").read()


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


def test_a_year_later_question_is_drawn_from_seed_and_image_alone(root):
    few = NihSource(root, limit=20).read().questions
    many = NihSource(root).read().questions
    assert few.equals(many.filter(pl.col("subject_id").is_in(few["subject_id"].unique().implode())))
    assert not NihSource(root, question_seed=2).read().questions.equals(many)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Cardiomegaly|Effusion", "Hiccups", "row 2: Finding Labels is 'Hiccups'"),
        ("00000001_001.png", "00000001_000.png", "occurs more than once"),
        ("00000001_001.png", "../secret.png", r"row 3: Image Index is '\.\./secret\.png'"),
        ("00000001_001.png", "00000777_001.png", r"00000777_001\.png is missing"),
        (",0,1,058Y", ",zero,1,058Y", "row 2: Follow-up # is 'zero'"),
        (",0,1,058Y", ",0,one,058Y", "row 2: Patient ID is 'one'"),
        ("Finding Labels", "Labels", "column 'Finding Labels' is missing"),
    ],
)
def test_a_malformed_row_is_named(root, old, new, message):
    edit(root / TABLE, old, new)
    with pytest.raises(InputError, match=message):
        NihSource(root).read()


def test_a_missing_table_and_an_empty_one_are_named(root):
    (root / TABLE).write_text(NIH_HEADER + "\n")
    with pytest.raises(InputError, match=rf"{TABLE} has no rows"):
        NihSource(root).read()
    (root / TABLE).unlink()
    with pytest.raises(InputError, match=rf"{TABLE} is missing"):
        NihSource(root).read()


def test_the_reader_takes_the_real_sample():
    from pathlib import Path

    sample = Path(__file__).parents[3] / "shared" / "nih_cxr14_sample"
    if not sample.is_dir():
        pytest.skip("the sample of real radiographs does not lie beside the project")
    tables = NihSource(sample).read()
    assert len(tables.images) == 345
    assert tables.images["subject_id"].n_unique() == 121
    assert (tables.questions["question_type"] == "difference").sum() == 224
