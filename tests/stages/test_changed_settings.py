"""Settings that may change while a training is stopped, and those that may not: these are named one by one."""

from functools import cache

import pytest
from hydra import compose, initialize_config_dir

from cfvqa.commands.application import config_folder
from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.settings.building import plain
from cfvqa.stages.identity import Stage, identify, shaping
from cfvqa.stages.run_folders import hold_folder, take_folder
from cfvqa.stages.vqa import reader_blocks

MORE_EPOCHS = ("phases.pretrain.epochs=30", "phases.finetune.epochs=30")
OTHERWISE = (
    "logger=wandb",
    "group=others",
    "checkpoint_steps=7",
    "evaluation.seed=2",
    "pairs.workers=2",
    "detector.training.workers=3",
    "classifier.training.workers=3",
)


@cache  # what is composed takes longer than what is asked of it
def composed(*overrides):
    with initialize_config_dir(config_folder(), version_base="1.3"):
        return compose("config", overrides=["experiment=phantom_tiny", "phases.finetune.epochs=2", *overrides])


def go_on(folder, *overrides):
    """Take up the training that was stopped in a folder, with these settings; return its stage and what shapes it."""
    config = composed(*overrides)
    settings = shaping(reader_blocks(config, config.model, config.phases))
    stage = Stage("vqa", folder / "trial" / "vqa", identify(settings))
    take_folder(stage, settings, resume="auto", console=StageConsole(quiet=True))
    return stage, settings


@pytest.fixture
def stopped(tmp_path):
    """Folder of the runs, of which one was stopped."""
    stage, settings = go_on(tmp_path)
    stage.folder.mkdir(parents=True)
    hold_folder(stage, settings)
    return tmp_path


def test_a_stopped_training_goes_on_with_another_logger_other_workers_and_more_epochs(stopped):
    go_on(stopped, *OTHERWISE, *MORE_EPOCHS)
    assert [place.name for place in stopped.iterdir()] == ["trial"]  # neither refused nor set aside


@pytest.mark.parametrize("block", ["detector", "classifier"])
def test_another_logger_and_other_workers_are_of_the_same_vision_model(block):
    one, other = (shaping(plain(config[block])) for config in (composed(), composed(*OTHERWISE, *MORE_EPOCHS)))
    assert one == other


REFUSED = {
    "+phases.finetune.label_fraction=0.5": "phases.finetune.label_fraction was None, is 0.5",
    "compile=true": "compile was False, is True",
    "objective.coarse.temperature=learned": "objective.coarse.temperature was fixed, is learned",
    "pairs.swap=0": "pairs.swap was 0.5, is 0",
    "phases.finetune.epochs=1": "phases.finetune.epochs was 2, is 1",
    "phases.finetune.objectives.coarse=9": "phases.finetune.objectives.coarse was 0.1, is 9",
    "phases.finetune.optimizer.lr=0.5": "phases.finetune.optimizer.lr was 0.001, is 0.5",
    "phases.finetune.units_per_batch=9": "phases.finetune.units_per_batch was 8, is 9",
    "precision=bf16": "precision was 32, is bf16",
    "seed=2": "seed was 1, is 2",
    "text.transformer.dropout=0.3": "text.transformer.dropout was 0.0, is 0.3",
    "trainer.accumulate_grad_batches=2": "trainer.accumulate_grad_batches was 1, is 2",
}


def test_each_setting_that_shapes_a_reader_is_refused_by_its_name_and_no_other_is_named(stopped):
    with pytest.raises(InputError, match="unfinished training of other settings") as refused:
        go_on(stopped, *OTHERWISE, "phases.pretrain.epochs=30", *REFUSED)
    _, _, listed = str(refused.value).partition("(")
    assert sorted(listed.partition("): ")[0].split("; ")) == sorted(REFUSED.values())


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("variant=question_only", "model.network._target_ was cfvqa.models.coarse_to_fine.CoarseToFine, is "),
        ("phases=finetune_only", "phases.pretrain was "),
        ("trainer=ddp_cpu", "trainer.devices was 1, is 2; trainer.strategy was auto, is ddp"),
    ],
)
def test_another_choice_of_a_group_is_refused_by_what_it_changes(stopped, choice, words):
    with pytest.raises(InputError, match="unfinished training of other settings") as refused:
        go_on(stopped, choice)
    assert words in str(refused.value)
