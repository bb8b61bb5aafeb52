"""The tables of VinDr-CXR 1.0.0: what its readers say of an image, and where."""

from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources.csv_files import check_values, numbers, read_csv
from cfvqa.sources.paths import check_ids, existing_file

PARTS = ("train", "test")
NO_FINDING = "No finding"

LOCAL = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation", "Edema",
    "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture",
    "Other lesion",
)  # fmt: skip
"""Labels that are drawn as boxes."""

GLOBAL = ("COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", NO_FINDING)
"""Labels of whole images only."""

LABELS = (*LOCAL, *GLOBAL)

_SPELLINGS = {"Other disease": "Other diseases"}  # as the test tables have it
_CORNERS = {"x_min": "x1", "y_min": "y1", "x_max": "x2", "y_max": "y2"}
_CONSENSUS = "consensus"
_MAJORITY = 0.5


def label_table(root: Path, part: str) -> Path:
    """Return the table of labels of a part."""
    return existing_file(root / "annotations", f"image_labels_{part}.csv")


def box_table(root: Path, part: str) -> Path:
    """Return the table of boxes of a part."""
    return existing_file(root / "annotations", f"annotations_{part}.csv")


def read_labels(root: Path, part: str) -> pl.DataFrame:
    """Return one row an image: image_id, and `said`, the labels that more than half of its readers give it.

    Training images were each read by three; a test image has one row, the consensus of five.

    Raises:
        InputError: naming file and row of a wrong value, or of what a reader says twice.
    """
    path = label_table(root, part)
    table = read_csv(path, ["image_id", *_reader(part), *LABELS], spellings=_SPELLINGS)
    _check_ids(table, part, path)
    keys = ["image_id", *_reader(part)]
    doubled = table.with_row_index("row", 2).filter(pl.struct(keys).is_duplicated())
    if len(doubled):
        named = " + ".join(f"{key} '{doubled[key][0]}'" for key in keys)
        raise InputError(f"{path}, row {doubled['row'][0]}: {named} has more than one row: keep one of them")
    for label in LABELS:
        check_values(table, label, ["0", "1", "0.0", "1.0"], path)
    share = pl.col(*LABELS).cast(pl.Float64).fill_null(0).mean()
    shares = table.group_by("image_id", maintain_order=True).agg(share)
    said = [pl.when(pl.col(label) > _MAJORITY).then(pl.lit(label)) for label in LABELS]
    return shares.select("image_id", said=pl.concat_list(said).list.drop_nulls())


def read_boxes(root: Path, part: str) -> pl.DataFrame:
    """Return a row a box that a reader drew: `row` in the file, image_id, reader, finding (a label), x1, y1, x2, y2.

    Raises:
        InputError: naming file and row of a wrong value.
    """
    path = box_table(root, part)
    table = read_csv(path, ["image_id", *_reader(part), "class_name", *_CORNERS])
    _check_ids(table, part, path)
    table = table.with_columns(pl.col("class_name").replace(_SPELLINGS))
    check_values(table, "class_name", LABELS, path, blanks=False)
    drawn = table["class_name"].is_in(LOCAL)  # the others have blanks
    table = table.with_columns(pl.when(drawn).then(pl.col(list(_CORNERS))).otherwise(pl.lit("0")))
    reader = pl.col("rad_id") if _reader(part) else pl.lit(_CONSENSUS)
    return (
        table.with_columns(numbers(table, list(_CORNERS), path))
        .with_row_index("row", 2)
        .filter(drawn)
        .select("row", "image_id", reader.alias("reader"), pl.col("class_name").alias("finding"), *_CORNERS)
        .rename(_CORNERS)
    )


def _reader(part: str) -> list[str]:
    """Return the column that names the reader: the test tables are a consensus."""
    return ["rad_id"] if part == "train" else []


def _check_ids(table: pl.DataFrame, part: str, path: Path) -> None:
    check_ids(table, "image_id", "[0-9a-f]{32}", path)
    for column in _reader(part):
        check_ids(table, column, "R[0-9]+", path)
