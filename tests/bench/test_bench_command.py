"""The command: one table, its files, and one message for a wrong setting."""

import csv
import subprocess
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra

from cfvqa.bench.bench import QUESTIONS
from cfvqa.commands import bench


@pytest.mark.long
def test_one_table_on_the_screen_and_in_files(tmp_path, config):
    small = ["bench.units=2", "bench.repeats=1", "text.transformer.width=32", "image_size=64"]
    asked = [name for name in QUESTIONS if name not in ("compiled", "classifiers")]  # minutes; tested by themselves
    chosen = f"bench.questions=[{','.join(asked)}]"
    line = [sys.executable, "-m", "cfvqa.commands.bench", "experiment=phantom_tiny", *small, chosen, "to=there"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"measured   {number}/{len(asked)}  {word}" in done.stdout for number, word in enumerate(asked, 1))
    with (tmp_path / "there" / "bench.csv").open() as file:
        header, machine, reader, *rows = csv.reader(file)
    assert header[0] == "measured"
    assert machine[0] == "machine"
    assert "threads" in machine[1]
    assert "parameters" in reader[1]
    more = 1 + 1 + 2  # two phases, two numbers of workers, three ways to read
    assert len(rows) == len(asked) + more
    assert all(all(row) for row in rows)
    page = (tmp_path / "there" / "bench.md").read_text()
    assert len(page.splitlines()) == len(rows) + 4
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


_NUMBER, _SOME = "give a whole number from", "give some of training step, label texts,"


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("bench.repeats=0", _NUMBER),
        ("bench.units=1", _NUMBER),
        ("bench.repeats=often", _NUMBER),
        ("bench.questions=[padding,nonsuch]", _SOME),
        ("bench.questions=[]", _SOME),
    ],
)
def test_a_wrong_setting_is_one_message(tmp_path, monkeypatch, capsys, override, wanted):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cfvqa-bench", "experiment=phantom_tiny", override])
    GlobalHydra.instance().clear()
    with pytest.raises(SystemExit) as stop:
        bench.main()
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.err.count("error: ") == 1
    assert override.partition("=")[0] in printed.err
    assert wanted in printed.err
    assert not list(tmp_path.iterdir())


def test_one_question_is_measured_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ["bench.units=2", "bench.repeats=1", "text.transformer.width=32", "bench.questions=[padding]"]
    monkeypatch.setattr(sys, "argv", ["cfvqa-bench", "experiment=phantom_tiny", *small])
    GlobalHydra.instance().clear()
    bench.main()
    printed = capsys.readouterr().out
    assert "measured   1/1  padding" in printed
    assert "ms a step" in printed
