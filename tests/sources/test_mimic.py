import gzip
import json
import re

import polars as pl
import pytest
from layouts import ADDED, MimicTree, dicom_id, write_image

from cfvqa.errors import InputError
from cfvqa.language.grammar import flip_answer
from cfvqa.language.keywords import answer_keywords
from cfvqa.sources.csv_files import load_csv
from cfvqa.sources.mimic import MimicSource
from cfvqa.sources.order import reversed_pairs

FIRST, SECOND = 59_000_011, 59_000_012  # the studies of the first subject


@pytest.fixture
def tree(tmp_path):
    return MimicTree(tmp_path / "data")


def read(tree, **settings):
    return MimicSource(tree.root, **{"split": "official", "on_reversed": "error", **settings}).read()


def of_image(table, study):
    return table.filter(pl.col("image_id") == dicom_id(study))


def test_a_data_set_becomes_four_tables(tree):
    tables = read(tree.write())
    assert tables.images.height == 24
    image = of_image(tables.images, SECOND).row(0, named=True)
    assert image == {
        "image_id": dicom_id(SECOND),
        "study_id": str(SECOND),
        "subject_id": "19000001",
        "study_order": 2,
        "view": "AP",
        "path": tree.image_path(SECOND).relative_to(tables.root).as_posix(),
        "width": 60,
        "height": 48,
        "split": "test",
    }
    assert tables.questions["question_type"].to_list() == ["abnormality", "presence", "difference"] * 12
    assert tables.skipped == {}
    assert tables.has_regions


def test_only_difference_questions_get_a_reference_image(tree):
    tree.write()
    references = read(tree).questions["reference_image"].head(3).to_list()
    assert references == [None, None, dicom_id(FIRST)]
    always = read(tree, pairing="always").questions["reference_image"].head(3).to_list()
    assert always == [dicom_id(FIRST)] * 3


def test_answers_lose_the_trailing_blank_and_get_keywords(tree):
    row = read(tree.write()).questions.row(2, named=True)
    assert row["answer"] == ADDED.strip()
    assert row["keywords"] == "additional edema."


def test_boxes_come_from_the_padded_frame(tree):
    # 60 x 48 pixels fill 224 x 179 of the frame, 22 rows below its top.
    box = of_image(read(tree.write()).regions, SECOND).row(0, named=True)
    scale = 60 / 224
    assert box["region"] == "left lung"
    expected = (112 * scale, (72 - 22) * scale, 168 * scale, (152 - 22) * scale)
    assert (box["x1"], box["y1"], box["x2"], box["y2"]) == pytest.approx(expected, abs=1e-4)


def test_boxes_follow_a_copy_of_another_size_and_shape(tree):
    tree.write()
    published = of_image(read(tree).regions, SECOND).row(0, named=True)
    write_image(tree.image_path(SECOND), 120, 480)
    tables = read(tree)
    box = of_image(tables.regions, SECOND).row(0, named=True)
    assert box["x2"] == pytest.approx(published["x2"] * 2, rel=1e-5)
    assert box["y1"] == pytest.approx(published["y1"] * 10, rel=1e-5)
    assert sum(tables.skipped.values()) == 1


def test_boxes_are_cut_at_the_border_and_empty_ones_counted(tree):
    tree.graphs[dicom_id(SECOND)]["objects"] = [
        {"bbox_name": "left lung", "x1": -2, "y1": 0, "x2": 226, "y2": 224},
        {"bbox_name": "right lung", "x1": 50, "y1": 60, "x2": 50, "y2": 90},
        {"bbox_name": "left lung", "x1": 1, "y1": 60, "x2": 50, "y2": 90},
        {"bbox_name": "left breast", "x1": 1, "y1": 60, "x2": 50, "y2": 90},
    ]
    tables = read(tree.write())
    boxes = of_image(tables.regions, SECOND)
    assert boxes.select("x1", "y1", "x2", "y2").rows() == [(0, 0, 60, 48)]
    assert tables.skipped == {
        "box cut at the border": 1,
        "box that is empty or a region's second": 2,
        "box of a region outside the 24": 1,
    }


