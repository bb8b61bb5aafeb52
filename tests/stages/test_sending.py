"""The end of a command names every folder from which a tracker can send."""

import pytest
from omegaconf import OmegaConf

from cfvqa.progress import StageConsole
from cfvqa.stages import pipeline
from cfvqa.stages.identity import Stage

WANDB = {"tracker": {"_target_": "cfvqa.training.trackers.WeightsAndBiases"}}
FOLDERS = {"anatomy": "work/anatomy/1", "findings": "work/findings/2", "vqa": "runs/a/vqa", "blind": "work/blind/3"}


@pytest.fixture
def sent(tmp_path, monkeypatch, capsys):
    """Call for stages whose folders, but that of the findings, hold offline runs; returns what was printed."""
    monkeypatch.chdir(tmp_path)
    for place in ("work/anatomy/1", "runs/a", "work/blind/3"):
        (tmp_path / place / "wandb/offline-run-1-x").mkdir(parents=True)
    for name, folder in FOLDERS.items():
        stage = Stage(name, tmp_path.joinpath(folder).relative_to(tmp_path), name)
        monkeypatch.setitem(pipeline.STAGES, name, lambda config, console, stage=stage: stage)
        if name in pipeline.TASKS:
            monkeypatch.setitem(pipeline.TASKS, name, pipeline.STAGES[name])

    def called(act, logger=WANDB, task="vqa", published=None, judged="answers"):
        config = {"logger": logger, "task": task, "runs": "runs", "name": "a", "extraction": {"published": published}}
        config["evaluation"] = {"tasks": [judged]}
        act(OmegaConf.create(config), StageConsole())
        return [line.split()[3] for line in capsys.readouterr().out.splitlines()]

    return called


def test_a_whole_run_names_what_it_tracked_and_nothing_that_holds_nothing(sent):
    places = ["work/anatomy/1", "runs/a", "work/blind/3"]
    assert sent(pipeline.show_sending) == [f"{place}/wandb/offline-run-*" for place in places]
    assert sent(pipeline.show_sending, logger={"tracker": None}) == []
    assert sent(pipeline.show_sending, logger={"tracker": WANDB["tracker"] | {"offline": False}}) == []


def test_vision_models_are_not_asked_for_where_features_are_imported(sent, monkeypatch):
    for name in ("anatomy", "findings"):
        monkeypatch.setitem(pipeline.STAGES, name, None)
    places = ["runs/a", "work/blind/3"]
    assert sent(pipeline.show_sending, published="folder") == [f"{place}/wandb/offline-run-*" for place in places]


def test_no_blind_control_is_trained_where_no_answers_are_judged(sent, monkeypatch):
    monkeypatch.setitem(pipeline.STAGES, "blind", None)
    places = ["work/anatomy/1", "runs/a"]
    assert sent(pipeline.show_sending, judged="retrieval") == [f"{place}/wandb/offline-run-*" for place in places]


def test_a_training_names_what_it_needs_before_too(sent):
    assert sent(pipeline.train) == ["work/anatomy/1/wandb/offline-run-*", "runs/a/wandb/offline-run-*"]
    assert sent(pipeline.train, task="anatomy") == ["work/anatomy/1/wandb/offline-run-*"]
