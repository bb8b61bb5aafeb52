"""MIMIC-CXR-JPG 2.x: which radiographs there are, and what CheXpert or NegBio read in their reports."""

from pathlib import Path
from typing import Literal

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.sources.csv_files import check_unique, check_values, find_csv, integers, one_row_each, read_csv
from cfvqa.sources.paths import check_ids
from cfvqa.sources.tables import conform

METADATA = "mimic-cxr-2.0.0-metadata.csv"
SPLIT = "mimic-cxr-2.0.0-split.csv"
LABELS = {"chexpert": "mimic-cxr-2.0.0-chexpert.csv", "negbio": "mimic-cxr-2.0.0-negbio.csv"}
"""Tables of labels, by the program that read them in the reports; both have the same columns."""
TESTED = "mimic-cxr-2.1.0-test-set-labeled.csv"
"""Table that no release before 2.1.0 has, all other tables of which are named by 2.0.0."""
KEY = "source.images"

Labeller = Literal["chexpert", "negbio"]

VIEW_OF_MEANING = {
    "postero-anterior": "PA",
    "antero-posterior": "AP",
    "lateral": "lateral",
    "left lateral": "lateral",
}
VIEW_OF_POSITION = {"PA": "PA", "AP": "AP", "LATERAL": "lateral", "LL": "lateral"}

NODE_OF_LABEL = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "enlarged cardiac silhouette",
    "Consolidation": "consolidation",
    "Edema": "pulmonary edema/hazy opacity",
    "Enlarged Cardiomediastinum": "mediastinal widening",
    "Fracture": "spinal fracture",
    "Lung Lesion": "lung lesion",
    "Lung Opacity": "lung opacity",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "pleural/parenchymal scarring",
    "Pneumonia": "airspace opacity",
    "Pneumothorax": "pneumothorax",
}
"""Node of a label, as `NODE_OF_ANSWER` has it; Support Devices and No Finding have none."""

_LARGEST_SIDE = 65_535  # pixels; a JPEG has no more
_PRESENCE = {"1.0": "yes", "0.0": "no", "-1.0": "uncertain", "1": "yes", "0": "no", "-1": "uncertain"}


def read_images(root: Path, suffix: str = ".jpg") -> pl.DataFrame:
    """Return one row an image.

    Columns: image_id, study_id, subject_id, view, path, original_width, original_height (pixels of the published
    file), official_split (null where the split file does not have the image).

    Args:
        root: folder of the release.
        suffix: of the image files; MIMIC-CXR has the same as DICOM, at the same places.
    """
    path = find_csv(root, METADATA, KEY)
    named = ["dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns", "ViewCodeSequence_CodeMeaning"]
    metadata = read_csv(path, named)
    for column, pattern in (("dicom_id", "[0-9A-Za-z-]+"), ("subject_id", "[0-9]+"), ("study_id", "[0-9]+")):
        check_ids(metadata, column, pattern, path)
    check_unique(metadata, ["dicom_id"], path)
    meaning = pl.col("ViewCodeSequence_CodeMeaning").replace_strict(VIEW_OF_MEANING, default=None)
    position = pl.col("ViewPosition").replace_strict(VIEW_OF_POSITION, default=None)
    subject, study = pl.col("subject_id"), pl.col("study_id")
    return (
        metadata.with_columns(
            integers(metadata, "Columns", path, least=1, most=_LARGEST_SIDE).alias("original_width"),
            integers(metadata, "Rows", path, least=1, most=_LARGEST_SIDE).alias("original_height"),
        )
        .join(_official_split(root), on="dicom_id", how="left")
        .select(
            pl.col("dicom_id").alias("image_id"),
            "study_id",
            "subject_id",
            pl.coalesce(meaning, position, pl.lit("unknown")).alias("view"),
            pl.format(
                "files/p{}/p{}/s{}/{}{}", subject.str.slice(0, 2), subject, study, "dicom_id", pl.lit(suffix)
            ).alias("path"),
            "original_width",
            "original_height",
            "official_split",
        )
    )


def _official_split(root: Path) -> pl.DataFrame:
    path = find_csv(root, SPLIT, KEY)
    table = read_csv(path, ["dicom_id", "split"])
    check_values(table, "split", ["train", "validate", "test"], path)
    table = one_row_each(table, "dicom_id", path)
    return table.select("dicom_id", official_split=pl.col("split").replace({"validate": "val"}))


def labels_file(root: Path, labeller: Labeller) -> Path:
    """Return the table of labels that a program made."""
    check_choice("source.labels", labeller, LABELS)
    return find_csv(root, LABELS[labeller], KEY)


def read_labels(root: Path, images: pl.DataFrame, labeller: Labeller) -> pl.DataFrame:
    """Return whole-image findings of `images` from the CheXpert or NegBio labels of their studies.

    Raises:
        InputError: naming file and row of a wrong value, or the file if it knows none of the studies.
    """
    path = labels_file(root, labeller)
    labels = read_csv(path, ["study_id", *NODE_OF_LABEL])
    for label in NODE_OF_LABEL:
        check_values(labels, label, list(_PRESENCE), path)
    labels = labels.filter(pl.col("study_id").is_in(images["study_id"].implode()))
    if not len(labels):
        raise InputError(f"{path} knows none of the {len(images)} studies of the data set: restore the file")
    found = (
        one_row_each(labels, "study_id", path)
        .unpivot(index="study_id", variable_name="label", value_name="value")
        .drop_nulls("value")
        .join(images.select("image_id", "study_id"), on="study_id")
        .with_columns(
            region=pl.lit(None, dtype=pl.String),
            finding=pl.col("label").replace_strict(NODE_OF_LABEL, return_dtype=pl.String),
            presence=pl.col("value").replace_strict(_PRESENCE, return_dtype=pl.String),
            level=pl.lit(None, dtype=pl.String),
        )
    )
    return conform(found, "findings")
