"""Damaged tables and scene graphs: one message, exit status 2, and no folder left of the tables."""

import pytest
from calling import prepare_mimic, refused
from layouts import ADDED, WHAT_CHANGED, dicom_id

SECOND = 59_000_012
GRAPH = f"{dicom_id(SECOND)}_SceneGraph.json"


def refused_whole(call, words, mimic):
    refused(call, words, *prepare_mimic(mimic.write()), "source.split=official")
    assert not [path for path in call.folder.glob("work/tables/*") if path.is_dir()]


@pytest.mark.parametrize("rows", ["0", "1e30", "-3", "2.5", "inf", "many"])
def test_a_size_that_no_image_has(call, mimic, rows):
    mimic.metadata[1]["Rows"] = rows
    words = ["mimic-cxr-2.0.0-metadata.csv.gz, row 3", f"Rows is '{rows}'", "from 1 to 65535"]
    refused_whole(call, words, mimic)


@pytest.mark.parametrize(
    ("key", "item", "word"),
    [
        ("objects", {"bbox_name": ["x"]}, "bbox_name is ['x']"),
        ("objects", {"x1": "1e999"}, "lacks a number"),
        ("objects", {"x1": 10**400}, "lacks a number"),
        ("attributes", {"bbox_name": {}}, "bbox_name is {}"),
        ("attributes", {"severity_cues": [5]}, "severity_cues of 'left lung'"),
        ("attributes", {"severity_cues": [[5]]}, "severity_cues of 'left lung'"),
        ("attributes", {"attributes": [5]}, "attributes of 'left lung'"),
        ("attributes", {"attributes": "edema"}, "attributes of 'left lung'"),
        ("attributes", {"attributes": [["disease|perhaps|hernia"]]}, "disease|perhaps|hernia"),
    ],
)
def test_a_scene_graph_of_wrong_values(call, mimic, key, item, word):
    mimic.graphs[dicom_id(SECOND)][key][0] |= item
    refused_whole(call, [GRAPH, word], mimic)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"study_id": None}, "study_id is None"),
        ({"entity": {"edema": 5}}, "entity"),
        ({"entity": {"edema": {"level": 5}}}, "the level of 'edema' is 5"),
        ({"no_entity": 5}, "no_entity is 5"),
        ({"no_entity": [5]}, "no_entity is [5]"),
    ],
)
def test_key_information_of_wrong_values(call, mimic, change, word):
    mimic.records[1] |= change
    refused_whole(call, ["all_diseases.json, record 1", word], mimic)


def test_two_records_of_a_study_that_differ(call, mimic):
    mimic.records.append(mimic.records[1] | {"no_entity": []})
    refused_whole(call, ["all_diseases.json, records 1 and 24", str(SECOND)], mimic)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_question_that_occurs_twice(call, mimic, place):
    mimic.questions.append(mimic.questions[place])
    refused_whole(call, [f"mimic_pair_questions.csv, rows {place + 2} and 38", "twice"], mimic)


def test_a_difference_question_that_a_pair_of_both_orders_has_twice_is_counted(call, mimic):
    first, second = 59_000_011, SECOND
    ids = {"subject_id": 19_000_001, "split": "train"}
    turned = {"study_id": first, "ref_id": second, "question_type": "presence", "question": "is there edema?"}
    corrected = {"study_id": second, "ref_id": first, "question_type": "difference", "question": WHAT_CHANGED}
    mimic.questions += [ids | turned | {"answer": "no"}, ids | corrected | {"answer": ADDED}]
    status, output = call(*prepare_mimic(mimic.write()), "source.split=official")
    assert status == 0, output
    assert "difference question of a pair in both orders, like the other (kept) 1" in " ".join(output.split())
    assert "questions 38" in output


def test_rows_of_the_split_that_contradict_each_other(call, mimic):
    mimic.split.append(mimic.split[1] | {"split": "train"})
    refused_whole(call, ["mimic-cxr-2.0.0-split.csv.gz", dicom_id(SECOND), "contradict"], mimic)


def test_rows_of_chexpert_that_contradict_each_other(call, mimic):
    mimic.chexpert.append(mimic.chexpert[1] | {"Edema": "1.0"})
    refused_whole(call, ["mimic-cxr-2.0.0-chexpert.csv.gz", str(SECOND), "contradict"], mimic)


def test_rows_that_say_the_same_count_once(call, mimic):
    mimic.split.append(mimic.split[1])
    mimic.chexpert.append(mimic.chexpert[1])
    mimic.studies.append(mimic.studies[1])
    status, output = call(*prepare_mimic(mimic.write()), "source.split=official")
    assert status == 0, output
    assert "questions 36" in output


@pytest.mark.parametrize(
    ("table", "left", "words"),
    [
        ("graphs", {}, ["scene_graph", "no box of any of the 24 images"]),
        ("records", [], ["all_diseases.json", "no record of any of the 24 studies"]),
        ("metadata", None, ["mimic_all.csv", "metadata.csv.gz", "none of the 24 studies"]),
        ("chexpert", None, ["chexpert.csv.gz", "none of the 24 studies"]),
    ],
)
def test_a_table_that_knows_nothing_of_the_data_set(call, mimic, table, left, words):
    if left is None:  # rows of another study
        row = getattr(mimic, table)[0]
        left = [row | {"study_id": 58_000_000}]
    if table == "metadata":  # the place of an image follows from its ids
        mimic.image_path = lambda study: mimic.image_root / f"{study}.jpg"
    setattr(mimic, table, left)
    refused_whole(call, words, mimic)


def test_scene_graphs_without_a_box(call, mimic):
    for graph in mimic.graphs.values():
        graph["objects"] = []
    refused_whole(call, ["scene_graph", "no box of any of the 24 images"], mimic)
