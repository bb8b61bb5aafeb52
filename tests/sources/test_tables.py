import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cfvqa.errors import InputError
from cfvqa.phantom import PhantomSettings, write_phantom
from cfvqa.sources.checks import validate
from cfvqa.sources.mimic import MimicSource
from cfvqa.sources.order import order_pairs
from cfvqa.sources.splits import paper_split, subject_split
from cfvqa.sources.tables import read_tables, write_tables

SIDE = 64


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, PhantomSettings(subjects=60, seed=1, size=SIDE))
    return folder


@pytest.fixture(scope="module")
def tables(root):
    return MimicSource(root=root, name="phantom", on_reversed="error", split_seed=2).read()


def with_first(table, column, value):
    return table.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    )


def test_written_tables_are_read_back(tables, tmp_path):
    write_tables(replace(tables, left_out={"damaged": ["files/a.png"], "missing": []}), tmp_path)
    assert json.loads((tmp_path / "left_out.json").read_text()) == {"damaged": ["files/a.png"]}
    again = read_tables(tmp_path)
    assert again.questions.equals(tables.questions)
    assert again.regions.equals(tables.regions)
    assert not list(tmp_path.glob("*.tmp"))


def test_boxes_come_back_within_the_rounding_of_the_224_frame(root, tables):
    assert len(tables.regions) == 24 * len(tables.images)
    drawn = {}
    for path in root.rglob("*_SceneGraph.json"):
        graph = json.loads(path.read_text())
        for item in graph["objects"]:
            corners = [item[f"original_{corner}"] for corner in ("x1", "y1", "x2", "y2")]
            drawn[graph["image_id"], item["bbox_name"]] = corners
    read = {(image, region): corners for image, region, *corners in tables.regions.iter_rows()}
    assert read.keys() == drawn.keys()
    away = np.abs(np.array([read[key] for key in drawn]) - np.array(list(drawn.values())))
    assert away.max() <= 0.5 + 0.5 * SIDE / 224 + 1e-4  # of the written originals, whole pixels, and of the frame


def test_no_subject_is_on_two_sides(tables):
    both = tables.questions.group_by("subject_id").agg(pl.col("split").n_unique().alias("n"))
    assert both["n"].max() == 1


def test_only_difference_questions_have_a_reference(tables):
    has = tables.questions["reference_image"].is_not_null()
    assert (has == (tables.questions["question_type"] == "difference")).all()


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        ("questions", "question_type", "colour", "question_type 'colour'"),
        ("questions", "main_image", "nobody", "main_image 'nobody'"),
        ("regions", "region", "tail", "region 'tail'"),
        ("regions", "x2", 9999.0, "leaves the image"),
        ("findings", "finding", "hiccups", "finding 'hiccups'"),
        ("findings", "presence", "perhaps", "presence 'perhaps'"),
        ("images", "view", "upside down", "view 'upside down'"),
    ],
)
def test_a_wrong_value_is_named(tables, name, column, value, message):
    broken = replace(tables, **{name: with_first(getattr(tables, name), column, value)})
    with pytest.raises(InputError, match=message):
        validate(broken)


def test_missing_column_doubled_id_empty_table_and_empty_split_are_named(tables):
    with pytest.raises(InputError, match="column 'answer'"):
        validate(replace(tables, questions=tables.questions.drop("answer")))
    with pytest.raises(InputError, match="more than once"):
        validate(replace(tables, images=pl.concat([tables.images, tables.images.head(1)])))
    with pytest.raises(InputError, match="empty"):
        validate(replace(tables, questions=tables.questions.clear()))
    with pytest.raises(InputError, match="split 'val'"):
        validate(replace(tables, questions=tables.questions.filter(pl.col("split") != "val")))


def test_reversed_pairs_are_found_swapped_or_dropped(tables):
    rows = tables.questions.filter(pl.col("question_type") == "difference")
    back = rows.with_columns(
        pl.col("reference_image").alias("main_image"), pl.col("main_image").alias("reference_image")
    )
    with pytest.raises(InputError, match="on_reversed=swap"):
        order_pairs(back, tables.images, on_reversed="error")
    swapped, counts = order_pairs(back, tables.images, on_reversed="swap")
    assert counts == {"reversed pair: swapped": len(rows), "reversed pair: dropped, its answer does not parse": 0}
    assert swapped["main_image"].equals(rows["main_image"])
    assert len(order_pairs(back, tables.images, on_reversed="drop")[0]) == 0


def test_subjects_lie_on_the_sides_that_they_have_always_lain_on():
    patients = pl.Series(["00000001", "00000002", "00000005", "00000008", "00000013"])
    assert subject_split(patients, seed=1).to_list() == ["train", "train", "test", "test", "val"]


def test_splits_are_stable_and_the_paper_cut_is_by_row():
    few = pl.Series([str(n) for n in range(100)])
    many = pl.Series([str(n) for n in range(1000)])
    assert subject_split(few, seed=1).equals(subject_split(many, seed=1)[:100], check_names=False)
    assert paper_split(11).to_list() == ["train"] * 9 + ["val"] + ["test"]
