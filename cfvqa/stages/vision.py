"""The two vision stages: train the anatomy detector and the finding classifier, and load them again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from omegaconf import DictConfig
from torch import nn
from torchmetrics import Metric

from cfvqa.data.image_data import ImageData, ImageDataSettings
from cfvqa.errors import InputError
from cfvqa.files import damage_named
from cfvqa.progress import StageConsole
from cfvqa.settings.blocks import Block
from cfvqa.settings.building import VISION, build_network, new_network, plain
from cfvqa.settings.calls import Call
from cfvqa.settings.kinds import Text
from cfvqa.settings.schema import SIDE
from cfvqa.stages.distribution import Others, others_of
from cfvqa.stages.identity import SUCCESS, Stage, ensure, identify, shaping
from cfvqa.stages.tables import detector_tables, load_tables, tables
from cfvqa.stages.tracking import training_loggers
from cfvqa.training.checkpoints import load_weights
from cfvqa.training.fit import FitSettings, fit, quiet_lightning
from cfvqa.training.precision import settled
from cfvqa.training.ranks import environment, rank, uses_gpu
from cfvqa.training.trackers import TrackedRun
from cfvqa.training.vision_modules import AnatomyModule, FindingsModule, VisionModule


@dataclass(frozen=True)
class _Task:
    """What one of the two trainings is called, which labels it needs, and what chooses its checkpoint."""

    title: str
    needs: str
    monitor: str


_TASKS = {
    "detector": _Task("anatomy", "boxes", "val/map_50"),
    "classifier": _Task("findings", "findings", "val/auroc"),
}


def anatomy(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the anatomy detector, trained if need be."""
    if config.detector.trained is not None:
        return given_detector(config)
    source = detector_tables(config, console)
    stage_id = identify(shaping(plain(config.detector)), source.id)
    stage = Stage("anatomy", Path(config.work) / "anatomy" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        network = _network(config.detector, "detector")
        module = AnatomyModule(network, **_rates(config.detector))
        return _train(module, config, "detector", _data(config, "detector", source), folder, console)

    return ensure(stage, make, console, others=_others(config, "detector"))


def findings(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the finding classifier, trained if need be."""
    detector = anatomy(config, console)
    source = tables(config, console)
    stage_id = identify(shaping(plain(config.classifier)), source.id, detector.id)
    stage = Stage("findings", Path(config.work) / "findings" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        network = _network(config.classifier, "classifier")
        module = FindingsModule(network, load_detector(config, detector), **_rates(config.classifier))
        data = _data(config, "classifier", source)
        check_varied(data.sets["val"].labels.image_finding)
        return _train(module, config, "classifier", data, folder, console)

    return ensure(stage, make, console, others=_others(config, "classifier"))


def load_detector(config: DictConfig, stage: Stage) -> nn.Module:
    """Return the trained detector of a stage, for inference."""
    return load_network(config.detector.network, "detector.network", stage.folder)


def load_classifier(config: DictConfig, stage: Stage) -> nn.Module:
    """Return the trained classifier of a stage, for inference."""
    return load_network(config.classifier.network, "classifier.network", stage.folder)


def load_network(block: Any, place: str, folder: Path) -> nn.Module:
    """Return the network of a config block with the weights that a training left in `folder`, for inference."""
    holder = nn.Module()
    holder.network = build_network(block, place, VISION)
    load_weights(holder, folder / "checkpoints" / "best.ckpt")
    return for_inference(holder.network)


def for_inference(network: nn.Module) -> nn.Module:
    """Return a vision network as it is used: it learns no more, and runs in the layout that is fastest for it."""
    return network.to(memory_format=torch.channels_last).eval().requires_grad_(requires_grad=False)


_DESCRIPTION = Block(
    {
        "network": Call(VISION),
        "image_size": SIDE,
        "folder": Text("give the name of a folder"),
        "id": Text("give the id of a stage"),
    }
)
DESCRIPTIONS = Block({"detector": _DESCRIPTION, "classifier": _DESCRIPTION})
"""What `describe_vision` returns of the two; a run from elsewhere brings it along."""


def describe_vision(block: Any, stage: Stage) -> dict[str, Any]:
    """Return what a reader records of a vision model, so that it can be loaded again without the config."""
    return {
        "network": plain(block.network),
        "image_size": block.image_size,
        "folder": str(stage.folder.resolve()),
        "id": stage.id,
    }


def given_detector(config: DictConfig) -> Stage:
    """Return the stage of the detector that `detector.trained` gives.

    Raises:
        InputError: if it is not there, or not finished.
    """
    folder = Path(config.detector.trained)
    marker = folder / SUCCESS
    if not marker.is_file():
        raise InputError(f"detector.trained: {folder} holds no finished anatomy stage; give a folder of work/anatomy")
    with damage_named(f"detector.trained: {marker}", "train the detector again"):
        return Stage("anatomy", folder, str(json.loads(marker.read_text())["id"]))


def _others(config: DictConfig, name: str) -> Others | None:
    return others_of(config, _TASKS[name].title, plain(config[name].training.trainer))


def _network(block: Any, place: str) -> nn.Module:
    torch.manual_seed(block.training.seed)
    return new_network(block.network, f"{place}.network", VISION)


def _rates(block: Any) -> dict[str, float]:
    return {"learning_rate": block.training.learning_rate, "weight_decay": block.training.weight_decay}


def _data(config: DictConfig, name: str, source: Stage) -> ImageData:
    """Return the images that one of the two learns from and is judged on."""
    block = config[name]
    settings = ImageDataSettings(
        image_size=block.image_size,
        batch_size=block.training.batch_size,
        workers=block.training.workers,
        seed=block.training.seed,
    )
    data = ImageData(load_tables(source), settings, needs=_TASKS[name].needs)
    data.setup()
    return data


def _train(
    module: VisionModule, config: DictConfig, name: str, data: ImageData, folder: Path, console: StageConsole
) -> dict[str, str]:
    task, fitting = _TASKS[name], fitting_of(config, name)
    module = module.to(memory_format=torch.channels_last)
    tracked = TrackedRun(f"{task.title}-{folder.name}", task.title, str(config.group), folder, plain(config[name]))
    with training_loggers(config, folder, tracked) as loggers:
        fit(module, data, fitting, folder, loggers=loggers, console=console)
    return _test(module, data, folder, fitting.trainer.get("accelerator", "auto")) if rank() == 0 else {}


def fitting_of(config: DictConfig, name: str) -> FitSettings:
    """Return how the detector or the classifier is trained.

    On a GPU not so that two trainings give the same numbers: the gradient of RoIAlign adds up in any order there, and
    torchvision, asked for one that does not, compiles another RoIAlign at first use.
    """
    training, task = config[name].training, _TASKS[name]
    trainer = settled(plain(training.trainer))
    return FitSettings(
        title=task.title,
        epochs=training.epochs,
        seed=training.seed,
        monitor=task.monitor,
        mode="max",
        checkpoint_steps=config.checkpoint_steps,
        trainer=trainer,
        repeatable=not uses_gpu(trainer),
    )


def check_varied(finding: np.ndarray) -> None:
    """Refuse validation images by which no classifier can be chosen.

    Args:
        finding: (N, F) labels of the images: 1 present, 0 absent, -1 unknown.

    Raises:
        InputError: if no finding is present in one image and absent in another.
    """
    if not ((finding == 1).any(0) & (finding == 0).any(0)).any():
        raise InputError(
            f"split 'val' has no finding that one of its {len(finding)} images has and another has not, and the "
            "classifier is chosen by that: take more subjects or label more images (source.limit, source.split_seed, "
            "or findings.csv of your own)"
        )


def _test(module: VisionModule, data: ImageData, folder: Path, accelerator: str) -> dict[str, str]:
    """Write the figures on test subjects, in 32 bits whatever it learned in, to `test.json`; return the headline."""
    if not len(data.sets["test"]):
        return {}
    for metric in module.modules():
        if isinstance(metric, Metric):
            metric.distributed_available_fn = lambda: False  # the other processes do not test
    with quiet_lightning():
        quiet = {"logger": False, "enable_progress_bar": False}
        tester = L.Trainer(**quiet, accelerator=accelerator, devices=1, plugins=environment())
        figures = tester.test(module, datamodule=data, verbose=False)[0]
    (folder / "test.json").write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    headline = [name for name in figures if name.count("/") == 1]
    return {name: f"{figures[name]:.3f}" for name in headline}
