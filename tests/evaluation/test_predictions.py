import json

import polars as pl
import pytest

from cfvqa.errors import InputError
from cfvqa.evaluation.predictions import SCHEMA, join_predictions


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"question_id": ["q1"], "prediction": "yes"}, "question_id holds lists or objects"),
        ({"question_id": "q1", "prediction": {"text": "yes"}}, "prediction holds lists or objects"),
        ({"question_id": None, "prediction": "yes"}, "row 0: question_id has no value"),
    ],
)
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_a_value_that_is_no_text_is_named(tmp_path, given, message, ending):
    file = tmp_path / f"answers.{ending}"
    file.write_text(json.dumps([given] if ending == "json" else given))
    with pytest.raises(InputError, match=rf"answers\.{ending}.*{message}"):
        join_predictions(file, pl.DataFrame({"question_id": ["q1"]}))


def questions_of(*ids):
    return pl.DataFrame({"question_id": list(ids)}).with_columns(
        pl.lit("x").alias(name) for name in SCHEMA if name not in ("question_id", "prediction", "score")
    )


def write_answers(tmp_path, ending="parquet", **columns):
    file = tmp_path / f"answers.{ending}"
    frame = pl.DataFrame({"question_id": ["b", "a"], "prediction": ["no", "yes"]} | columns)
    frame.write_csv(file) if ending == "csv" else frame.write_parquet(file)
    return file


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b", "a"], r"1 question_id have two rows or more: 'a'"),
        (["a", "b", "c", "d"], r"2 question_id are not among the questions to answer: 'c', 'd'"),
        (["b"], r"1 question_id have no prediction: 'a'"),
        ([], r"2 question_id have no prediction: 'a', 'b'"),
    ],
)
def test_a_question_that_is_missing_doubled_or_unknown_is_named(tmp_path, ids, message):
    file = tmp_path / "answers.parquet"
    pl.DataFrame({"question_id": ids, "prediction": ["yes"] * len(ids)}, schema=["question_id", "prediction"]).cast(
        pl.String
    ).write_parquet(file)
    with pytest.raises(InputError, match=rf"answers\.parquet: {message}\. The file must hold each question"):
        join_predictions(file, questions_of("a", "b"))


def test_of_many_wrong_questions_the_first_are_named(tmp_path):
    file = tmp_path / "answers.csv"
    pl.DataFrame({"question_id": list("abcdefg"), "prediction": ["yes"] * 7}).write_csv(file)
    with pytest.raises(InputError, match=r"6 question_id are not among .*: 'b', 'c', 'd', 'e', 'f', \.\.\."):
        join_predictions(file, questions_of("a"))


def test_scores_and_attention_of_a_file_go_along(tmp_path):
    lists = [[1 / 24] * 24, None]
    file = write_answers(tmp_path, score=[0.25, None], attention_main=lists, attention_reference=[None, None])
    table = join_predictions(file, questions_of("a", "b"))
    assert table.schema == SCHEMA
    assert table["prediction"].to_list() == ["yes", "no"]
    assert table["score"].to_list() == [None, 0.25]
    assert table["attention_main"][1].to_list() == pytest.approx(lists[0])
    assert table["attention_reference"].is_null().all()


def test_scores_may_stand_in_a_text_file(tmp_path):
    table = join_predictions(write_answers(tmp_path, "csv", score=["0.5", "1"]), questions_of("a", "b"))
    assert table["score"].to_list() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"score": [0.5, 1.5]}, "row 1: score is not a number from 0 to 1"),
        ({"score": [float("nan"), 0.5]}, "row 0: score is not a number from 0 to 1"),
        ({"score": ["high", "0.5"]}, "score does not hold a number from 0 to 1"),
        ({"attention_main": [[1 / 23] * 23, None]}, "row 0: attention_main is not a list of 24 numbers"),
        ({"attention_main": [None, [None] + [0.0] * 23]}, "row 1: attention_main is not a list of 24 numbers"),
        ({"attention_reference": [0.5, 0.5]}, "attention_reference"),
    ],
)
def test_a_wrong_score_or_attention_is_named(tmp_path, columns, message):
    with pytest.raises(InputError, match=message):
        join_predictions(write_answers(tmp_path, **columns), questions_of("a", "b"))
