"""Which radiograph of MIMIC-CXR stands for a study, and on which side of a published split it lies."""

from pathlib import Path
from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.sources.image_files import missing_files
from cfvqa.sources.splits import SPLITS, on_two_sides

Absence = Literal["error", "drop"]
FRONTAL = ("PA", "AP")


def one_a_study(
    published: pl.DataFrame, studies: pl.DataFrame, *, frontal_only: bool, subjects: pl.Series | None = None
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the radiograph of each study with the study's place in time, and what was left out, by reason.

    Of a study with several the one that `mimic_all.csv` names counts, even where another is frontal and that one is
    not. A study is left out whose radiograph is not in the metadata, or is another study's there.

    Args:
        published: as `mimic_cxr_jpg.read_images` returns them.
        studies: as `medical_diff_vqa.read_studies` returns them.
        frontal_only: whether studies whose radiograph is neither PA nor AP are left out as well.
        subjects: of the studies, where they are not all; those of others are not counted.

    Raises:
        InputError: naming a study that the two tables give to different subjects.
    """
    named = published.join(studies, on=["image_id", "study_id"], suffix="_named")
    _check_subjects(named)
    frontal = pl.col("view").is_in(FRONTAL)
    kept = named.drop("subject_id_named").filter(frontal | pl.lit(not frontal_only))
    lacking = published.join(studies, on="study_id", how="anti")
    if subjects is not None:
        lacking = lacking.filter(pl.col("subject_id").is_in(subjects.implode()))
    beside = published.join(kept, on="study_id", how="semi").join(kept, on="image_id", how="anti")
    return kept, {
        "study whose image is not in the metadata": len(studies) - len(named),
        "study of the metadata that is not in mimic_all.csv": lacking["study_id"].n_unique(),
        "study whose named image is not frontal": len(named) - len(kept),
        "frontal image of a study of which another is named": len(beside.filter(frontal)),
        "other image of a study of which another is named": len(beside.filter(~frontal)),
    }


def _check_subjects(named: pl.DataFrame) -> None:
    strange = named.filter(pl.col("subject_id") != pl.col("subject_id_named"))
    if len(strange):
        row = strange.row(0, named=True)
        raise InputError(
            f"study '{row['study_id']}' is of subject '{row['subject_id']}' in the metadata of MIMIC-CXR-JPG, but of "
            f"'{row['subject_id_named']}' in mimic_all.csv: correct one of them"
        )


def on_official_sides(images: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the images that have an official split, as `split`, and what became of others, by reason.

    An image without one is left out. The release divides no subject; one that a table divides all the same goes as
    a whole to the last of its sides (train, val, test), so that nothing of it is trained on and tested.
    """
    listed = images.drop_nulls("official_split")
    divided = on_two_sides(listed.rename({"official_split": "split"}), "subject_id")
    return listed.with_columns(split=_last_side("official_split").over("subject_id")), {
        "image without an official split": len(images) - len(listed),
        "subject that the official split divides (all of it on its last side)": len(divided),
    }


def with_files(images: pl.DataFrame, root: Path, on_missing: Absence) -> tuple[pl.DataFrame, dict[str, list[str]]]:
    """Return the images whose file is there, and the paths of the others.

    Args:
        images: rows with `path`, relative to `root`.
        root: folder of the image files.
        on_missing: "error" stops where a file is missing, "drop" leaves its study out.

    Raises:
        InputError: naming the first missing file.
    """
    check_choice("source.on_missing", on_missing, get_args(Absence))
    missing = missing_files(images, root)
    paths = images.filter(missing)["path"].to_list()
    if paths and on_missing == "error":
        raise InputError(
            f"image {root / paths[0]} is missing ({len(paths)} of {len(images)} are): restore the files, or leave "
            "their studies out, source.on_missing=drop"
        )
    return images.filter(~missing), {"study whose image file is missing": paths}


def count_resized(images: pl.DataFrame) -> int:
    """Return how many image files have another size than the metadata say."""
    return len(
        images.filter((pl.col("width") != pl.col("original_width")) | (pl.col("height") != pl.col("original_height")))
    )


def on_sides_of_questions(images: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
    """Give a subject's images the last side of its questions (train, val, test): no test image trains a detector.

    The split by rows divides subjects. One without questions goes to training.
    """
    sides = questions.group_by("subject_id").agg(_last_side("split").alias("split"))
    joined = images.join(sides, on="subject_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("split").fill_null("train"))


def _last_side(column: str) -> pl.Expr:
    """Return the last of some sides, in the order train, val, test."""
    return pl.col(column).cast(pl.Enum(SPLITS)).max().cast(pl.String)
