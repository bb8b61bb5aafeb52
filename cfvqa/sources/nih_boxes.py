"""The list of boxes of ChestX-ray14: where one radiologist saw a finding, in about one image of 130."""

import re
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources.csv_files import check_values, load_csv, numbers
from cfvqa.sources.finding_boxes import UNFIT, within_images
from cfvqa.sources.paths import check_ids
from cfvqa.sources.tables import conform, empty
from cfvqa.vocabulary.findings import NODE_OF_ANSWER

LABELS: dict[str, str] = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "pleural effusion",
    "Infiltration": "infiltration",
    "Mass": "mass",
    "Nodule": "nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Emphysema": "emphysema",
    "Fibrosis": "fibrosis",
    "Pleural_Thickening": "pleural thickening",
    "Hernia": "hernia",
}
"""Name in answers of each of the 14 labels."""

IMAGE_NAME = "[0-9]+_[0-9]+[.]png"
BOXES = "BBox_List_2017.csv"

_FRAME = 1024  # side in pixels of the published images, in which the boxes are given
_COLUMNS = ("Image Index", "Finding Label", "x", "y", "w", "h")
_BOX_LABELS = {"Infiltrate": "infiltration"}  # what the list of boxes calls otherwise


def read_finding_boxes(root: Path, entries: pl.DataFrame, images: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the published boxes of findings, in pixels of the image files; none without `BBox_List_2017.csv`.

    Args:
        root: folder of the data set.
        entries: image_id of every row of the table of labels.
        images: image_id, width and height of those that are read.

    Returns:
        The table `finding_boxes`, each box drawn by one reader, and how many were left out, by reason.

    Raises:
        InputError: naming file and row of a box without a number, or of an unknown label.
    """
    path = root / BOXES
    if not path.is_file():
        return empty("finding_boxes"), {}
    table = _read_box_list(path)
    labelled = table.join(entries, on="image_id", how="semi", maintain_order="left")
    sides = images.select("image_id", pl.col("width") / _FRAME, pl.col("height") / _FRAME)
    scaled = labelled.join(sides, on="image_id", maintain_order="left").select(
        "image_id",
        "finding",
        x1=pl.col("x") * pl.col("width"),
        y1=pl.col("y") * pl.col("height"),
        x2=(pl.col("x") + pl.col("w")) * pl.col("width"),
        y2=(pl.col("y") + pl.col("h")) * pl.col("height"),
    )
    boxes, unfit = within_images(scaled, images)
    node = pl.col("finding").replace_strict(NODE_OF_ANSWER, return_dtype=pl.String)
    single = boxes.unique(maintain_order=True)
    skipped = {
        "box of an image without labels": len(table) - len(labelled),
        UNFIT: unfit,
        "box of a finding that is listed twice (kept once)": len(boxes) - len(single),
    }
    return conform(single.with_columns(node, readers=1), "finding_boxes"), skipped


def _read_box_list(path: Path) -> pl.DataFrame:
    """Return image_id, finding (as in answers), and x, y, w, h in the published frame."""
    # Its header holds commas inside brackets, and some copies end with commas: columns are taken by position.
    _check_header(path)
    raw = load_csv(path, has_header=False, skip_rows=1, least=len(_COLUMNS))
    if raw.width < len(_COLUMNS):
        raise InputError(f"{path} has {raw.width} columns; expected image, finding, x, y, w, h: restore the file")
    table = raw.select(raw.columns[: len(_COLUMNS)])
    table.columns = list(_COLUMNS)
    check_ids(table, "Image Index", IMAGE_NAME, path)
    names = {**LABELS, **_BOX_LABELS}
    check_values(table, "Finding Label", list(names), path, blanks=False)
    return table.select(
        pl.col("Image Index").str.strip_suffix(".png").alias("image_id"),
        pl.col("Finding Label").replace_strict(names, return_dtype=pl.String).alias("finding"),
        *numbers(table, ["x", "y", "w", "h"], path),
    )


def _check_header(path: Path) -> None:
    """Refuse a list whose first row is a box already."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline().partition(",")[0]
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}): restore the file") from error
    if re.fullmatch(IMAGE_NAME, first.strip('"')):
        raise InputError(f"{path}, row 1: it is a box, the header is missing: restore the first row of the file")
