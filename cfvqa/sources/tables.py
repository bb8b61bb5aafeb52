"""The five tables that every source becomes, and their files."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.files import digest_of, whole, write_text

VIEWS = ("PA", "AP", "lateral", "unknown")
PRESENCES = ("yes", "no", "uncertain")

CONTENT = 4
"""Of the tables; another number, and those of every source are made again."""

LEFT_OUT = "left_out.json"
"""Beside the tables: the names in `Tables.left_out`."""

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
    "finding_boxes": {
        "image_id": pl.String,
        "finding": pl.String,
        "x1": pl.Float32,
        "y1": pl.Float32,
        "x2": pl.Float32,
        "y2": pl.Float32,
        "readers": pl.Int32,
    },
}


def empty(name: str) -> pl.DataFrame:
    """Return an empty table."""
    return pl.DataFrame(schema=SCHEMAS[name])


@dataclass(frozen=True)
class Tables:
    """A data set as five tables (columns: `SCHEMAS`) and where it came from.

    Attributes:
        images: one row a radiograph; `path` is relative to `root`, `study_order` counts a subject's studies in
            time, `view` is one of `VIEWS`.
        regions: one row a located region, in pixels of the image file; empty where the source has no boxes.
        findings: one row a labelled finding; a null region means the whole image. A source lists what was said:
            of an image that has any row, of a region too, a finding without a row was not mentioned, which training
            takes as its absence, and the same of its regions where one of them has a row; an image without rows was not
            described.
        questions: one row a question; `reference_image` is null where it is about one image.
        source, version, licence: of the data set.
        root: folder that the paths of `images` are relative to.
        skipped: what was left out, and how often, by reason.
        caveats: what is known to be wrong with its labels, a sentence each with its source.
        left_out: of some reasons which images (by path), studies or subjects were left out or counted, so that somebody
            can look at them, or restore their files.
        finding_boxes: one row a place where readers saw a finding, in pixels of the image file, and how many of them
            drew it (a consensus counts once); a finding may have several. Of an image without a row nothing is known.
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
    caveats: tuple[str, ...] = ()
    left_out: dict[str, list[str]] = field(default_factory=dict)
    finding_boxes: pl.DataFrame = field(default_factory=lambda: empty("finding_boxes"))

    @property
    def has_regions(self) -> bool:
        """Whether the source has boxes of regions, from which region networks can learn."""
        return len(self.regions) > 0


def conform(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the table with exactly the columns and types of `SCHEMAS[name]`."""
    return table.select([pl.col(column).cast(dtype) for column, dtype in SCHEMAS[name].items()])


def numbers_of(left_out: dict[str, list[str]]) -> dict[str, int]:
    """Return how many names stand under each reason."""
    return {reason: len(names) for reason, names in left_out.items()}


def strongest(findings: pl.DataFrame) -> pl.DataFrame:
    """Keep one row a (image, region, finding): yes wins over no, and a row with a level over one without."""
    order = [pl.col("presence") != "yes", pl.col("level").is_null()]
    keys = ["image_id", "region", "finding"]
    return findings.sort(order, maintain_order=True).unique(keys, keep="first", maintain_order=True)


def write_tables(tables: Tables, folder: Path) -> None:
    """Write the tables as Parquet, and `dataset.json` last."""
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name in SCHEMAS:
        with whole(folder / f"{name}.parquet") as file:
            conform(getattr(tables, name), name).write_parquet(file)
            hashes[name] = digest_of(file)
    named = {reason: names for reason, names in tables.left_out.items() if names}
    write_text(folder / LEFT_OUT, json.dumps(named, indent=2) + "\n")
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
    write_text(folder / "dataset.json", json.dumps(description, indent=2) + "\n")


def read_tables(folder: Path) -> Tables:
    """Read what `write_tables` wrote, but for the names of what was left out."""
    if not (folder / "dataset.json").exists():
        raise InputError(f"no tables in {folder}: run cfvqa-prepare first")
    try:
        description = json.loads((folder / "dataset.json").read_text())
        tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in SCHEMAS}
        facts = {name: description[name] for name in ("source", "version", "licence", "skipped")}
        return Tables(**tables, **facts, root=Path(description["root"]))
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"the tables in {folder} are damaged ({error!r}): delete the folder and prepare again"
        ) from error
