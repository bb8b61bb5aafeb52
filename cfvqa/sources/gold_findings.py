"""Chest ImaGenome, gold, to judge by: findings of regions that people have checked, and subjects kept for that."""

from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.sources import gold_boxes
from cfvqa.sources.chest_imagenome import KINDS
from cfvqa.sources.csv_files import find_csv, integers, read_csv
from cfvqa.sources.tables import SCHEMAS, strongest
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

CHECKED = "gold_object_attribute_with_coordinates.txt"
AVOIDED = "images_to_avoid.csv"


def checked_file(root: Path) -> Path:
    """Return the table of the findings, zipped or not."""
    return find_csv(root / "gold_dataset", CHECKED, "source.graphs")


def avoided_file(root: Path) -> Path:
    """Return the table of all images of the gold subjects, zipped or not."""
    return find_csv(root / "silver_dataset" / "splits", AVOIDED, "source.graphs")


FILES = {CHECKED: checked_file, AVOIDED: avoided_file}
"""Name of a file -> what finds it below the root of the release."""


def read_subjects(root: Path) -> pl.Series:
    """Return the subjects of the gold set: the release asks to train on none of their images."""
    path = avoided_file(root)
    return integers(read_csv(path, ["subject_id"]), "subject_id", path).cast(pl.String).unique()


def read_findings(root: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the findings of regions and whole images of the gold set, and what was left out, by reason.

    A row is a sentence about a region: a finding that one of them affirms is there, and in the image, if the region is
    none of the 24, too. Nothing is said of its level.

    Raises:
        InputError: naming the first row whose attribute is not of the form category|yes or no|name.
    """
    path = checked_file(root)
    table = read_csv(path, ["image_id", "bbox", "attribute"])
    parts = table["attribute"].str.splitn("|", 3).struct.unnest()
    good = (parts["field_1"].is_in(["yes", "no"]) & parts["field_2"].is_not_null()).fill_null(value=False)
    if not good.all():
        row = int((~good).arg_true()[0])
        raise InputError(
            f"{path}, row {row + 2}: attribute {table['attribute'][row]!r} is not of the form category|yes or no|name: "
            "correct the row"
        )
    rows = pl.DataFrame(
        {
            "image_id": table["image_id"].str.strip_suffix(".dcm"),
            "region": table["bbox"],
            "finding": parts["field_2"],
            "presence": parts["field_1"],
            "level": None,
        },
        schema=SCHEMAS["findings"],
    ).filter(parts["field_0"].is_in(KINDS))
    known = rows.filter(pl.col("finding").is_in(FINDINGS))
    whole = known.with_columns(region=pl.lit(None, dtype=pl.String))
    findings = pl.concat([known.filter(pl.col("region").is_in(REGIONS)), whole])
    return strongest(findings), {"gold finding outside the 38 findings": len(rows) - len(known)}


def judged_by_people(
    root: Path, held_out: pl.Series, regions: pl.DataFrame, findings: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Return regions and findings in which held-out images have what people drew and checked, or nothing.

    Args:
        root: folder of the release.
        held_out: ids of the images.
        regions: of all images; those of held-out images that have gold boxes are these.
        findings: of all images, whole ones too.

    Returns:
        Both, and what was left out, by reason.
    """
    checked, left_out = read_findings(root)
    held = pl.col("image_id").is_in(held_out.implode())
    drawn = pl.col("image_id").is_in(list(gold_boxes.read_boxes(root)))
    return (
        regions.filter(drawn | ~held),
        pl.concat([findings.filter(~held), checked.filter(held)]),
        left_out,
    )
