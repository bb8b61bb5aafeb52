"""Chest ImaGenome, gold: boxes of regions that people have corrected, on 1,000 images."""

from pathlib import Path
from typing import Any

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources.csv_files import find_csv, read_csv

BOXES = "gold_bbox_coordinate_annotations_1000images.csv"
_SIDES = ("x1", "y1", "x2", "y2")


def boxes_file(root: Path) -> Path:
    """Return the table of the boxes, zipped or not."""
    return find_csv(root / "gold_dataset", BOXES, "source.graphs")


def read_boxes(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the boxes of each image by its id, each as an object of a scene graph: bbox_name, x1, y1, x2, y2.

    The columns of these names are taken for pixels of the 224 frame, as those of scene graphs are, because the table
    has others (original_x1, ...) for pixels of the image. Nothing that is published says so. What reads the boxes
    refuses one that leaves the frame, so that pixels of an image cannot pass for it. A row without any coordinate is
    a region that nobody has drawn.

    Raises:
        InputError: naming the first row that lacks some number.
    """
    path = boxes_file(root)
    table = read_csv(path, ["image_id", "bbox_name", *_SIDES])
    sides = [pl.col(side).cast(pl.Float64, strict=False) for side in _SIDES]
    drawn = ~pl.all_horizontal(pl.col(side).is_null() for side in _SIDES)
    boxes = table.with_row_index("row").filter(drawn).with_columns(sides)
    wrong = boxes.filter(pl.any_horizontal(pl.col(name).is_null() for name in ("image_id", "bbox_name", *_SIDES)))
    if len(wrong):
        raise InputError(
            f"{path}, row {wrong['row'][0] + 2}: it lacks a name or a number among x1, y1, x2, y2: correct the row"
        )
    objects: dict[str, list[dict[str, Any]]] = {}
    for box in boxes.drop("row").iter_rows(named=True):
        objects.setdefault(box["image_id"].removesuffix(".dcm"), []).append(box)
    return objects
