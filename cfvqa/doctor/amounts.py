"""How much there will be to train with and to keep, from a sample of subjects."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cfvqa.doctor.note import MISSING, WARNING, Note
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
    """Return what the experiment has, if all its subjects are like those of the sample.

    Of a part of the subjects, the share that trains is the one of all, not the one that chance gave to it.
    """
    tables, times = sample.tables, sample.times
    units = tables.questions.unique(["main_image", "reference_image"])
    paired = pl.col("reference_image").is_not_null()
    learned = (
        _with(tables, tables.regions),
        _with(tables, tables.findings),
        units.filter(paired),
        units.filter(~paired),
    )
    share = times * sample.training
    counts = [len(rows) * share if times > 1 else len(training(rows)) for rows in learned]
    return Amounts(*(round(count) for count in (len(tables.images) * times, *counts, _bytes(tables) * times)))


def training(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the training split."""
    return rows.filter(pl.col("split") == "train")


def boxed(tables: Tables) -> pl.DataFrame:
    """Return the training images that have boxes of regions: the detector learns from them."""
    return training(_with(tables, tables.regions))


def described(tables: Tables) -> pl.DataFrame:
    """Return the training images that have findings: the classifier learns from them."""
    return training(_with(tables, tables.findings))


def label_notes(boxes: Tables | None, findings: Tables | None, *, all_read: bool) -> list[Note]:
    """Say where there is nothing to learn from, or to choose a classifier by.

    Args:
        boxes: tables that the detector learns from; None where it is not to be trained.
        findings: tables that the classifier learns from; None where it is not to be trained.
        all_read: whether these are all images, so that what is not in them is not there.
    """
    notes = []
    if boxes is not None and not len(boxed(boxes)):
        text = "the sample has none: take those of another, source@detector_source=phantom, or detector.trained=FOLDER"
        notes.append(Note(MISSING, "boxes", text))
    if findings is not None and not len(described(findings)):
        notes.append(Note(MISSING, "findings", "the sample has none, and the classifier learns from nothing else"))
    elif findings is not None and not _is_varied(findings):
        text = "none that one validation image has and another has not, by which the classifier is chosen"
        notes.append(Note(MISSING if all_read else WARNING, "findings", text if all_read else f"in the sample {text}"))
    return notes


def _is_varied(tables: Tables) -> bool:
    """Return whether validation images have a finding that others are said not to have."""
    images = _with(tables, tables.findings).filter(pl.col("split") == "val")
    said = tables.findings.filter(pl.col("image_id").is_in(images["image_id"].implode()))
    has = said.filter(pl.col("presence") == "yes").group_by("finding").agg(has=pl.col("image_id").n_unique())
    open_ = said.filter(pl.col("presence") != "no").group_by("finding").agg(open=pl.col("image_id").n_unique())
    return bool((has.join(open_, on="finding")["open"] < len(images)).any())


def _with(tables: Tables, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the images that have some of the labels."""
    return tables.images.filter(pl.col("image_id").is_in(labels["image_id"].implode()))


def _bytes(tables: Tables) -> int:
    with tempfile.TemporaryDirectory(prefix="cfvqa-doctor-") as folder:
        write_tables(tables, Path(folder))
        return sum(file.stat().st_size for file in Path(folder).iterdir())
