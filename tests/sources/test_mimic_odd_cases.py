"""What the paper's data hold that fits no rule of their description: each is counted, and has a rule here."""

import json

import polars as pl
import pytest
from layouts import MimicTree, dicom_id

from cfvqa.errors import InputError
from cfvqa.sources.fingerprint import fingerprint
from cfvqa.sources.mimic import MimicSource
from cfvqa.sources.tables import read_tables, write_tables

FIRST, SECOND = 59_000_011, 59_000_012  # of the first subject, whose official split is test
OTHER = "aaaaaaaa-bbbbbbbb-cccccccc-dddddddd-99999999"
LATERAL = {"ViewPosition": "LATERAL", "ViewCodeSequence_CodeMeaning": "lateral"}


@pytest.fixture
def tree(tmp_path):
    return MimicTree(tmp_path / "data", subjects=6)


def read(tree, **settings):
    return MimicSource(tree.root, **{"split": "official", "on_reversed": "error", **settings}).read()


def row_of(rows, study):
    return next(row for row in rows if row["study_id"] == study)


def images_of(tables, study):
    return tables.images.filter(pl.col("study_id") == str(study))


def add_image(tree, study, **changed):
    """Add a radiograph to a study, before the one that `mimic_all.csv` names."""
    named = row_of(tree.metadata, study)
    tree.metadata.insert(tree.metadata.index(named), named | {"dicom_id": OTHER} | changed)


def test_of_several_frontal_images_the_one_that_the_studies_name_counts(tree):
    add_image(tree, SECOND)
    tables = read(tree.write())
    assert images_of(tables, SECOND)["image_id"].to_list() == [dicom_id(SECOND)]
    assert tables.skipped == {"frontal image of a study of which another is named": 1}


def test_a_lateral_image_beside_the_frontal_one_is_counted(tree):
    add_image(tree, SECOND, **LATERAL)
    tables = read(tree.write())
    assert images_of(tables, SECOND)["view"].to_list() == ["AP"]
    assert tables.skipped == {"other image of a study of which another is named": 1}


def test_a_study_whose_named_image_is_lateral_is_left_out_though_another_is_frontal(tree):
    row_of(tree.metadata, SECOND).update(LATERAL)
    add_image(tree, SECOND, ViewPosition="PA", ViewCodeSequence_CodeMeaning="postero-anterior")
    tables = read(tree.write())
    assert images_of(tables, SECOND).is_empty()
    assert tables.skipped == {"study whose named image is not frontal": 1, "question whose study has no image": 3}


def test_images_of_a_dry_run_are_counted_for_its_subjects_alone(tree):
    add_image(tree, 59_000_062)
    tree.studies.remove(row_of(tree.studies, 59_000_051))
    assert read(tree.write(), limit=3).skipped == {}


def test_a_study_whose_image_file_is_missing_is_left_out_where_that_is_asked_for(tree):
    tree.write().image_path(SECOND).unlink()
    with pytest.raises(InputError, match=r"\.jpg is missing \(1 of 12 are\): .*source\.on_missing=drop"):
        read(tree)
    tables = read(tree, on_missing="drop")
    assert images_of(tables, SECOND).is_empty()
    assert tables.skipped == {"study whose image file is missing": 1, "question whose study has no image": 3}
    [path] = tables.left_out["study whose image file is missing"]
    assert tables.root / path == tree.image_path(SECOND)


def test_no_image_file_at_all_is_refused_whatever_is_asked_for(tree):
    for study in tree.write().metadata:
        tree.image_path(study["study_id"]).unlink()
    with pytest.raises(InputError, match=r"none of the 12 studies .*that can be used"):
        read(tree, on_missing="drop")


def test_a_study_of_the_questions_that_the_studies_do_not_have_takes_its_questions_along(tree):
    tree.studies.remove(row_of(tree.studies, FIRST))
    tables = read(tree.write())
    assert images_of(tables, FIRST).is_empty()
    lacking = {"study of the metadata that is not in mimic_all.csv": 1}
    assert tables.skipped == lacking | {"question whose study has no image": 1}
    assert read(tree, pairing="always").skipped == lacking | {"question whose study has no image": 3}


