"""What the CSV files of `csv_tables` say of images: findings, regions, boxes of findings."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.language.grammar import official_name
from cfvqa.sources.checks import misplaced
from cfvqa.sources.csv_files import check_filled, check_unique, check_values, integers, numbers, read_csv
from cfvqa.sources.tables import PRESENCES, conform, empty
from cfvqa.vocabulary.findings import FINDINGS, NODE_OF_ANSWER
from cfvqa.vocabulary.levels import LEVEL_WORDS
from cfvqa.vocabulary.regions import REGIONS

QUESTIONS, IMAGES = "questions.csv", "images.csv"
"""The two files that name the images of the data set."""

_BOX = ("x1", "y1", "x2", "y2")


def read_findings(path: Path, known: pl.Series) -> pl.DataFrame:
    """Return the findings of a file; none where it is not there. `known` are the images of the data set."""
    if not path.is_file():
        return empty("findings")
    table = _read_about(path, known, ["finding", "presence"], optional=["region", "level"])
    table = table.with_columns(_nodes(table["finding"]))
    for column, allowed in (("finding", FINDINGS), ("presence", PRESENCES)):
        check_values(table, column, allowed, path, blanks=False)
    for column, allowed in (("region", REGIONS), ("level", LEVEL_WORDS)):
        check_values(table, column, allowed, path)
    check_unique(table, ["path", "region", "finding"], path)
    return conform(table, "findings")


def _nodes(names: pl.Series) -> pl.Series:
    """Return the nodes of findings, which stay what they are where they are no name in answers."""
    nodes = [NODE_OF_ANSWER.get(official_name(name), name) for name in names.fill_null("")]
    return pl.Series("finding", nodes, dtype=pl.String)


def read_regions(path: Path, known: pl.Series) -> pl.DataFrame:
    """Return the boxes of regions of a file; none where it is not there. `known` are the images of the data set."""
    if not path.is_file():
        return empty("regions")
    table = _read_about(path, known, ["region", *_BOX])
    check_values(table, "region", REGIONS, path, blanks=False)
    check_unique(table, ["path", "region"], path)
    return conform(table.with_columns(numbers(table, _BOX, path)), "regions")


def read_finding_boxes(path: Path, known: pl.Series) -> pl.DataFrame:
    """Return the boxes of findings of a file; none where it is not there. `known` are the images of the data set."""
    if not path.is_file():
        return empty("finding_boxes")
    table = _read_about(path, known, ["finding", *_BOX], optional=["readers"])
    table = table.with_columns(_nodes(table["finding"]), pl.col("readers").fill_null("1"))
    check_values(table, "finding", FINDINGS, path, blanks=False)
    table = table.with_columns(*numbers(table, _BOX, path), integers(table, "readers", path, least=1))
    check_unique(table.with_columns(pl.col(*_BOX).cast(pl.Float32)), ["path", "finding", *_BOX], path)
    return conform(table, "finding_boxes")


def check_boxes(boxes: pl.DataFrame, shown: str, images: pl.DataFrame, path: Path) -> None:
    """Refuse a box of a file that is empty or leaves its image (see `checks.misplaced`)."""
    if (wrong := misplaced(boxes, shown, images)) is not None:
        raise InputError(f"{path}, row {wrong[0] + 2}: {wrong[1]}")


def _read_about(path: Path, known: pl.Series, columns: Sequence[str], *, optional: Sequence[str] = ()) -> pl.DataFrame:
    """Return columns of a file whose rows are about images, named by path, which is their image_id."""
    table = read_csv(path, ["path", *columns], optional=optional)
    check_filled(table, "path", path)
    check_known(table, "path", known, path)
    return table.with_columns(image_id="path")


def check_known(table: pl.DataFrame, column: str, known: pl.Series, path: Path) -> None:
    """Refuse a row about an image that the data set does not have."""
    strange = ~table[column].is_in(known.implode()).fill_null(value=True)
    if strange.any():
        row = int(strange.arg_true()[0])
        raise InputError(
            f"{path}, row {row + 2}: {column} '{table[column][row]}' is no image of the data set: correct it, or add "
            f"it to {IMAGES if (path.parent / IMAGES).is_file() else QUESTIONS}"
        )
