import json

import polars as pl
import pytest

from cfvqa.errors import InputError
from cfvqa.evaluation.predictions import SCHEMA, join_predictions

EVEN = [1 / 24] * 24


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"question_id": ["q1"], "prediction": "yes"}, "question_id holds lists or objects"),
        ({"question_id": "q1", "prediction": {"text": "yes"}}, "prediction holds lists or objects"),
        ({"question_id": "q1", "prediction": "yes", "swapped": ["no"]}, "swapped holds lists or objects"),
        ({"question_id": None, "prediction": "yes"}, "row 1: question_id has no value"),
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
        (
            ["a", "c", "a"],
            r"1 question_id have two rows or more: 'a'; 1 question_id are not among the questions to answer: 'c'; "
            r"1 question_id have no prediction: 'b'",
        ),
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
    lists = [EVEN, None]
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
        ({"score": [0.5, 1.5]}, "row 2: score is not a number from 0 to 1"),
        ({"score": [float("nan"), 0.5]}, "row 1: score is not a number from 0 to 1"),
        ({"score": ["high", "0.5"]}, "score does not hold a number from 0 to 1"),
        ({"attention_main": [[1 / 23] * 23, None]}, "row 1: attention_main is not a list of 24 numbers"),
        ({"attention_main": [None, [None] + [0.0] * 23]}, "row 2: attention_main is not a list of 24 numbers"),
        ({"attention_reference": [0.5, 0.5]}, "attention_reference"),
        ({"attention_reference": [None, EVEN]}, "row 2: attention_reference is there without attention_main"),
        (
            {"attention_main": [EVEN, None], "attention_reference": [EVEN, None]},
            "row 1: the shares of all regions are 2 together",
        ),
    ],
)
def test_a_wrong_score_or_attention_is_named(tmp_path, columns, message):
    with pytest.raises(InputError, match=message):
        join_predictions(write_answers(tmp_path, **columns), questions_of("a", "b"))


def test_bytes_that_are_no_text_are_named(tmp_path):
    with pytest.raises(InputError, match=r"column prediction holds no text in a row \([^\n]*\); mend it"):
        join_predictions(write_answers(tmp_path, prediction=[b"\xff", b"no"]), questions_of("a", "b"))


def test_answers_to_swapped_images_are_there_for_all_difference_questions_or_none(tmp_path):
    file = write_answers(tmp_path, swapped=["nothing has changed.", None])
    asked = questions_of("a", "b").with_columns(question_type=pl.lit("difference"))
    with pytest.raises(InputError, match=r"answers\.parquet: swapped has no value for 1 difference questions: 'a'"):
        join_predictions(file, asked)
    assert join_predictions(file, questions_of("a", "b"))["swapped"].null_count() == 1


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_what_begins_late_in_a_file_is_not_lost(tmp_path, ending):
    rows = [{"question_id": f"q{n}", "prediction": "yes"} for n in range(150)]
    for number, row in enumerate(rows[120:], 120):
        row |= {"score": 1 if number < 130 else 0.5, "attention_main": EVEN}
    file = tmp_path / f"answers.{ending}"
    file.write_text(json.dumps(rows) if ending == "json" else "\n".join(map(json.dumps, rows)))
    table = join_predictions(file, questions_of(*(row["question_id"] for row in rows)))
    assert table["score"].to_list() == [None] * 120 + [1.0] * 10 + [0.5] * 20
    assert table["attention_main"].null_count() == 120


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question_id,prediction\na,yes\nb\n", r"row 3: it ends after 1 of 2 fields"),
        ("question_id,prediction,prediction\na,yes,no\nb,no,no\n", "column 'prediction' occurs twice"),
        ("question_id,prediction,score,score\na,yes,1,1\nb,no,1,1\n", "column 'score' occurs twice"),
        ("question_id,prediction,score\na,yes,1\nb,no,2\n", r"row 3 \(the header is row 1\): score is not"),
    ],
)
def test_a_csv_file_with_a_short_row_or_a_doubled_column_is_refused(tmp_path, text, message):
    file = tmp_path / "answers.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=rf"answers\.csv.*{message}"):
        join_predictions(file, questions_of("a", "b"))


def test_an_empty_prediction_of_a_csv_file_is_an_answer(tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("question_id,prediction\na,yes\nb,\n")
    assert join_predictions(file, questions_of("a", "b"))["prediction"].to_list() == ["yes", ""]
