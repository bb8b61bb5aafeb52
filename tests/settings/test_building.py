import json
import os
import time
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from cfvqa.commands.application import config_folder
from cfvqa.errors import InputError
from cfvqa.progress import StageConsole
from cfvqa.settings.building import (
    OBJECTIVES,
    OPTIMIZERS,
    READERS,
    SAMPLERS,
    SCHEDULES,
    SOURCES,
    TRACKERS,
    VISION,
    build,
    build_network,
    check_targets,
    new_network,
    plain,
)
from cfvqa.settings.schema import DECODING
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.vision import faster_rcnn

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
    places = {"detector": VISION, "classifier": VISION, "model": READERS, "objective": OBJECTIVES, "logger": TRACKERS}
    for name, allowed in places.items():
        check_targets(_unresolved(config[name]), name, allowed)
    for phase in _unresolved(config.phases).values():
        check_targets(phase["optimizer"], "optimizer", OPTIMIZERS)
        check_targets(phase["schedule"], "schedule", SCHEDULES)


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
        {"_target_": "torch.optim.lr_scheduler.StepLR"},
        {"_target_": "torch.optim._adafactor.Adafactor"},
        {"_target_": "cfvqa.training.trackers.find_spec", "name": "os"},
        {"_target_": "cfvqa.training.ranks.subprocess.Popen"},
        {"x": [[{"_target_": "pathlib.Path.touch"}]]},
        {"_target_": "cfvqa.visionary.Thing"},
    ],
)
def test_classes_outside_the_allowlist_are_refused(block):
    with pytest.raises(InputError, match="_target_"):
        build(block, "config", OPTIMIZERS)


@pytest.mark.parametrize(
    ("allowed", "target"),
    [
        (VISION, "cfvqa.models.gloria.GLoRIA"),
        (VISION, "cfvqa.sources.tables.write_tables"),
        (VISION, "cfvqa.vision.region_queries.RegionQueries.losses"),
        (VISION, "cfvqa.vision.outputs.FindingOutput"),
        (READERS, "cfvqa.models.knowledge_graph.node_texts"),
        (READERS, "cfvqa.models.text.TextSettings"),
        (READERS, "cfvqa.models.text.nn.Linear"),
        (READERS, "cfvqa.training.trackers._run_id"),
        (TRACKERS, "cfvqa.training.trackers._run_id"),
        (TRACKERS, "cfvqa.training.trackers.WeightsAndBiases.start"),
        (OBJECTIVES, "cfvqa.objectives.contrast.Coarse.scores"),
        (SOURCES, "cfvqa.sources.tables.write_tables"),
        (SCHEDULES, "cfvqa.training.schedules.LambdaLR"),
        (SAMPLERS, "optuna.samplers._base.np.load"),
        (VISION, "cfvqa.vision.trunk:Trunk"),
        (SOURCES, "cfvqa.sources.tables:__builtins__.eval"),
        (VISION, "torch.hub.load"),
        (READERS, "transformers.AutoModel.from_pretrained"),
        (READERS, "torch.nn.modules.module.torch.load"),
        (READERS, "cfvqa.commands.train.main"),
        (SOURCES, "hydra.utils.get_method"),
        (TRACKERS, "lightning.pytorch.loggers.WandbLogger"),
        (SCHEDULES, ["cfvqa.training.schedules.one_cycle"]),
        (SAMPLERS, "optuna.pruners.NopPruner"),
    ],
)
def test_each_place_takes_its_own_kind_alone(allowed, target):
    with pytest.raises(InputError, match=r"config\.inner\._target_ names"):
        check_targets({"inner": {"_target_": target}}, "config", allowed)


TRUNK = {"_target_": "cfvqa.vision.trunk.Trunk", "channels": [4, 4, 4, 4], "width": 4}
DETECTOR = {"_target_": "cfvqa.vision.region_queries.RegionQueries", "trunk": TRUNK, "channels": 4, "width": 4}


@pytest.mark.parametrize(
    "block",
    [
        DETECTOR | {"_partial_": True},
        DETECTOR | {"widths": 4},
        DETECTOR | {"width": "wide"},
        [DETECTOR],
        "RegionQueries",
        None,
    ],
)
def test_what_makes_no_network_is_one_message(block):
    assert build_network(DETECTOR, "detector.network", VISION).width == 4
    with pytest.raises(InputError, match=r"detector\.network"):
        build_network(block, "detector.network", VISION)


def test_start_weights_are_read_for_a_training_and_for_no_stored_network(tmp_path, monkeypatch):
    # A stranger's folder could name any file of this machine; what it stores is loaded over them anyway.
    monkeypatch.setattr(faster_rcnn, "fasterrcnn_resnet50_fpn", lambda **_: nn.Linear(2, 2))
    file = tmp_path / "start.pt"
    block = {"_target_": "cfvqa.vision.faster_rcnn.FasterRCNN", "weights": str(file)}
    for content, words in ((None, "no file"), ({"weight": torch.ones(3)}, "of another network"), (b"no", "damaged")):
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content is not None:
            torch.save(content, file)
        build_network(block, "detector.network", VISION)
        with pytest.raises(InputError, match=rf"detector\.network: weights: .*{words}"):
            new_network(block, "detector.network", VISION)
    torch.save({"weight": torch.ones(2, 2), "bias": torch.ones(2)}, file)
    assert bool((new_network(block, "detector.network", VISION).network.weight == 1).all())
    assert not bool((build_network(block, "detector.network", VISION).network.weight == 1).any())


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
        build(json.loads(text), "optimizer", OPTIMIZERS)
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


def test_the_seconds_of_tries_that_were_stopped_add_up(tmp_path):
    def stopped(folder):
        (folder / "weights").write_text("x")
        in_a_minute = time.time() + 60
        os.utime(folder / "weights", (in_a_minute, in_a_minute))
        raise KeyboardInterrupt

    stage = Stage("x", tmp_path / "x", "id")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            ensure(stage, stopped, StageConsole(quiet=True))
    ensure(stage, lambda folder: {}, StageConsole(quiet=True))
    assert stage.seconds == pytest.approx(120, abs=10)
    assert sorted(path.name for path in stage.folder.iterdir()) == ["_SUCCESS", "weights"]


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
