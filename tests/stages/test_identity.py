"""What marks a stage as whole: a note of another kind is no note."""

import json

import pytest

from cfvqa.stages.identity import SUCCESS, Stage

WHOLE = {"id": "a", "facts": {"parameters": "5"}, "seconds": 2}


@pytest.mark.parametrize(
    "note",
    [
        "5",
        "[]",
        "null",
        '"a"',
        pytest.param("[" * 100_000, id="deep"),
        json.dumps({"id": "a"}),
        json.dumps(WHOLE | {"facts": []}),
        json.dumps(WHOLE | {"seconds": "2"}),
        json.dumps(WHOLE | {"id": ["a"]}),
    ],
)
def test_a_stage_whose_mark_holds_something_else_is_not_whole(tmp_path, note):
    stage = Stage("x", tmp_path, "a")
    (tmp_path / SUCCESS).write_text(json.dumps(WHOLE))
    assert (stage.whole, stage.facts(), stage.seconds) == (True, {"parameters": "5"}, 2.0)
    (tmp_path / SUCCESS).write_text(note)
    assert not stage.whole


def test_a_stage_without_a_mark_has_no_facts(tmp_path):
    stage = Stage("x", tmp_path, "a")
    assert (stage.whole, stage.facts(), stage.seconds) == (False, {}, 0.0)