def test_cut_boxes_are_counted_under_the_first_and_rounding_is_none(tree):
    for study, lowest in ((FIRST, 22 + 179 + 2), (SECOND, 210), (59_000_021, 215)):
        tree.graphs[dicom_id(study)]["objects"][0]["y2"] = lowest
    tables = read(tree.write())
    assert tables.skipped == {"box cut at the border": 2}
    assert of_image(tables.regions, FIRST)["y2"].item() == 48


def test_boxes_that_miss_the_image_or_leave_the_frame_are_left_out_and_counted(tree):
    tree.graphs[dicom_id(SECOND)]["objects"] = [
        {"bbox_name": "left lung", "x1": 10, "y1": 0, "x2": 90, "y2": 15},
        {"bbox_name": "right lung", "x1": 112, "y1": 72, "x2": 999, "y2": 152},
        {"bbox_name": "cardiac silhouette", "x1": -500, "y1": 72, "x2": 168, "y2": 152},
    ]
    tables = read(tree.write())
    assert not len(of_image(tables.regions, SECOND))
    assert tables.skipped == {"box outside the image": 3}


def test_region_findings_have_polarity_and_level(tree):
    found = of_image(read(tree.write()).findings, SECOND).filter(pl.col("region").is_not_null())
    assert set(found.select("region", "finding", "presence", "level").rows()) == {
        ("left lung", "lung opacity", "yes", "mild"),
        ("left lung", "pneumothorax", "no", None),
    }


def test_a_positive_sentence_wins_over_a_negative_one(tree):
    attribute = tree.graphs[dicom_id(SECOND)]["attributes"][0]
    attribute["attributes"] = [
        ["anatomicalfinding|no|atelectasis"],
        ["anatomicalfinding|yes|atelectasis"],
        ["anatomicalfinding|yes|atelectasis", "tubesandlines|yes|picc", "disease|yes|goiter"],
    ]
    attribute["severity_cues"] = [["severity|yes|severe"], [], ["severity|yes|hedge", "severity|yes|moderate"]]
    tables = read(tree.write())
    found = of_image(tables.findings, SECOND).filter(pl.col("region").is_not_null())
    assert found.select("finding", "presence", "level").rows() == [("atelectasis", "yes", "moderate")]
    assert tables.skipped == {"finding outside the 24 regions or the 38 findings": 1}


def test_key_information_wins_over_chexpert(tree):
    entity = {"pleural effusion": {"level": ["small"]}, "edema": {"level": ["mild", "severe"]}, "thymoma": {}}
    record = next(record for record in tree.records if record["study_id"] == str(SECOND))
    record |= {"entity": entity, "no_entity": ["atelectasis", "edema", "infection", "infection"]}
    tables = read(tree.write())
    found = of_image(tables.findings, SECOND).filter(pl.col("region").is_null())
    assert set(found.select("finding", "presence", "level").rows()) == {
        ("pleural effusion", "yes", "small"),
        ("pulmonary edema/hazy opacity", "yes", None),
        ("atelectasis", "no", None),
        ("airspace opacity", "no", None),
        ("pneumothorax", "no", None),
    }
    assert tables.skipped == {"reported finding without a node": 1, "level of several words": 1}


def test_of_two_names_of_one_node_the_one_with_a_level_counts(tree):
    graded = {"cardiomegaly": {"level": None}, "enlargement of the cardiac silhouette": {"level": ["mild"]}}
    next(record for record in tree.records if record["study_id"] == str(SECOND))["entity"] = graded
    found = of_image(read(tree.write()).findings, SECOND)
    rows = found.filter(pl.col("finding") == "enlarged cardiac silhouette").select("presence", "level").rows()
    assert rows == [("yes", "mild")]


