"""How much there will be to train with and to keep, from a sample of subjects."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cfvqa.doctor.note import MISSING, Note
from cfvqa.doctor.sample import Sample
from cfvqa.sources.tables import Tables, write_tables


@dataclass(frozen=True)
class Amounts:
    """What a whole experiment has of a data set; counts are those of the sample, times what it stands for.

    Attributes:
        images: of all splits.
        boxed: training images with boxes of regions.
        described: training images with findings.
        pairs, singles: pairs, and single images, that training questions are about.
        bytes: of the tables.
    """

    images: int
    boxed: int
    described: int
    pairs: int
    singles: int
    bytes: int


def amounts_of(sample: Sample) -> Amounts:
    """Return what the experiment has, if all its subjects are like those of the sample."""
    tables, times = sample.tables, sample.times
    asked = tables.questions.filter(pl.col("split") == "train").unique(["main_image", "reference_image"])
    pairs = int(asked["reference_image"].is_not_null().sum())
    counts = (len(tables.images), len(boxed(tables)), len(described(tables)), pairs, len(asked) - pairs, _bytes(tables))
    return Amounts(*(round(count * times) for count in counts))


def boxed(tables: Tables) -> pl.DataFrame:
    """Return the training images that have boxes of regions: the detector learns from them."""
    return _training_images(tables, tables.regions)


def described(tables: Tables) -> pl.DataFrame:
    """Return the training images that have findings: the classifier learns from them."""
    return _training_images(tables, tables.findings)


def label_notes(boxes: Tables | None, findings: Tables) -> list[Note]:
    """Say where there is nothing to learn from.

    Args:
        boxes: tables that the detector learns from; None where it has been trained.
        findings: tables that the classifier learns from.
    """
    notes = []
    if boxes is not None and not len(boxed(boxes)):
        text = "the sample has none: take those of another, source@detector_source=phantom, or detector.trained=FOLDER"
        notes.append(Note(MISSING, "boxes", text))
    if not len(described(findings)):
        notes.append(Note(MISSING, "findings", "the sample has none, and the classifier learns from nothing else"))
    return notes


def _training_images(tables: Tables, labels: pl.DataFrame) -> pl.DataFrame:
    return tables.images.filter(pl.col("split") == "train", pl.col("image_id").is_in(labels["image_id"].implode()))


def _bytes(tables: Tables) -> int:
    with tempfile.TemporaryDirectory(prefix="cfvqa-doctor-") as folder:
        write_tables(tables, Path(folder))
        return sum(file.stat().st_size for file in Path(folder).iterdir())
