"""Medical-Diff-VQA 1.0.x: questions over pairs of studies, and the key information of each study."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from cfvqa.errors import InputError
from cfvqa.language.grammar import official_name
from cfvqa.language.keywords import answer_keywords
from cfvqa.language.questions import DIFFERENCE
from cfvqa.sources.csv_files import integers, read_csv
from cfvqa.sources.paths import check_ids, existing_file
from cfvqa.sources.splits import paper_split
from cfvqa.sources.tables import SCHEMAS
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.levels import LEVEL_WORDS

PAIRINGS = ("auto", "always")
_KEY = "source.questions"


def read_studies(root: Path) -> pl.DataFrame:
    """Return one row a study of `mimic_all.csv`: subject_id, study_id, image_id, study_order."""
    path = existing_file(root, "mimic_all.csv", _KEY)
    table = read_csv(path, ["subject_id", "study_id", "dicom_id", "study_order"])
    studies = table.select(
        "subject_id",
        "study_id",
        pl.col("dicom_id").alias("image_id"),
        integers(table, "study_order", path).cast(pl.Int32).alias("study_order"),
    ).unique(maintain_order=True)
    if studies["study_id"].is_duplicated().any():
        doubled = studies.filter(pl.col("study_id").is_duplicated())["study_id"][0]
        raise InputError(f"{path}: study_id '{doubled}' has rows that contradict each other: keep one of them")
    return studies


def read_questions(
    root: Path, images: pl.DataFrame, *, pairing: str, subjects: pl.Series | None = None
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the questions with their images, and what was skipped, by reason.

    The `split` of a row is the published one: by its place in the file, whatever is left out afterwards.

    Args:
        root: folder of the release.
        images: study_id, image_id.
        pairing: "auto" gives a reference image to difference questions only; "always" to all, as the
            published code does.
        subjects: those to read; None reads all. The split is by place among the rows that are read.
    """
    if pairing not in PAIRINGS:
        raise InputError(f"source.pairing is '{pairing}': choose one of {', '.join(PAIRINGS)}")
    path = existing_file(root, "mimic_pair_questions.csv", _KEY)
    columns = ["study_id", "subject_id", "ref_id", "question_type", "question", "answer"]
    table = read_csv(path, columns).with_row_index("row")
    for column in columns[:3]:
        check_ids(table, column, "[0-9]+", path)
    if subjects is not None:
        table = table.filter(pl.col("subject_id").is_in(subjects.implode()))
    table = table.with_columns(paper_split(len(table)), pl.col("question", "answer").str.strip_chars())
    image_of = dict(zip(images["study_id"], images["image_id"], strict=True))
    paired = pl.lit(pairing == "always") | (pl.col("question_type") == DIFFERENCE)
    joined = table.with_columns(
        pl.col("study_id").replace_strict(image_of, default=None, return_dtype=pl.String).alias("main_image"),
        pl.col("ref_id").replace_strict(image_of, default=None, return_dtype=pl.String).alias("reference_image"),
    )
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
    }


def read_key_information(root: Path, images: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return whole-image findings of `images` from `all_diseases.json`, and what was skipped, by reason.

    Of two names with one node, and of a finding both present and absent, the first that is present counts.
    """
    path = existing_file(root, "all_diseases.json", _KEY)
    try:
        records = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no readable JSON ({error}): restore the file") from error
    if not isinstance(records, list):
        raise InputError(f"{path}: expected a list of key-information records: restore the file")
    image_of = dict(zip(images["study_id"], images["image_id"], strict=True))
    rows: list[tuple[Any, ...]] = []
    skipped: Counter[str] = Counter()
    for number, record in enumerate(records):
        if not isinstance(record, dict) or not isinstance(record.get("entity") or {}, dict):
            raise InputError(f"{path}, record {number}: expected study_id, entity and no_entity: restore the file")
        image_id = image_of.get(str(record.get("study_id")))
        if image_id is not None:
            rows += _record_rows(record, image_id, skipped)
    table = pl.DataFrame(rows, schema=SCHEMAS["findings"], orient="row")
    return table.unique(["image_id", "finding"], keep="first", maintain_order=True), dict(skipped)


def _record_rows(record: dict[str, Any], image_id: str, skipped: Counter[str]) -> list[tuple[Any, ...]]:
    """Return the findings of one study, those present first."""
    said = [(name, "yes", _level(details, skipped)) for name, details in (record.get("entity") or {}).items()]
    said += [(name, "no", None) for name in record.get("no_entity") or []]
    rows = []
    for name, presence, level in said:
        node = NODE_OF_ANSWER.get(official_name(name))
        if node is None:
            skipped["reported finding without a node"] += 1
        else:
            rows.append((image_id, None, node, presence, level))
    return rows


def _level(details: dict[str, Any], skipped: Counter[str]) -> str | None:
    """Return the level of the first side of a finding, if it is one level of the vocabulary."""
    words = " ".join(details.get("level") or [])
    if words and words not in LEVEL_WORDS:
        skipped["level of several words"] += 1
        return None
    return words or None
