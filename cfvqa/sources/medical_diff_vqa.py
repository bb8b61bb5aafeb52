"""Medical-Diff-VQA 1.0.x: questions over pairs of studies, and the key information of each study."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from cfvqa.errors import InputError
from cfvqa.language.keywords import answer_keywords
from cfvqa.sources.csv_files import integers, read_csv
from cfvqa.sources.tables import SCHEMAS
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.levels import LEVEL_WORDS

_QUESTION_COLUMNS = ["study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split"]


def _file(root: Path, name: str) -> Path:
    path = root / name
    if not path.is_file():
        raise InputError(f"{path} is missing: it belongs to Medical-Diff-VQA; check source.questions_root")
    return path


def read_studies(root: Path) -> pl.DataFrame:
    """Return one row a study of `mimic_all.csv`: study_id, image_id, study_order."""
    path = _file(root, "mimic_all.csv")
    table = read_csv(path, ["study_id", "dicom_id", "study_order"])
    return table.select(
        "study_id",
        pl.col("dicom_id").alias("image_id"),
        integers(table, "study_order", path).cast(pl.Int32).alias("study_order"),
    ).unique("study_id", keep="first", maintain_order=True)


def read_questions(root: Path, studies: pl.DataFrame, *, pairing: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the questions with their images, and what was skipped.

    Args:
        root: folder of the release.
        studies: study_id, image_id.
        pairing: "auto" gives a reference image to difference questions only; "always" to all, as the
            published code does.
    """
    path = _file(root, "mimic_pair_questions.csv")
    table = read_csv(path, _QUESTION_COLUMNS).with_row_index("row")
    image_of = dict(zip(studies["study_id"], studies["image_id"], strict=True))
    joined = table.with_columns(
        pl.col("study_id").replace_strict(image_of, default=None, return_dtype=pl.String).alias("main_image"),
        pl.col("ref_id").replace_strict(image_of, default=None, return_dtype=pl.String).alias("other"),
        pl.col("answer").str.strip_chars(),
    )
    known = joined.filter(pl.col("main_image").is_not_null() & pl.col("other").is_not_null())
    paired = pl.lit(pairing == "always") | (pl.col("question_type") == "difference")
    pairs = known.select("question_type", "answer").iter_rows()
    keywords = [answer_keywords(question_type, answer) for question_type, answer in pairs]
    questions = known.select(
        pl.format("q{}", pl.col("row").cast(pl.String).str.zfill(7)).alias("question_id"),
        "subject_id",
        "main_image",
        pl.when(paired).then("other").otherwise(None).alias("reference_image"),
        "question_type",
        "question",
        "answer",
        pl.Series("keywords", keywords, dtype=pl.String),
        pl.col("split").replace({"validate": "val", "valid": "val"}),
    )
    return questions, {"question whose study has no image": len(joined) - len(known)}


def read_key_information(root: Path, images: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return whole-image findings of `images` from `all_diseases.json`, and what was skipped."""
    path = _file(root, "all_diseases.json")
    try:
        records = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is no readable JSON ({error}): restore the file") from error
    image_of = dict(zip(images["study_id"], images["image_id"], strict=True))
    rows: list[tuple[Any, ...]] = []
    skipped = {"finding without a node": 0}
    for record in records:
        image_id = image_of.get(str(record.get("study_id")))
        if image_id is not None:
            skipped["finding without a node"] += _record_rows(record, image_id, rows)
    table = pl.DataFrame(rows, schema=SCHEMAS["findings"], orient="row")
    return table.unique(["image_id", "finding"], keep="first", maintain_order=True), skipped


def _record_rows(record: dict[str, Any], image_id: str, rows: list[tuple[Any, ...]]) -> int:
    """Append the findings of one study; positives first, so that they win. Returns how many have no node."""
    without = 0
    entities = record.get("entity") or {}
    for name, details in entities.items():
        if name in NODE_OF_ANSWER:
            rows.append((image_id, None, NODE_OF_ANSWER[name], "yes", _level(details)))
        else:
            without += 1
    for name in record.get("no_entity") or []:
        if name in NODE_OF_ANSWER:
            rows.append((image_id, None, NODE_OF_ANSWER[name], "no", None))
    return without


def _level(details: dict[str, Any]) -> str | None:
    words = " ".join(details.get("level") or [])
    return words if words in LEVEL_WORDS else None