def test_a_study_whose_image_the_metadata_do_not_have_is_counted(tree):
    row_of(tree.studies, SECOND)["dicom_id"] = OTHER
    tables = read(tree.write())
    assert images_of(tables, SECOND).is_empty()
    assert tables.skipped["study whose image is not in the metadata"] == 1


def test_a_study_whose_named_image_is_another_studys_is_counted(tree):
    row_of(tree.studies, SECOND)["dicom_id"] = dicom_id(FIRST)
    tables = read(tree.write())
    assert images_of(tables, SECOND).is_empty()
    assert tables.skipped["study whose image is not in the metadata"] == 1


@pytest.mark.parametrize("left", ["no row", "a blank"])
def test_an_image_without_an_official_split_is_left_out_of_that_split_alone(tree, left):
    row = row_of(tree.split, SECOND)
    if left == "a blank":
        row["split"] = None
    else:
        tree.split.remove(row)
    tables = read(tree.write())
    assert images_of(tables, SECOND).is_empty()
    assert tables.skipped == {"image without an official split": 1, "question whose study has no image": 3}
    kept = read(tree, split="paper")
    assert images_of(kept, SECOND).height == 1
    assert "image without an official split" not in kept.skipped


def test_a_subject_that_the_official_split_divides_goes_to_its_last_side(tree):
    row_of(tree.split, FIRST)["split"] = "train"
    tables = read(tree.write())
    assert tables.images.filter(pl.col("subject_id") == "19000001")["split"].to_list() == ["test", "test"]
    assert tables.questions.filter(pl.col("subject_id") == "19000001")["split"].to_list() == ["test"] * 3
    assert tables.skipped == {"subject that the official split divides (all of it on its last side)": 1}


def test_a_scene_graph_without_a_box_is_counted_and_its_findings_are_read(tree):
    tree.graphs[dicom_id(SECOND)]["objects"] = []
    tree.graphs[dicom_id(FIRST)] |= {"objects": [], "attributes": []}
    tables = read(tree.write())
    assert tables.skipped == {"scene graph without a box": 2}
    regional = tables.findings.filter(pl.col("region").is_not_null())["image_id"].to_list()
    assert dicom_id(SECOND) in regional
    assert dicom_id(FIRST) not in regional
    assert images_of(tables, FIRST).height == 1


def add_reports(tree, *without):
    for row in tree.metadata:
        subject, study = row["subject_id"], row["study_id"]
        if study not in without:
            path = tree.root / f"mimic-cxr/files/p19/p{subject}/s{study}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("No edema.")


def test_a_study_without_key_information_has_its_labels_alone_and_is_counted_in_the_written_tables(tree, tmp_path):
    del tree.records[1]
    tables = read(tree.write())
    counted = {"study without key information (its labels alone count)": 1}
    said = tables.findings.filter((pl.col("image_id") == dicom_id(SECOND)) & pl.col("region").is_null())
    labels = {"atelectasis": "yes", "pulmonary edema/hazy opacity": "uncertain", "pneumothorax": "no"}
    assert dict(said.select("finding", "presence").iter_rows()) == labels
    write_tables(tables, tmp_path / "tables")
    assert read_tables(tmp_path / "tables").skipped == counted
    assert json.loads((tmp_path / "tables" / "dataset.json").read_text())["skipped"] == counted


def test_a_study_without_a_report_is_kept_and_counted_where_the_reports_are_given(tree):
    add_reports(tree.write(), SECOND)
    assert read(tree).skipped == {}
    tables = read(tree, reports="mimic-cxr")
    assert images_of(tables, SECOND).height == 1
    assert tables.skipped == {"study without a report (kept)": 1}
    assert tables.left_out["study without a report (kept)"] == [str(SECOND)]


def test_a_report_counts_for_what_the_tables_were_made_of(tree):
    add_reports(tree.write(), SECOND)
    source = MimicSource(tree.root, reports="mimic-cxr")
    before = fingerprint(source.files())
    add_reports(tree)
    assert fingerprint(source.files()) != before


def test_a_folder_without_the_reports_of_a_data_set_is_named(tree):
    tree.write()
    with pytest.raises(InputError, match=r"source\.reports: no folder .*mimic-cxr"):
        read(tree, reports="mimic-cxr")
    with pytest.raises(InputError, match=r"source\.reports: .*mimic-cxr-jpg has the report of none of the 12 studies"):
        read(tree, reports="mimic-cxr-jpg")
