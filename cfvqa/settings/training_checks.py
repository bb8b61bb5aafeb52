"""Checks of devices, networks and what trains them, before the hours are spent."""

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from omegaconf import DictConfig
from torch import nn

from cfvqa.errors import InputError
from cfvqa.settings.building import (
    OBJECTIVES,
    OPTIMIZERS,
    SCHEDULES,
    TRACKERS,
    VISION,
    Allowed,
    build,
    new_network,
    plain,
    trying,
)
from cfvqa.settings.checking import PHASES, select
from cfvqa.settings.reader import Widths, build_model, check_needs, train_tokenizer, used
from cfvqa.settings.schema import RANK, WRITE, ranks
from cfvqa.training.compiling import has_compiler
from cfvqa.training.fit import quiet_lightning
from cfvqa.training.precision import is_emulated, settled
from cfvqa.training.ranks import device_count, environment, one_of_several, process_count, started_processes, uses_gpu

TRAINERS = ("trainer", "detector.training.trainer", "classifier.training.trainer", "extraction.trainer")
"""Keys of the blocks that say on which devices something is made."""

_WIDTHS = Widths(region=8, finding=8)  # of features, where only whether a model can be made is asked


def check_training(config: DictConfig) -> None:
    """Refuse devices that are not there, and networks, texts, losses and optimizers that cannot be made.

    Raises:
        InputError: naming the block, and what it says of its settings.
    """
    for part in TRAINING_CHECKS.values():
        part(plain(config))


def _check_devices(content: dict[str, Any]) -> None:
    for place in TRAINERS:
        _try_trainer(settled(select(content, place)), place)


def _check_processes(content: dict[str, Any]) -> None:
    """Refuse processes that nothing here asks for, and training that asks for another number than one or all."""
    if not one_of_several():
        return
    started = started_processes()
    wanted = {place: process_count(select(content, place)) for place in TRAINERS}
    odd = [place for place in TRAINERS[:-1] if wanted[place] not in (1, started)]  # of an extraction some may have none
    if odd or started not in wanted.values():
        place = odd[0] if odd else TRAINERS[0]
        raise InputError(
            f"{started} processes were started, and {place}.devices and {place}.num_nodes ask for {wanted[place]}: "
            "make them agree"
        )


def _check_precision(content: dict[str, Any]) -> None:
    for place in TRAINERS:
        key = "precision" if place == "trainer" else f"{place}.precision"
        _check_half(str(select(content, key) or 32), select(content, place), key)
    if uses_gpu(content["trainer"]) and is_emulated(content["precision"], content["trainer"]):
        raise InputError(f"precision=bf16: {torch.cuda.get_device_name()} has none: give precision=16 or precision=32")


def _check_compiler(content: dict[str, Any]) -> None:
    if content["compile"] and not has_compiler():
        raise InputError(
            "compile=true needs a C++ compiler: install g++ or clang++, or name one in CXX; or compile=false"
        )


def _check_vision(content: dict[str, Any]) -> None:
    with torch.random.fork_rng(devices=[]):
        for place in ("detector.network", "classifier.network"):
            new_network(select(content, place), place, VISION)


def _check_readers(content: dict[str, Any]) -> None:
    """Refuse readers and the blind control with what trains them, where one of them cannot be made."""
    with torch.random.fork_rng(devices=[]):
        models = {phases: _try_model(content, place) for phases, place in PHASES.items()}
    if ranks(content["evaluation"]["decoding"]) and hasattr(models["phases"], "answer"):
        raise InputError(
            f"evaluation.decoding.way is {RANK}: {type(models['phases']).__name__} does not write all of its answers, "
            f"so that they cannot be ranked: choose {WRITE}"
        )
    objectives = {name: _try(block, f"objective.{name}", OBJECTIVES) for name, block in content["objective"].items()}
    for place, model in models.items():
        for phase, settings in select(content, place).items():
            check_needs({name: objectives[name] for name in used(settings)}, model, f"{place}.{phase}")
            optimizer = _try_phase(settings, f"{place}.{phase}")
            _check_clipping(optimizer, content, f"{place}.{phase}.optimizer")


def _check_tracker(content: dict[str, Any]) -> None:
    if content["logger"]["tracker"] is not None:
        _try(content["logger"]["tracker"], "logger.tracker", TRACKERS)


def _check_batches(content: dict[str, Any]) -> None:
    """Refuse a batch that does not go round among the processes."""
    processes = process_count(content["trainer"])
    for place in PHASES:
        for phase, settings in select(content, place).items():
            _check_batch(settings["units_per_batch"], processes, f"{place}.{phase}.units_per_batch")
    for place in ("detector.training", "classifier.training"):
        training = select(content, place)
        _check_batch(training["batch_size"], process_count(training["trainer"]), f"{place}.batch_size")


TRAINING_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "devices": _check_devices,
    "processes": _check_processes,
    "precision": _check_precision,
    "compiler": _check_compiler,
    "vision networks": _check_vision,
    "readers": _check_readers,
    "tracker": _check_tracker,
    "batches": _check_batches,
}
"""What `check_training` looks at, in this order, by what a user calls it; each takes the content of a config."""


def _try_trainer(block: dict[str, Any], key: str) -> None:
    with trying(key), quiet_lightning():
        device_count(block)
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        L.Trainer(**block, **quiet, plugins=environment())


def _check_batch(units: int, processes: int, key: str) -> None:
    if units < processes:
        raise InputError(f"{key} is {units}, and {processes} processes share it: give {processes} at least")


def _check_half(precision: str, trainer: dict[str, Any], key: str) -> None:
    """Refuse 16-bit floats on a processor; Lightning would take bf16 and go on."""
    if precision.startswith("16") and not uses_gpu(trainer):
        raise InputError(f"{key}={precision} needs a GPU: give bf16 or 32, or a trainer with one")


def _try_model(content: dict[str, Any], key: str) -> nn.Module:
    text = content["text"]
    with trying(f"{key}.network"):
        return build_model(select(content, key), text, tokenizer=train_tokenizer(text, []), widths=_WIDTHS, seed=0)


def _try(block: dict[str, Any], key: str, allowed: Allowed) -> Any:
    with trying(key):
        return build(block, key, allowed)


def _try_phase(settings: dict[str, Any], key: str) -> torch.optim.Optimizer:
    with trying(f"{key}.optimizer"):
        optimizer = build(settings["optimizer"], f"{key}.optimizer", OPTIMIZERS)([nn.Parameter(torch.zeros(1))])
    with trying(f"{key}.schedule"):
        build(settings["schedule"], f"{key}.schedule", SCHEDULES)(optimizer, steps=10)
    return optimizer


def _check_clipping(optimizer: torch.optim.Optimizer, content: dict[str, Any], key: str) -> None:
    """Refuse a fused optimizer where gradients are clipped in 16 bits: Lightning does so, but at the first step."""
    clipped, precision = content["trainer"].get("gradient_clip_val"), content["precision"]
    if clipped and str(precision) != "32" and optimizer.defaults.get("fused"):
        raise InputError(
            f"{key}.fused cannot go with precision={precision} and trainer.gradient_clip_val={clipped}: give "
            f"{key}.fused=false, or trainer.gradient_clip_val=null"
        )
