"""Boxes of several readers become one, by rules that can be worked out by hand."""

import numpy as np
import polars as pl
import pytest

from cfvqa.sources.finding_boxes import fuse, fuse_boxes, intersection_over_union, within_images

SQUARE = (0, 0, 10, 10)


def fused(*boxes, readers=None, overlap=0.5):
    rows = np.array(boxes, dtype=np.float64)
    places, counts = fuse_boxes(rows, list(readers or "abcdef"[: len(rows)]), overlap)
    return [tuple(box) for box in places.tolist()], counts


def test_the_overlap_of_boxes_is_what_they_share_of_what_they_cover():
    others = np.array([SQUARE, (5, 0, 15, 10), (0, 0, 5, 5), (10, 10, 20, 20), (30, 30, 31, 31)], dtype=float)
    expected = [1, 50 / 150, 25 / 100, 0, 0]
    assert intersection_over_union(np.array(SQUARE, dtype=float), others) == pytest.approx(expected)


def test_boxes_that_overlap_become_their_mean():
    assert fused(SQUARE, (2, 0, 12, 10)) == ([(1, 0, 11, 10)], [2])  # 80 of 120
    assert fused(SQUARE, (1, 0, 11, 10), (2, 0, 12, 10)) == ([(1, 0, 11, 10)], [3])  # 90 of 110, 85 of 115


def test_boxes_that_overlap_less_stay_apart_the_largest_first():
    assert fused(SQUARE, (6, 0, 18, 10)) == ([(6, 0, 18, 10), SQUARE], [1, 1])


def test_an_overlap_of_just_the_bound_joins():
    assert fused(SQUARE, (0, 0, 10, 5)) == ([(0, 0, 10, 7.5)], [2])
    assert fused(SQUARE, (0, 0, 10, 5), overlap=0.51)[1] == [1, 1]


def test_two_boxes_of_one_reader_never_join():
    assert fused(SQUARE, (0, 0, 10, 9), readers="aa")[1] == [1, 1]
    assert fused(SQUARE, (0, 0, 10, 9), (0, 0, 10, 8), readers="aab") == ([SQUARE, (0, 0, 10, 8.5)], [1, 2])


def test_the_order_of_rows_does_not_matter():
    generator = np.random.default_rng(1)
    corners = generator.uniform(0, 20, (12, 2))
    boxes, readers = np.hstack([corners, corners + generator.uniform(8, 20, (12, 2))]), list("aaaabbbbcccc")
    first, counts = fuse_boxes(boxes, readers, 0.4)
    assert sum(counts) == 12
    assert max(counts) > 1
    for _ in range(5):
        order = generator.permutation(12)
        again, same = fuse_boxes(boxes[order], [readers[row] for row in order], 0.4)
        assert np.allclose(again, first)
        assert same == counts


def test_findings_and_images_are_fused_each_for_itself_and_what_a_reader_says_twice_counts_once():
    rows = [
        ("one", "edema", "a"),
        ("one", "edema", "b"),
        ("one", "edema", "b"),
        ("one", "hernia", "c"),
        ("two", "edema", "c"),
    ]
    boxes = pl.DataFrame([(*row, 0.0, 0.0, 4.0, 4.0) for row in rows], orient="row",
        schema=["image_id", "finding", "reader", "x1", "y1", "x2", "y2"])  # fmt: skip
    found = fuse(boxes, 0.5).select("image_id", "finding", "readers").rows()
    assert found == [("one", "edema", 2), ("one", "hernia", 1), ("two", "edema", 1)]
    assert len(fuse(boxes.clear(), 0.5)) == 0


def drawn(*corners):
    return pl.DataFrame(
        [("one", "edema", *map(float, corners))],
        schema=["image_id", "finding", "x1", "y1", "x2", "y2"],
        orient="row",
    )


IMAGES = pl.DataFrame({"image_id": ["one", "two"], "width": [60, 60], "height": [48, 48]})


def test_a_box_that_leaves_its_image_by_rounding_is_cut():
    inside, unfit = within_images(drawn(-0.5, 2, 60.9, 48.9), IMAGES)
    assert (inside.rows(), unfit) == ([("one", "edema", 0, 2, 60, 48)], 0)


def test_boxes_of_other_images_do_not_count():
    inside, unfit = within_images(drawn(0, 0, 99, 99), IMAGES.filter(pl.col("image_id") == "two"))
    assert (len(inside), unfit) == (0, 0)


@pytest.mark.parametrize(
    "corners", [(-2, 0, 9, 9), (0, 0, 62, 9), (0, 0, 9, 50), (9, 0, 9, 9), (9, 0, 3, 9), (60.5, 0, 61, 9)]
)
def test_a_box_that_is_none_or_leaves_its_image_is_left_out_and_counted(corners):
    inside, unfit = within_images(drawn(*corners), IMAGES)
    assert (len(inside), unfit) == (0, 1)
