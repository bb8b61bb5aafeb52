import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from cfvqa.commands.application import config_folder
from cfvqa.errors import InputError
from cfvqa.stages.building import build, check_targets, plain
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.schema import DECODING

CONF = Path(config_folder())
CHOICES = [
    f"{folder.name}={file.stem}"
    for folder in sorted(CONF.iterdir())
    if folder.is_dir() and folder.name not in ("objective", "local")
    for file in sorted(folder.glob("*.yaml"))
]


@pytest.mark.parametrize("choice", CHOICES)
def test_every_config_composes_and_names_allowed_classes_only(choice):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=[choice])
    for name in ("detector", "classifier", "model", "objective", "phases", "logger"):
        content = config[name]
        check_targets(json.loads(json.dumps(_unresolved(content))), name)


def _unresolved(node):
    from omegaconf import OmegaConf

    return OmegaConf.to_container(node, resolve=False)


@pytest.mark.parametrize(
    "block",
    [
        {"_target_": "os.system", "command": "true"},
        {"a": {"b": [{"_target_": "torch.load", "f": "x"}]}},
        {"_target_": "torch.optim.AdamW", "x": {"_target_": "builtins.eval"}},
        {"_target_": "torch.hub.load"},
        {"_target_": "subprocess.Popen", "_partial_": True},
        {"_target_": "torch.optim.AdamW", "_args_": [{"_target_": "os.system", "command": "true"}]},
        {"_target_": "torch.optim.lr_scheduler.partial"},
        {"_target_": "cfvqa.training.trackers.find_spec", "name": "os"},
        {"_target_": "cfvqa.training.ranks.subprocess.Popen"},
        {"x": [[{"_target_": "pathlib.Path.touch"}]]},
        {"_target_": "cfvqa.visionary.Thing"},
    ],
)
def test_classes_outside_the_allowlist_are_refused(block):
    with pytest.raises(InputError, match="_target_"):
        build(block, "config")


@pytest.mark.parametrize(
    "value",
    [
        "${oc.create:{_target_: pathlib.Path.touch, self: FILE}}",
        "${oc.env:HOME}",
        ["a", {"b": "${oc.create:{_target_: os.system, command: touch FILE}}"}],
    ],
)
def test_nothing_is_filled_in_behind_the_check_of_the_targets(tmp_path, value):
    file = tmp_path / "touched"
    text = json.dumps({"_target_": "torch.optim.AdamW", "_partial_": True, "lr": value}).replace("FILE", str(file))
    with pytest.raises(InputError, match="nothing is filled in"):
        build(json.loads(text), "optimizer")
    assert not file.exists()


@pytest.mark.parametrize(
    "decoding", [{"custom_generate": "/a/folder", "trust_remote_code": True}, {"num_beams": "all"}, {}]
)
def test_the_decoding_of_a_stranger_is_words_and_numbers_that_are_known(decoding):
    with pytest.raises(InputError, match=r"config\.json: decoding"):
        DECODING.check(decoding, "config.json: decoding")


def test_plain_values_pass():
    assert plain({"a": 1}) == {"a": 1}


def test_a_stage_is_made_once_and_made_anew_when_its_settings_change(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        return {"n": "1"}

    console = StageConsole(quiet=True)
    stage = Stage("x", tmp_path / "x", identify({"a": 1}))
    ensure(stage, make, console)
    ensure(stage, make, console)
    assert len(made) == 1
    assert stage.facts() == {"n": "1"}
    ensure(Stage("x", tmp_path / "x", identify({"a": 2})), make, console)
    assert len(made) == 2


def test_a_stage_that_failed_is_not_whole(tmp_path):
    def make(folder):
        (folder / "half").write_text("x")
        raise InputError("no")

    stage = Stage("x", tmp_path / "x", "id")
    with pytest.raises(InputError):
        ensure(stage, make, StageConsole(quiet=True))
    assert not stage.whole


@pytest.mark.parametrize("error", [InputError, ZeroDivisionError, KeyboardInterrupt])
def test_a_stage_that_failed_before_it_wrote_leaves_no_folder(tmp_path, error):
    def make(folder):
        raise error

    with pytest.raises(error):
        ensure(Stage("x", tmp_path / "x", "id"), make, StageConsole(quiet=True))
    assert not (tmp_path / "x").exists()


def test_identity_does_not_depend_on_the_order_of_keys():
    assert identify({"a": 1, "b": 2}) == identify({"b": 2, "a": 1})
    assert identify({"a": 1}) != identify({"a": 2})
