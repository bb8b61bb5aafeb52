"""A further process of a training ends as a command does."""

import sys

import pytest

from cfvqa.commands import rank
from cfvqa.errors import InputError


def test_wrong_input_in_a_further_process_is_one_message_and_status_2(tmp_path, monkeypatch, capsys):
    def refuse(config, console):
        raise InputError("file x is damaged")

    (tmp_path / "config.yaml").write_text("name: a\n")
    monkeypatch.setattr(sys, "argv", ["rank", str(tmp_path / "config.yaml"), "vqa"])
    monkeypatch.setitem(rank.STAGES, "vqa", refuse)
    with pytest.raises(SystemExit) as end:
        rank.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "error: file x is damaged\n"
