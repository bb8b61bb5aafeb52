"""The four tables that every source becomes, their checks, and their files."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.language.questions import QUESTION_TYPES
from cfvqa.sources.splits import SPLITS
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

VIEWS = ("PA", "AP", "lateral", "unknown")
PRESENCES = ("yes", "no", "uncertain")

SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "images": {
        "image_id": pl.String,
        "study_id": pl.String,
        "subject_id": pl.String,
        "study_order": pl.Int32,
        "view": pl.String,
        "path": pl.String,
        "width": pl.Int32,
        "height": pl.Int32,
        "split": pl.String,
    },
    "regions": {
        "image_id": pl.String,
        "region": pl.String,
        "x1": pl.Float32,
        "y1": pl.Float32,
        "x2": pl.Float32,
        "y2": pl.Float32,
    },
    "findings": {
        "image_id": pl.String,
        "region": pl.String,
        "finding": pl.String,
        "presence": pl.String,
        "level": pl.String,
    },
    "questions": {
        "question_id": pl.String,
        "subject_id": pl.String,
        "main_image": pl.String,
        "reference_image": pl.String,
        "question_type": pl.String,
        "question": pl.String,
        "answer": pl.String,
        "keywords": pl.String,
        "split": pl.String,
    },
}


@dataclass(frozen=True)
class Tables:
    """A data set as four tables (columns: `SCHEMAS`) and where it came from.

    Attributes:
        images, regions, findings, questions: the tables. In `findings` a null region means the whole image;
            what a described image does not mention is absent there.
        source, version, licence: of the data set.
        root: folder that the paths of `images` are relative to.
        skipped: what was left out, and how often, by reason.
    """

    images: pl.DataFrame
    regions: pl.DataFrame
    findings: pl.DataFrame
    questions: pl.DataFrame
    source: str
    version: str
    licence: str
    root: Path
    skipped: dict[str, int] = field(default_factory=dict)


def validate(tables: Tables) -> Tables:
    """Return the tables if they keep the contract.

    Raises:
        InputError: naming table, row and key, for the first thing that is wrong.
    """
    for name, schema in SCHEMAS.items():
        _check_columns(name, getattr(tables, name), list(schema))
    for name in ("images", "questions"):
        if not len(getattr(tables, name)):
            raise InputError(f"table {name} of source '{tables.source}' is empty: check source.root and limit")
    _check_unique("images", tables.images, ["image_id"])
    _check_unique("questions", tables.questions, ["question_id"])
    _check_unique("regions", tables.regions, ["image_id", "region"])
    _check_values("images", tables.images, "view", VIEWS)
    _check_values("images", tables.images, "split", SPLITS)
    _check_values("regions", tables.regions, "region", REGIONS)
    _check_values("findings", tables.findings.filter(pl.col("region").is_not_null()), "region", REGIONS)
    _check_values("findings", tables.findings, "finding", FINDINGS)
    _check_values("findings", tables.findings, "presence", PRESENCES)
    _check_values("questions", tables.questions, "question_type", QUESTION_TYPES)
    _check_values("questions", tables.questions, "split", SPLITS)
    _check_known(tables)
    _check_boxes(tables)
    for split in SPLITS:
        if not (tables.questions["split"] == split).any():
            raise InputError(
                f"split '{split}' of source '{tables.source}' has no question: "
                "use more subjects (limit), or another source.split"
            )
    return tables


def _check_columns(name: str, table: pl.DataFrame, columns: list[str]) -> None:
    if missing := [column for column in columns if column not in table.columns]:
        raise InputError(f"table {name}: column '{missing[0]}' is missing; it needs {', '.join(columns)}")


def _check_unique(name: str, table: pl.DataFrame, keys: list[str]) -> None:
    doubled = table.select(keys).filter(pl.struct(keys).is_duplicated())
    if len(doubled):
        values = ", ".join(str(value) for value in doubled.row(0))
        raise InputError(f"table {name}: {' + '.join(keys)} '{values}' occurs more than once; ids must be unique")


def _check_values(name: str, table: pl.DataFrame, column: str, allowed: tuple[str, ...]) -> None:
    wrong = table.with_row_index("row").filter(~pl.col(column).is_in(list(allowed)).fill_null(value=False))
    if len(wrong):
        row, value = wrong["row"][0], wrong[column][0]
        shown = ", ".join(allowed[:8]) + (", ..." if len(allowed) > 8 else "")
        raise InputError(f"table {name}, row {row}: {column} '{value}' is unknown; expected one of {shown}")


def _check_known(tables: Tables) -> None:
    known = tables.images["image_id"].implode()
    for name, column in (
        ("regions", "image_id"),
        ("findings", "image_id"),
        ("questions", "main_image"),
        ("questions", "reference_image"),
    ):
        values = getattr(tables, name)[column].drop_nulls()
        strange = values.filter(~values.is_in(known))
        if len(strange):
            raise InputError(f"table {name}: {column} '{strange[0]}' is not in table images; prepare them together")


def _check_boxes(tables: Tables) -> None:
    joined = tables.regions.join(tables.images.select("image_id", "width", "height"), on="image_id")
    wrong = joined.filter(
        (pl.col("x1") < 0)
        | (pl.col("y1") < 0)
        | (pl.col("x2") > pl.col("width"))
        | (pl.col("y2") > pl.col("height"))
        | (pl.col("x2") <= pl.col("x1"))
        | (pl.col("y2") <= pl.col("y1"))
    )
    if len(wrong):
        row = wrong.row(0, named=True)
        box = f"({row['x1']:g}, {row['y1']:g}, {row['x2']:g}, {row['y2']:g})"
        raise InputError(
            f"table regions: the box {box} of region '{row['region']}' of image '{row['image_id']}' is empty "
            f"or leaves the image of {row['width']} x {row['height']} pixels: correct it or remove its row"
        )


def conform(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the table with exactly the columns and types of `SCHEMAS[name]`."""
    return table.select([pl.col(column).cast(dtype) for column, dtype in SCHEMAS[name].items()])


def empty(name: str) -> pl.DataFrame:
    """Return an empty table."""
    return pl.DataFrame(schema=SCHEMAS[name])


def write_tables(tables: Tables, folder: Path) -> None:
    """Write the tables as Parquet, each under a temporary name first, and `dataset.json` last."""
    hashes = {}
    for name in SCHEMAS:
        temporary, final = folder / f"{name}.parquet.tmp", folder / f"{name}.parquet"
        conform(getattr(tables, name), name).write_parquet(temporary)
        hashes[name] = hashlib.sha256(temporary.read_bytes()).hexdigest()
        temporary.replace(final)
    description = {
        "source": tables.source,
        "version": tables.version,
        "licence": tables.licence,
        "root": str(tables.root.resolve()),
        "counts": {name: len(getattr(tables, name)) for name in SCHEMAS},
        "subjects": tables.images["subject_id"].n_unique(),
        "skipped": tables.skipped,
        "sha256": hashes,
    }
    temporary = folder / "dataset.json.tmp"
    temporary.write_text(json.dumps(description, indent=2) + "\n")
    temporary.replace(folder / "dataset.json")


def read_tables(folder: Path) -> Tables:
    """Read what `write_tables` wrote."""
    if not (folder / "dataset.json").exists():
        raise InputError(f"no tables in {folder}: run cfvqa-prepare first")
    description = json.loads((folder / "dataset.json").read_text())
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in SCHEMAS}
    return Tables(
        **tables,
        source=description["source"],
        version=description["version"],
        licence=description["licence"],
        root=Path(description["root"]),
        skipped=description["skipped"],
    )