def test_chexpert_speaks_where_the_key_information_is_silent(tree):
    tree.records = [record for record in tree.records if record["study_id"] != str(SECOND)]
    found = of_image(read(tree.write()).findings, SECOND).filter(pl.col("region").is_null())
    assert set(found.select("finding", "presence").rows()) == {
        ("atelectasis", "yes"),
        ("pulmonary edema/hazy opacity", "uncertain"),
        ("pneumothorax", "no"),
    }


def reverse_first_pair(tree):
    for row in tree.questions[:3]:
        row["study_id"], row["ref_id"] = row["ref_id"], row["study_id"]


def test_a_reversed_pair_stops_unless_told_otherwise(tree):
    reverse_first_pair(tree)
    with pytest.raises(InputError, match=r"1 difference questions.*q0000002.*source\.on_reversed=swap"):
        read(tree.write())


def test_a_swapped_pair_reverses_answer_and_keywords(tree):
    reverse_first_pair(tree)
    tables = read(tree.write(), on_reversed="swap")
    row = tables.questions.row(2, named=True)
    assert (row["main_image"], row["reference_image"]) == (dicom_id(SECOND), dicom_id(FIRST))
    assert row["answer"] == flip_answer(ADDED)
    assert row["keywords"] == answer_keywords("difference", row["answer"])
    assert tables.questions["main_image"].head(2).to_list() == [dicom_id(FIRST)] * 2
    assert tables.skipped == {"reversed pair: swapped": 1}


def test_a_reversed_answer_that_does_not_parse_is_dropped_and_counted(tree):
    reverse_first_pair(tree)
    tree.questions[2]["answer"] = "much better"
    tables = read(tree.write(), on_reversed="swap")
    assert tables.questions.height == 35
    assert tables.skipped == {"reversed pair: dropped, its answer does not parse": 1}


def test_dropping_leaves_no_reversed_pair(tree):
    reverse_first_pair(tree)
    tables = read(tree.write(), on_reversed="drop")
    assert tables.questions.height == 35
    assert not reversed_pairs(tables.questions, tables.images).any()
    assert tables.skipped == {"reversed pair: dropped": 1}


def test_studies_of_one_day_count_as_ordered(tree):
    for row in tree.studies[:2]:
        row["study_order"] = 1
    assert read(tree.write()).questions.height == 36


def test_defect_23_the_subject_split_never_divides_a_subject(tmp_path):
    tables = read(MimicTree(tmp_path / "data", subjects=40).write(), split="subject")
    assert tables.questions.group_by("subject_id").agg(pl.col("split").n_unique())["split"].max() == 1
    joined = tables.questions.join(tables.images, left_on="main_image", right_on="image_id")
    assert (joined["split"] == joined["split_right"]).all()


def test_the_paper_split_cuts_the_file_by_row_whatever_is_left_out(tree):
    tree.questions[0]["answer"] = ""
    reverse_first_pair(tree)
    tables = read(tree.write(), split="paper", on_reversed="drop")
    counts = dict(tables.questions.group_by("split").len().rows())
    assert counts == {"train": 27, "val": 4, "test": 3}  # of the 36 rows: 29, 4, 3
    assert tables.skipped["subject on two sides of the split"] == 1
    assert tables.skipped["question without an answer"] == 1


