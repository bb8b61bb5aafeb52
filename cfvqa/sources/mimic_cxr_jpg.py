"""MIMIC-CXR-JPG 2.x: which radiographs there are, and what CheXpert read in their reports."""

from pathlib import Path

import polars as pl

from cfvqa.sources.csv_files import find_csv, integers, read_csv

VIEW_OF_MEANING = {
    "postero-anterior": "PA",
    "antero-posterior": "AP",
    "lateral": "lateral",
    "left lateral": "lateral",
}

NODE_OF_CHEXPERT = {
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
    "Pneumothorax": "pneumothorax",
}
"""Node of a CheXpert label; Pneumonia, Support Devices and No Finding have none."""

_PRESENCE = {"1.0": "yes", "0.0": "no", "-1.0": "uncertain", "1": "yes", "0": "no", "-1": "uncertain"}


def read_images(root: Path) -> pl.DataFrame:
    """Return one row an image: image_id, study_id, subject_id, view, path, width, height, official_split."""
    metadata_path = find_csv(root, "mimic-cxr-2.0.0-metadata.csv")
    columns = ["dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns"]
    columns += ["ViewCodeSequence_CodeMeaning"]
    metadata = read_csv(metadata_path, columns)
    split_path = find_csv(root, "mimic-cxr-2.0.0-split.csv")
    split = read_csv(split_path, ["dicom_id", "split"]).rename({"split": "official_split"})
    meaning = pl.col("ViewCodeSequence_CodeMeaning").replace_strict(VIEW_OF_MEANING, default=None)
    position = pl.when(pl.col("ViewPosition").is_in(["PA", "AP"])).then("ViewPosition").otherwise(None)
    subject, study = pl.col("subject_id"), pl.col("study_id")
    return (
        metadata.with_columns(
            integers(metadata, "Columns", metadata_path).alias("width"),
            integers(metadata, "Rows", metadata_path).alias("height"),
        )
        .join(split, on="dicom_id", how="left")
        .select(
            pl.col("dicom_id").alias("image_id"),
            "study_id",
            "subject_id",
            pl.coalesce(meaning, position, pl.lit("unknown")).alias("view"),
            pl.format("files/p{}/p{}/s{}/{}.jpg", subject.str.slice(0, 2), subject, study, "dicom_id").alias("path"),
            "width",
            "height",
            pl.col("official_split").replace({"validate": "val"}),
        )
    )


def read_chexpert(root: Path, images: pl.DataFrame) -> pl.DataFrame:
    """Return whole-image findings of `images` from the CheXpert labels of their studies."""
    labels = read_csv(find_csv(root, "mimic-cxr-2.0.0-chexpert.csv"), ["study_id", *NODE_OF_CHEXPERT])
    return (
        labels.unpivot(index="study_id", variable_name="label", value_name="value")
        .drop_nulls("value")
        .filter(pl.col("value").is_in(list(_PRESENCE)))
        .join(images.select("image_id", "study_id"), on="study_id")
        .select(
            "image_id",
            pl.lit(None, dtype=pl.String).alias("region"),
            pl.col("label").replace_strict(NODE_OF_CHEXPERT).alias("finding"),
            pl.col("value").replace_strict(_PRESENCE).alias("presence"),
            pl.lit(None, dtype=pl.String).alias("level"),
        )
    )
