import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.stages import report_facts
from cfvqa.stages.closing import closing_lines
from cfvqa.stages.identity import Stage
from cfvqa.stages.report import report
from cfvqa.stages.report_facts import words

CONFIG = OmegaConf.create(
    {
        "name": "trial",
        "seed": 4,
        "logger": {"tracker": None},
        "report": {"seed": 1},
        "evaluation": {"decoding": {"num_beams": 3}, "tasks": ["answers"], "phase": None},
    }
)


def lines(folder, overrides, config=CONFIG):
    changes = {"n": 1, "unparsed": 0, "f1": 0.25}
    figures = {
        "changes": changes,
        "other_types": {"n": 0},
        "by_type": {},
        "interval": {"changes": {"f1": [0.125, 0.5]}},
    }
    blind = {"changes": {"f1": 0.0625}, "interval": {"changes": {"f1": [0.0, 0.125]}}}
    judged = folder / "trial" / "evaluation"
    judged.mkdir(parents=True)
    (judged / "metrics.json").write_text(json.dumps(figures | {"baseline": {"prior": blind}}))
    config = OmegaConf.merge(config, {"runs": str(folder)})
    return closing_lines(config, judged.with_name("report.html"), overrides)


def test_the_end_of_a_run_says_what_came_out_and_what_to_open(tmp_path):
    text = "\n".join(lines(tmp_path, []))
    for part in ("0.250", "0.125 to 0.500", "prior", "0.062", str(tmp_path / "trial" / "report.html")):
        assert part in text


def test_commands_to_try_repeat_the_overrides_but_for_what_they_change(tmp_path):
    given = ["experiment=phantom_tiny", "seed=4", "name=a b", "evaluation.decoding.num_beams=3"]
    commands = [line.removeprefix("next").strip().split("  #")[0] for line in lines(tmp_path, given)[-3:]]
    for command in commands:
        name, *overrides = shlex.split(command)
        assert Path(name).name in ("cfvqa-run", "cfvqa-report")
        keys = [override.partition("=")[0] for override in overrides]
        assert len(keys) == len(set(keys))
        assert "experiment=phantom_tiny" in overrides
    assert "name=trial_seed5" in commands[0]
    assert "'name=a b'" in commands[1]
    assert "num_beams=1" in commands[1]


def test_a_run_that_ranks_is_told_of_writing_and_not_of_beams(tmp_path):
    config = OmegaConf.merge(CONFIG, {"evaluation": {"decoding": {"way": "rank", "num_beams": 1}}})
    text = "\n".join(lines(tmp_path, ["evaluation.decoding.way=rank"], config))
    assert "evaluation.decoding.way=generate" in text
    assert "num_beams" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (1.0, "1.0"),
        ([1, 2], "1 2"),
        ({"a": 1, "_partial_": True}, "a 1"),
        ({"_target_": "x.y.Net"}, "Net"),
        (
            {"_target_": "x.y.Net", "trunk": {"_target_": "Trunk", "width": 3}, "b": None},
            "Net (trunk Trunk (width 3), b none)",
        ),
        ({}, ""),
    ],
)
def test_settings_in_words(value, text):
    assert words(value) == text


def test_a_file_of_answers_has_no_report():
    config = OmegaConf.create({"predictions": "answers.csv"})
    with pytest.raises(InputError, match="cfvqa-evaluate"):
        report(config, StageConsole(quiet=True))


def test_a_report_does_not_look_through_the_data_set_again(monkeypatch):
    asked, console = [], StageConsole(quiet=True)
    for name in ("tables", "anatomy", "findings", "features", "vqa", "blind", "baselines"):
        monkeypatch.setattr(report_facts, name, lambda config, console: asked.append(console))
    report_facts.Ran.behind(OmegaConf.create({"extraction": {"published": None}}), None, console)
    assert asked == [console] * 7


@pytest.mark.parametrize("truth", ["none", "findings"])
def test_a_page_says_what_was_taken_from_the_labels(tmp_path, truth):
    block = {"network": {"_target_": "x.Net"}, "training": {}}
    config = {"image_size": 256, "detector": block, "classifier": block, "extraction": {"truth": truth}}
    ran = SimpleNamespace(anatomy=Stage("anatomy", tmp_path, "1"), findings=Stage("findings", tmp_path, "2"))
    assert ("taken from the labels instead", truth) in report_facts._vision(OmegaConf.create(config), ran)