def test_the_paper_split_is_the_published_column_where_every_row_has_it(tree):
    for number, row in enumerate(tree.questions):
        row["split"] = ("val", "test", "train")[min(number // 4, 2)]
    counts = dict(read(tree.write(), split="paper").questions.group_by("split").len().rows())
    assert counts == {"val": 4, "test": 4, "train": 28}
    some = read(tree, split="paper", limit=6).questions["split"]
    assert some.unique(maintain_order=True).to_list() == ["train", "val", "test"]
    table = tree.question_root / "mimic_pair_questions.csv"
    table.write_text(table.read_text().replace(",val\n", ",validate\n", 1))
    with pytest.raises(InputError, match=r"mimic_pair_questions\.csv, row 2: split is 'validate'"):
        read(tree)


@pytest.mark.parametrize("row", ["last", "first"])
def test_no_test_subject_is_a_training_image_in_the_paper_split(tree, row):
    if row == "first":  # of a subject, whose other questions are of training
        for number, question in enumerate(tree.questions):
            question["split"] = "test" if number == 0 else "val" if number > 32 else "train"
    tables = read(tree.write(), split="paper")
    tested = tables.questions.filter(pl.col("split") == "test")["subject_id"].unique()
    splits = tables.images.filter(pl.col("subject_id").is_in(tested.implode()))["split"]
    assert set(splits) == {"test"}


def test_the_limit_takes_the_first_subjects_and_counts_nothing_as_skipped(tree):
    tables = read(tree.write(), limit=5)
    assert tables.images["subject_id"].unique().sort().to_list() == [f"1900000{n}" for n in range(1, 6)]
    assert tables.skipped == {}


def test_lateral_studies_are_left_out_with_their_questions(tree):
    row = next(row for row in tree.metadata if row["study_id"] == SECOND)
    row |= {"ViewPosition": "LL", "ViewCodeSequence_CodeMeaning": None}
    tree.write()
    tables = read(tree)
    assert tables.skipped == {"study whose named image is not frontal": 1, "question whose study has no image": 3}
    assert of_image(read(tree, frontal_only=False).images, SECOND)["view"].item() == "lateral"


def test_plain_csv_files_are_read_too(tree):
    tree.write()
    for path in list(tree.image_root.glob("*.csv.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert read(tree).images.height == 24


def test_a_scene_graph_folder_unzipped_into_itself_is_found(tree):
    tree.write()
    inner = tree.graph_root / "scene_graph"
    graphs = list(tree.graph_root.glob("*.json"))
    inner.mkdir()
    for path in graphs:
        path.rename(inner / path.name)
    assert read(tree).regions.height == 24


def in_two_processes(monkeypatch):
    for name, value in {"cores": lambda: 2, "_GRAPHS_A_PROCESS": 1, "_GRAPHS_AT_ONCE": 5}.items():
        monkeypatch.setattr(f"cfvqa.sources.chest_imagenome.{name}", value)


def test_two_processes_read_what_one_reads(tree, monkeypatch):
    del tree.graphs[dicom_id(SECOND)]
    tree.write()
    one = read(tree)
    in_two_processes(monkeypatch)
    two = read(tree)
    assert two.regions.equals(one.regions)
    assert two.findings.equals(one.findings)
    assert two.skipped == one.skipped == {"image without a scene graph": 1}


def test_another_process_names_the_file_that_is_wrong(tree, monkeypatch):
    (tree.write().graph_root / f"{dicom_id(SECOND)}_SceneGraph.json").write_text("[")
    in_two_processes(monkeypatch)
    with pytest.raises(InputError, match=f"{dicom_id(SECOND)}_SceneGraph.json is no readable JSON"):
        read(tree)


def test_an_image_without_a_scene_graph_is_counted(tree):
    del tree.graphs[dicom_id(SECOND)]
    assert read(tree.write()).skipped == {"image without a scene graph": 1}


def test_progress_reaches_the_number_of_images(tree):
    seen = []
    MimicSource(tree.write().root, split="official").read(seen.append)
    assert seen == [*range(1, 25), 24]


@pytest.mark.parametrize("name", ["mimic_all.csv", "mimic_pair_questions.csv", "all_diseases.json"])
def test_a_missing_file_is_named(tree, name):
    (tree.write().question_root / name).unlink()
    with pytest.raises(InputError, match=rf"{re.escape(name)}(\(\.gz\))? is missing.*check source\.questions"):
        read(tree)


def test_a_missing_root_names_the_key(tmp_path):
    with pytest.raises(InputError, match=r"source\.root: no folder .*nowhere.*source\.root=FOLDER"):
        MimicSource(tmp_path / "nowhere").read()


@pytest.mark.parametrize("folder", ["mimic-cxr-jpg", "chest-imagenome", "medical-diff-vqa"])
def test_a_missing_release_is_named(tree, folder):
    tree.write()
    (tree.root / folder).rename(tree.root / "elsewhere")
    with pytest.raises(InputError, match=folder):
        read(tree)


def test_a_missing_column_is_named_with_its_file(tree):
    path = tree.write().question_root / "mimic_pair_questions.csv"
    path.write_text(path.read_text().replace("ref_id", "reference"))
    with pytest.raises(InputError, match=r"mimic_pair_questions\.csv: column 'ref_id' is missing"):
        read(tree)


@pytest.mark.parametrize("name", ["mimic_pair_questions.csv", "mimic-cxr-2.0.0-split.csv.gz"])
def test_a_row_with_too_many_fields_is_named(tree, name):
    tree.write()
    path = next(tree.root.rglob(name))
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt") as file:
        lines = file.read().splitlines()
    width = lines[0].count(",") + 1
    lines[4] = ",".join(["x"] * (width + 1))
    with opened(path, "wt") as file:
        file.write("\n".join(lines))
    with pytest.raises(
        InputError, match=rf"{name}, row 5: it has {width + 1} fields, the first row {width}: "
    ) as refused:
        read(tree)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'a,b\n1,2\n3,"4\n5,6\n', r"table\.csv, row 3: a quote in it ends nowhere"),
        (b'a,b\n1,"2\n3"\n4,"5\n', r"table\.csv, row 3: a quote in it ends nowhere"),
        (b'a,b\n1,2\n3,a 3" mass, or\n4,"b"\n', r"table\.csv, row 3: a quote stands amid a text"),
        (b"a,b\r" + b"1,2\r" * 20_000, r"table\.csv ends its lines with CR alone"),
        (b"a,b\n1,2\n3,\xe9\n", r"table\.csv, row 3: it is no UTF-8 text: save the file as UTF-8"),
        (b"", r"table\.csv cannot be read as CSV \(.*\): restore the file"),
    ],
)
def test_what_is_no_csv_is_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as refused:
        load_csv(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("zipped", [False, True])
def test_text_that_is_no_utf_8_is_said_to_be_none(tmp_path, encoding, zipped):
    text = "a,b\n1,2\n".encode(encoding)
    path = tmp_path / "table.csv"
    path.write_bytes(gzip.compress(text) if zipped else text)
    with pytest.raises(InputError, match=r"table\.csv is no UTF-8 text, but UTF-16 or UTF-32: save it as UTF-8"):
        load_csv(path)


def test_a_zipped_file_with_wrong_bytes_is_refused_in_one_line(tmp_path):
    content = bytearray(gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n * 7919 % 997, n) for n in range(5000))))
    content[50] ^= 0xFF
    (tmp_path / "table.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"table\.csv\.gz cannot be read as CSV"):
        load_csv(tmp_path / "table.csv.gz")


@pytest.mark.parametrize(("wrong", "shown"), [("opinion", "'opinion'"), ("Difference", "'Difference'"), ("", "blank")])
def test_an_unknown_question_type_is_named_with_its_row_of_the_file(tree, wrong, shown):
    tree.questions[1]["question_type"] = wrong
    with pytest.raises(
        InputError, match=rf"mimic_pair_questions\.csv, row 3: question_type is {shown}; expected abnormality"
    ):
        read(tree.write())


def test_a_doubled_image_id_is_named(tree):
    tree.metadata.append(tree.metadata[0])
    with pytest.raises(InputError, match=rf"rows 2 and 26: dicom_id '{dicom_id(FIRST)}' twice"):
        read(tree.write())


def test_contradicting_rows_of_a_study_are_named(tree):
    tree.studies.append(tree.studies[0] | {"study_order": 7})
    with pytest.raises(InputError, match=rf"study_id '{FIRST}' has rows that contradict"):
        read(tree.write())


@pytest.mark.parametrize(
    ("rows", "column", "value"),
    [
        ("metadata", "subject_id", "p19000001"),
        ("metadata", "dicom_id", "../../secret"),
        ("questions", "ref_id", "first"),
        ("studies", "study_order", "early"),
        ("metadata", "Rows", "nan"),
    ],
)
def test_an_identifier_or_number_that_is_none_is_named(tree, rows, column, value):
    tree.write()
    getattr(tree, rows)[0][column] = value
    other = MimicTree(tree.root.with_name("other"))
    setattr(other, rows, getattr(tree, rows))
    if rows == "metadata":  # the place of an image follows from its ids
        other.image_path = lambda study: other.image_root / f"{study}.jpg"
    with pytest.raises(InputError, match=rf"row 2: {column} is '{value}'"):
        read(other.write())


def test_a_chexpert_value_that_is_none_is_named(tree):
    tree.chexpert[1]["Edema"] = "0.5"
    with pytest.raises(InputError, match=r"chexpert.*row 3: Edema is '0\.5'"):
        read(tree.write())


def test_an_image_that_is_not_on_disk_is_named(tree):
    tree.write().image_path(SECOND).unlink()
    with pytest.raises(InputError, match=rf"{dicom_id(SECOND)}\.jpg is missing"):
        read(tree)


def test_a_truncated_image_is_named_before_anything_is_trained(tree):
    path = tree.write().image_path(SECOND)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=rf"{dicom_id(SECOND)}\.jpg cannot be read.*truncated"):
        read(tree)


