"""What marks a stage as whole: a note of another kind is no note."""

import json

import pytest

from cfvqa.progress import StageConsole
from cfvqa.stages import identity
from cfvqa.stages.identity import SUCCESS, Stage, ensure

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


def test_a_stage_that_is_made_is_waited_for_where_a_shared_disk_shows_it_late_and_the_first_process_is_gone(
    tmp_path, monkeypatch
):
    looks = []

    def show_late(_):
        looks.append(SUCCESS)
        if len(looks) == 3:
            (tmp_path / SUCCESS).write_text(json.dumps(WHOLE))

    monkeypatch.setattr(identity, "rank", lambda: 1)
    monkeypatch.setattr(identity, "is_told_made", lambda work: True)
    monkeypatch.setattr(identity.time, "sleep", show_late)
    assert ensure(Stage("x", tmp_path, "a"), None, StageConsole(quiet=True)).whole
    assert len(looks) == 3
    monkeypatch.setattr(identity, "_LATE", -1.0)
    with pytest.raises(SystemExit, match="this one does not see it"):
        ensure(Stage("x", tmp_path, "b"), None, StageConsole(quiet=True))
