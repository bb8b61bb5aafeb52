"""Medical-Diff-VQA 1.0.x: its studies, and the questions over pairs of them."""

from pathlib import Path
from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.language.keywords import answer_keywords
from cfvqa.language.questions import DIFFERENCE, QUESTION_TYPES
from cfvqa.sources.csv_files import check_values, find_csv, integers, one_row_each, read_csv
from cfvqa.sources.paths import check_ids
from cfvqa.sources.splits import SPLITS, paper_split

Pairing = Literal["auto", "always"]
STUDIES = "mimic_all.csv"
QUESTIONS = "mimic_pair_questions.csv"
KEY = "source.questions"
QUESTION_COLUMNS = ("study_id", "subject_id", "ref_id", "question_type", "question", "answer")


def read_studies(root: Path) -> pl.DataFrame:
    """Return one row a study of `mimic_all.csv`: subject_id, study_id, image_id, study_order."""
    path = find_csv(root, STUDIES, KEY)
    table = read_csv(path, ["subject_id", "study_id", "dicom_id", "study_order"])
    studies = table.select(
        "subject_id",
        "study_id",
        pl.col("dicom_id").alias("image_id"),
        integers(table, "study_order", path).cast(pl.Int32).alias("study_order"),
    )
    return one_row_each(studies, "study_id", path)


def read_order(path: Path) -> pl.DataFrame:
    """Return one row a study of a file like `mimic_all.csv`: subject_id, study_id, study_order, view (its meaning)."""
    if not path.is_file():
        raise InputError(f"studies: no file {path}; give the table of studies, studies={STUDIES}")
    table = read_csv(path, ["subject_id", "study_id", "study_order", "view"])
    for column in ("subject_id", "study_id"):
        check_ids(table, column, "[0-9]+", path)
    ordered = table.with_columns(integers(table, "study_order", path).alias("study_order"))
    return one_row_each(ordered, "study_id", path)


def read_questions(
    root: Path, images: pl.DataFrame, *, pairing: Pairing, subjects: pl.Series | None = None
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the questions with their images, and what was skipped, by reason.

    The `split` of a row is the published one, whatever is left out afterwards: the column where every row has it, else
    by place in the file, as the release was cut. Of some subjects, the rows are cut by place: each part has some.

    Args:
        root: folder of the release.
        images: study_id, image_id.
        pairing: "auto" gives a reference image to difference questions only; "always" to all, as the
            published code does.
        subjects: those to read; None reads all.
    """
    check_choice("source.pairing", pairing, get_args(Pairing))
    table = _published(find_csv(root, QUESTIONS, KEY))
    if subjects is not None:
        table = table.filter(pl.col("subject_id").is_in(subjects.implode()))
    if subjects is not None or table["split"].null_count():
        table = table.with_columns(paper_split(len(table)))
    table = table.with_columns(pl.col("question", "answer").str.strip_chars())
    paired = pl.lit(pairing == "always") | (pl.col("question_type") == DIFFERENCE)
    joined = _with_images(table, images)
    known = joined.filter(pl.col("main_image").is_not_null() & (pl.col("reference_image").is_not_null() | ~paired))
    answered = known.filter(pl.col("answer").is_not_null() & (pl.col("answer") != ""))
    keywords = [answer_keywords(*pair) for pair in answered.select("question_type", "answer").iter_rows()]
    questions = answered.select(
        pl.format("q{}", pl.col("row").cast(pl.String).str.zfill(7)).alias("question_id"),
        "subject_id",
        "main_image",
        pl.when(paired).then("reference_image"),
        "question_type",
        "question",
        "answer",
        pl.Series("keywords", keywords, dtype=pl.String),
        "split",
    )
    return questions, {
        "question whose study has no image": len(joined) - len(known),
        "question without an answer": len(known) - len(answered),
        "difference question of a pair in both orders, like the other (kept)": int(table["repeats"].sum()),
        "question that has two answers (both kept)": _contradicted(answered),
    }


def _contradicted(table: pl.DataFrame) -> int:
    """Return how many questions occur with more than one answer."""
    asked = [column for column in QUESTION_COLUMNS if column != "answer"]
    return int((table.group_by(asked).agg(pl.col("answer").n_unique())["answer"] > 1).sum())


def _with_images(table: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    image_of = dict(zip(images["study_id"], images["image_id"], strict=True))
    return table.with_columns(
        pl.col("study_id").replace_strict(image_of, default=None, return_dtype=pl.String).alias("main_image"),
        pl.col("ref_id").replace_strict(image_of, default=None, return_dtype=pl.String).alias("reference_image"),
    )


def _published(path: Path) -> pl.DataFrame:
    """Return the rows of the file, with their place `row` and whether one `repeats` an earlier row in good order.

    A release may ask of a pair in both orders. 1.0.1 turned the difference question of one of them, which may equal
    the other's since.

    Raises:
        InputError: naming a row of another type of question, or of another split, or both rows of any other question
            that occurs twice.
    """
    table = read_csv(path, QUESTION_COLUMNS, optional=["split"]).with_row_index("row")
    for column in QUESTION_COLUMNS[:3]:
        check_ids(table, column, "[0-9]+", path)
    check_values(table, "question_type", QUESTION_TYPES, path, blanks=False)
    check_values(table, "split", SPLITS, path)
    pairs = pl.struct(study_id="study_id", ref_id="ref_id")
    turned = table.select(pl.struct(study_id="ref_id", ref_id="study_id").unique()).to_series()
    in_order = (pl.col("question_type") == DIFFERENCE) & pairs.is_in(turned.implode())
    question = pl.struct(*QUESTION_COLUMNS)
    table = table.with_columns(repeats=~question.is_first_distinct(), first=pl.col("row").first().over(question))
    wrong = table.filter(pl.col("repeats") & ~in_order)
    if len(wrong):
        raise InputError(
            f"{path}, rows {wrong['first'][0] + 2} and {wrong['row'][0] + 2}: the same question of study "
            f"'{wrong['study_id'][0]}' twice: remove one of the rows"
        )
    return table
