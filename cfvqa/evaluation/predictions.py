"""The table of predictions: the contract between whatever answers and what judges the answers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.files import whole
from cfvqa.language.questions import DIFFERENCE
from cfvqa.sources.csv_files import read_csv
from cfvqa.vocabulary.regions import REGIONS

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
    "swapped": pl.String(),
}
"""Columns of a table of predictions. `answer` is the truth. `reference_image`, `score` (0 to 1), the attention over
the 24 regions of each image (the shares of both images together are 1) and `swapped`, what is answered where main and
reference image are exchanged, may be null."""

_FROM_QUESTIONS = (
    "question_id",
    "subject_id",
    "main_image",
    "reference_image",
    "question_type",
    "question",
    "answer",
)
OPTIONAL = ("score", "attention_main", "attention_reference", "swapped")
"""What a file of answers may have beside its texts, as `SCHEMA` says; attention in files that hold lists."""

_READERS = {
    ".csv": partial(read_csv, columns=None),
    ".parquet": pl.read_parquet,
    ".json": partial(pl.read_json, infer_schema_length=None),
    ".jsonl": partial(pl.read_ndjson, infer_schema_length=None),
}
_ROUNDED = 0.05
"""How far the sum of 48 shares may be from 1, as when they were written with two decimals."""


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
            is an answer (a wrong one); a missing row is an error. Those of `OPTIONAL` are judged too. Of the attention
            only the order of the regions counts, and how much of it each image has.
        questions: the questions to answer, in the order of the result.

    Raises:
        InputError: if the file cannot be read, or a question, score or attention of it is wrong.
    """
    given = _read(file)
    wanted = questions.get_column("question_id").cast(pl.String)
    ids = given.get_column("question_id")
    _refuse_ids(
        file,
        {
            "have two rows or more": ids.filter(ids.is_duplicated()).unique(maintain_order=True),
            "are not among the questions to answer": ids.filter(~ids.is_in(wanted.implode())).unique(
                maintain_order=True
            ),
            "have no prediction": wanted.filter(~wanted.is_in(ids.implode())),
        },
    )
    given = wanted.alias("question_id").to_frame().join(given, on="question_id", how="left", maintain_order="left")
    table = predictions_of(questions, given["prediction"].to_list()).with_columns(given[name] for name in OPTIONAL)
    asked = table.filter(pl.col("question_type") == DIFFERENCE)
    if 0 < asked["swapped"].null_count() < len(asked):
        lacking = asked.filter(pl.col("swapped").is_null())["question_id"]
        raise InputError(
            f"{file}: swapped has no value for {len(lacking)} difference questions: {_named(lacking)}; give it for all "
            "of them, or leave the column out."
        )
    return table


def _read(file: Path) -> pl.DataFrame:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{file}: cannot read predictions from '{file.suffix}'; give one of {', '.join(_READERS)}.")
    if not file.is_file():
        raise InputError(f"{file}: there is no such file of predictions; check the value of `predictions`.")
    try:
        frame = reader(file)
    except (pl.exceptions.PolarsError, ValueError, OSError) as error:
        raise InputError(
            f"{file}: not a readable {file.suffix[1:]} file of predictions ({_first_line(error)})."
        ) from error
    missing = [name for name in ("question_id", "prediction") if name not in frame.columns]
    if missing:
        raise InputError(
            f"{file}: column {' and '.join(missing)} not found (it has {_named(pl.Series(frame.columns))}). "
            "Give one row for each question with the columns question_id and prediction."
        )
    if frame.get_column("question_id").null_count():
        place = _first(file, frame.get_column("question_id").is_null())
        raise InputError(f"{place}: question_id has no value; fill it or remove the row.")
    texts = _texts(file, frame, "question_id"), _texts(file, frame, "prediction").fill_null("")
    frame = pl.DataFrame([*texts, *(_optional(file, frame, name) for name in OPTIONAL)])
    _check_attention(file, frame)
    return frame


def _first(file: Path, wrong: pl.Series) -> str:
    """Name the first wrong row as an editor counts: from 1, which in a CSV file is the header."""
    row = int(wrong.arg_true()[0]) + 1
    return f"{file}, row {row + 1} (the header is row 1)" if file.suffix.lower() == ".csv" else f"{file}, row {row}"


def _texts(file: Path, frame: pl.DataFrame, name: str) -> pl.Series:
    column = frame.get_column(name)
    if column.dtype.is_nested():
        raise InputError(f"{file}: column {name} holds lists or objects; give one text in each row.")
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{file}: column {name} holds no text in a row ({_first_line(error)}); mend it.") from error


def _first_line(error: Exception) -> str:
    """Return what an error says without the hints that polars adds to it."""
    return str(error).partition("\n")[0]


def _optional(file: Path, frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a column of scores, attention or answers to swapped images; a row, or a file, may leave it out."""
    if name not in frame.columns:
        return pl.Series(name, [None] * len(frame), dtype=SCHEMA[name])
    if name == "swapped":
        return _texts(file, frame, name)
    what = "a number from 0 to 1" if name == "score" else f"a list of {len(REGIONS)} numbers from 0 to 1"
    try:
        column = frame.get_column(name).cast(SCHEMA[name])
        wrong = _is_no_share(column) if name == "score" else _is_no_list_of_shares(column)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{file}: column {name} does not hold {what} in a row ({_first_line(error)}); leave it out."
        ) from error
    if wrong.any():
        raise InputError(f"{_first(file, wrong)}: {name} is not {what}; mend it, or leave the column out.")
    return column


def _is_no_share(values: pl.Series) -> pl.Series:
    """Return which values are no number from 0 to 1; none is missing."""
    return ~(values.is_null() | (values.is_not_nan() & values.is_between(0, 1)))


def _is_no_list_of_shares(values: pl.Series) -> pl.Series:
    right = (pl.element().is_not_nan() & pl.element().is_between(0, 1)).fill_null(value=False)
    fits = (values.list.len() == len(REGIONS)) & values.list.eval(right).list.all()
    return ~(values.is_null() | fits)


def _check_attention(file: Path, frame: pl.DataFrame) -> None:
    """Check that the shares of the regions of both images are those of one attention."""
    main, reference = frame["attention_main"], frame["attention_reference"]
    alone = main.is_null() & reference.is_not_null()
    if alone.any():
        raise InputError(f"{_first(file, alone)}: attention_reference is there without attention_main; give both.")
    total = main.list.sum() + reference.list.sum().fill_null(0)
    wrong = ((total - 1).abs() > _ROUNDED).fill_null(value=False)
    if wrong.any():
        raise InputError(
            f"{_first(file, wrong)}: the shares of all regions are {total.filter(wrong)[0]:.3g} together; "
            "divide attention_main and attention_reference by that, so that they are 1."
        )


def _refuse_ids(file: Path, faults: dict[str, pl.Series]) -> None:
    """Refuse ids with a fault, if there are any; all faults are named at once."""
    said = [f"{len(ids)} question_id {fault}: {_named(ids)}" for fault, ids in faults.items() if len(ids)]
    if said:
        raise InputError(
            f"{file}: {'; '.join(said)}. The file must hold each question of the split that is evaluated exactly once."
        )


def _named(ids: pl.Series) -> str:
    return ", ".join(repr(name) for name in ids.head(5)) + (", ..." if len(ids) > 5 else "")
