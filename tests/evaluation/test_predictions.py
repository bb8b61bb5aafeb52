import json

import polars as pl
import pytest

from cfvqa.errors import InputError
from cfvqa.evaluation.predictions import join_predictions


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
