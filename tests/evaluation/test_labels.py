import polars as pl

from cfvqa.evaluation.labels import answers_of_labels, names_of_nodes
from cfvqa.sources.tables import SCHEMAS

EDEMA = "the main image has an additional finding of edema than the reference image."
LEVEL = "the level of cardiomegaly has changed from mild to severe."


def findings(*rows):
    return pl.DataFrame(rows, schema=SCHEMAS["findings"], orient="row")


def test_nodes_are_named_as_answers_name_them_and_those_with_two_names_are_left_out():
    names = names_of_nodes([EDEMA, LEVEL, "nothing has changed."])
    assert names == {"pulmonary edema/hazy opacity": "edema", "enlarged cardiac silhouette": "cardiomegaly"}
    enlarged = (
        "the main image has an additional finding of enlargement of the cardiac silhouette than the reference image."
    )
    assert "enlarged cardiac silhouette" not in names_of_nodes([LEVEL, enlarged])


def test_labels_answer_what_changed_between_the_images_that_are_shown():
    table = findings(
        ("a", None, "pulmonary edema/hazy opacity", "yes", None),
        ("a", None, "enlarged cardiac silhouette", "yes", "severe"),
        ("b", None, "enlarged cardiac silhouette", "yes", "mild"),
        ("b", None, "pulmonary edema/hazy opacity", "no", None),
        ("b", "left lung", "pneumothorax", "yes", "small"),
    )
    shown = pl.DataFrame({"main_image": ["a", "b", "b"], "reference_image": ["b", "a", "b"]})
    answers = answers_of_labels(shown, table, names_of_nodes([EDEMA, LEVEL]))
    assert answers == [
        f"{LEVEL} {EDEMA}",
        "the level of cardiomegaly has changed from severe to mild. "
        "the main image is missing the finding of edema than the reference image.",
        "nothing has changed.",
    ]


def test_without_labels_of_the_whole_images_that_are_shown_there_is_no_answer():
    table = findings(("a", "left lung", "pneumothorax", "yes", None), ("c", None, "pneumothorax", "yes", None))
    for reference in ("b", None):
        shown = pl.DataFrame({"main_image": ["a"], "reference_image": [reference]})
        assert answers_of_labels(shown, table, {}) is None