def test_an_image_behind_a_link_out_of_the_folder_is_refused(tree, tmp_path):
    path = tree.write().image_path(SECOND)
    path.rename(tmp_path / "outside.jpg")
    path.symlink_to(tmp_path / "outside.jpg")
    with pytest.raises(InputError, match="link that leaves the data folder"):
        read(tree)


def test_an_empty_table_is_named(tree):
    tree.questions.clear()
    with pytest.raises(InputError, match=r"mimic_pair_questions\.csv has no rows"):
        read(tree.write())


def test_no_question_left_is_an_empty_table(tree):
    for row in tree.questions:
        row["study_id"] = 1
    with pytest.raises(InputError, match="table questions of source 'mimic' is empty"):
        read(tree.write())


def test_a_split_without_questions_is_named(tree):
    with pytest.raises(InputError, match=r"split 'train' of source 'mimic' has no question.*limit"):
        read(tree.write(), limit=1)


@pytest.mark.parametrize("key", ["split", "boxes", "labels", "pairing", "on_reversed", "on_missing", "on_corrupt"])
def test_an_unknown_choice_names_the_key_and_the_choices(tree, key):
    with pytest.raises(InputError, match=rf"source\.{key} is 'other': choose one of"):
        read(tree.write(), **{key: "other"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"objects": [', "is no readable JSON"),
        ("[]", "key 'objects' is no list"),
        ('{"objects": [], "attributes": 3}', "key 'attributes' is no list"),
        ('{"objects": [{"bbox_name": "left lung", "x1": "a"}], "attributes": []}', "object 'left lung' lacks a number"),
        (
            '{"objects": [], "attributes": [{"bbox_name": "left lung", "attributes": [["edema"]]}]}',
            "attribute 'edema' is not of the form",
        ),
    ],
)
def test_a_malformed_scene_graph_is_named(tree, text, message):
    (tree.write().graph_root / f"{dicom_id(SECOND)}_SceneGraph.json").write_text(text)
    with pytest.raises(InputError, match=f"{dicom_id(SECOND)}_SceneGraph.json.*{message}"):
        read(tree)


@pytest.mark.parametrize("text", ["[{", '{"study_id": "1"}', "[3]", json.dumps([{"study_id": "1", "entity": ["x"]}])])
def test_malformed_key_information_is_named(tree, text):
    (tree.write().question_root / "all_diseases.json").write_text(text)
    with pytest.raises(InputError, match=r"all_diseases\.json"):
        read(tree)
