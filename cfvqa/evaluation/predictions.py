"""The table of predictions: the contract between whatever answers and what judges the answers."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.files import whole

DIFFERENCE = "difference"
"""The question type whose answers are changes; all other types are judged by exact match."""

PREDICTIONS = "predictions.parquet"
"""File of a table of predictions."""

SCHEMA: dict[str, pl.DataType] = {
    "question_id": pl.String(),
    "subject_id": pl.String(),
    "main_image": pl.String(),
    "reference_image": pl.String(),
    "question_type": pl.String(),
    "question": pl.String(),
    "answer": pl.String(),
    "prediction": pl.String(),
    "score": pl.Float64(),
    "attention_main": pl.List(pl.Float32()),
    "attention_reference": pl.List(pl.Float32()),
}
"""Columns of a table of predictions. `answer` is the truth. `reference_image`, `score` (0 to 1) and the
attention over the 24 regions of each image (the shares of both images together are 1) may be null."""

_FROM_QUESTIONS = (
    "question_id",
    "subject_id",
    "main_image",
    "reference_image",
    "question_type",
    "question",
    "answer",
)
_READERS = {
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".parquet": pl.read_parquet,
    ".json": pl.read_json,
    ".jsonl": pl.read_ndjson,
}


def predictions_of(questions: pl.DataFrame, answers: Sequence[str]) -> pl.DataFrame:
    """Return the table of predictions that gives `answers[i]` to row i of the questions."""
    frame = questions.select(pl.col(name).cast(SCHEMA[name]) for name in _FROM_QUESTIONS)
    frame = frame.with_columns(pl.Series("prediction", list(answers), dtype=pl.String))
    unset = [pl.lit(None, dtype=SCHEMA[name]).alias(name) for name in SCHEMA if name not in frame.columns]
    return frame.with_columns(unset).select(list(SCHEMA))


def write_predictions(predictions: pl.DataFrame, folder: Path) -> None:
    """Write a table of predictions to `folder/predictions.parquet`, whole or not at all."""
    with whole(folder / PREDICTIONS) as file:
        predictions.write_parquet(file)


def join_predictions(file: Path, questions: pl.DataFrame) -> pl.DataFrame:
    """Return the answers of a file (csv, parquet, json or jsonl) as a table of predictions.

    Args:
        file: columns question_id and prediction, one row for each question, in any order. An empty prediction
            is an answer (a wrong one); a missing row is an error.
        questions: the questions to answer, in the order of the result.
    """
    given = _read(file)
    wanted = questions.get_column("question_id").cast(pl.String)
    ids = given.get_column("question_id")
    _refuse(file, "have two rows or more", ids.filter(ids.is_duplicated()).unique(maintain_order=True))
    _refuse(file, "are not among the questions to answer", ids.filter(~ids.is_in(wanted.implode())))
    _refuse(file, "have no prediction", wanted.filter(~wanted.is_in(ids.implode())))
    answers = dict(given.select("question_id", "prediction").iter_rows())
    return predictions_of(questions, [answers[question_id] for question_id in wanted])


def _read(file: Path) -> pl.DataFrame:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{file}: cannot read predictions from '{file.suffix}'; give one of {', '.join(_READERS)}.")
    if not file.is_file():
        raise InputError(f"{file}: there is no such file of predictions; check the value of `predictions`.")
    try:
        frame = reader(file)
    except (pl.exceptions.PolarsError, ValueError, OSError) as error:
        raise InputError(f"{file}: not a readable {file.suffix[1:]} file of predictions ({error}).") from error
    missing = [name for name in ("question_id", "prediction") if name not in frame.columns]
    if missing:
        raise InputError(
            f"{file}: column {' and '.join(missing)} not found (it has {', '.join(frame.columns)}). "
            "Give one row for each question with the columns question_id and prediction."
        )
    for name in ("question_id", "prediction"):
        if frame.schema[name].is_nested():
            raise InputError(f"{file}: column {name} holds lists or objects; give one text in each row.")
    if frame.get_column("question_id").null_count():
        row = int(frame.get_column("question_id").is_null().arg_true()[0])
        raise InputError(f"{file}, row {row}: question_id has no value; fill it or remove the row.")
    return frame.select(pl.col("question_id").cast(pl.String), pl.col("prediction").cast(pl.String).fill_null(""))


def _refuse(file: Path, fault: str, ids: pl.Series) -> None:
    if len(ids):
        named = ", ".join(repr(name) for name in ids.head(5)) + (", ..." if len(ids) > 5 else "")
        raise InputError(
            f"{file}: {len(ids)} question_id {fault}: {named}. "
            "The file must hold each question of the split that is evaluated exactly once."
        )
