"""Checks of a config before anything runs: of what would fail after hours, or run on as if it were right."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn

from cfvqa.errors import InputError
from cfvqa.stages.blocks import inside, unknown
from cfvqa.stages.building import (
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
from cfvqa.stages.reader import Widths, build_model, check_needs, compares, train_tokenizer, used
from cfvqa.stages.schema import ANSWERS, EXPERIMENT, RANK, WRITE, ranks
from cfvqa.training.compiling import has_compiler
from cfvqa.training.fit import quiet_lightning
from cfvqa.training.ranks import device_count, process_count, uses_gpu

_TRAINERS = ("trainer", "detector.training.trainer", "classifier.training.trainer", "extraction.trainer")
_PHASES = {"phases": "model", "evaluation.blind.phases": "evaluation.blind.model"}  # and whom they train
_FOLDERS = ("root", "pretrained", "trained", "published", "work", "runs")
_WIDTHS = Widths(region=8, finding=8)  # of features, where only whether a model can be made is asked


@dataclass(frozen=True)
class _Relation:
    """What two values must be to each other; it holds where one of the keys is absent."""

    first: str
    second: str
    holds: Callable[[Any, Any], bool]
    words: str


_LENGTH = "text.transformer.max_length"
_WIDTH = "text.transformer.width"
_CAPTION = "model.network.max_length"
_WAY = "evaluation.decoding.way"
_NONE = "must be none for"
_RELATIONS = (
    _Relation("evaluation.decoding.num_beams", _WAY, lambda beams, way: beams == 1 or way != RANK, "must be 1 for"),
    _Relation("evaluation.decoding.do_sample", _WAY, lambda drawn, way: not (drawn and way == RANK), "cannot go with"),
    _Relation("classifier.image_size", "detector.image_size", lambda one, other: one == other, "must be that of"),
    _Relation("extraction.batch_size", "extraction.rows_per_shard", lambda one, all_: all_ % one == 0, "must divide"),
    _Relation("extraction.truth", "extraction.published", lambda truth, given: not given or truth == "none", _NONE),
    _Relation("text.transformer.heads", _WIDTH, lambda one, all_: all_ % one == 0, "must divide"),
    _Relation("pairs.question_length", _LENGTH, lambda one, most: one <= most, "must not be above"),
    _Relation("pairs.answer_length", _LENGTH, lambda one, most: one <= most, "must not be above"),
    _Relation("pairs.question_length", _CAPTION, lambda one, most: one <= most, "must not be above"),
    _Relation("pairs.answer_length", _CAPTION, lambda one, most: one <= most, "must not be above"),
    _Relation("evaluation.decoding.max_new_tokens", _CAPTION, lambda one, most: one < most, "must be below"),
    _Relation(
        "evaluation.decoding.max_new_tokens",
        _LENGTH,
        lambda one, most: one < most,  # the first token starts the answer
        "must be below",
    ),
)


def check(config: DictConfig) -> None:
    """Refuse a config that makes no sense, whatever the machine.

    Raises:
        InputError: naming the first key that is missing, unknown or wrong, and what to give.
    """
    for key in _missing(OmegaConf.to_container(config, resolve=False)):
        raise InputError(f"{key} is not set: give {key}={'FOLDER' if key.split('.')[-1] in _FOLDERS else 'VALUE'}")
    content = plain(config)
    EXPERIMENT.check(content, "")
    for relation in _RELATIONS:
        _check_relation(content, relation)
    for place in _PHASES:
        for phase, settings in _select(content, place).items():
            _check_phase(content["objective"], settings, f"{place}.{phase}")
    _check_judged(content)
    if content["resume"] not in ("auto", "never") and not Path(content["resume"]).is_file():
        raise InputError(
            f"resume={content['resume']}: choose auto, never, or the path of a checkpoint; there is no such file"
        )


def check_folders(config: DictConfig) -> None:
    """Refuse output folders that cannot be made and written; nothing is left of the attempt.

    Raises:
        InputError: naming the key and the folder.
    """
    if isinstance(config.runs, ListConfig):
        raise InputError("runs is a list, which only cfvqa-compare takes: give a folder, runs=FOLDER")
    for key in ("work", "runs"):
        folder = Path(config[key]).absolute()
        there = next(place for place in (folder, *folder.parents) if place.exists())
        try:
            tempfile.TemporaryDirectory(dir=there).cleanup()
        except OSError as error:
            raise InputError(
                f"{key}: folder {folder} cannot be made or written ({error.strerror}): give another, {key}=FOLDER"
            ) from error


def check_training(config: DictConfig) -> None:
    """Refuse devices that are not there, and networks, texts, losses and optimizers that cannot be made.

    Raises:
        InputError: naming the block, and what it says of its settings.
    """
    content = plain(config)
    for place in _TRAINERS:
        _try_trainer(_select(content, place), place)
        key = "precision" if place == "trainer" else f"{place}.precision"
        _check_half(str(_select(content, key) or 32), _select(content, place), key)
    if str(content["precision"]) == "bf16" and uses_gpu(content["trainer"]):
        _check_bf16()
    if content["compile"]:
        _check_compiler()
    with torch.random.fork_rng(devices=[]):
        for place in ("detector.network", "classifier.network"):
            new_network(_select(content, place), place, VISION)
        models = {phases: _try_model(content, place) for phases, place in _PHASES.items()}
    if ranks(content["evaluation"]["decoding"]) and hasattr(models["phases"], "answer"):
        raise InputError(
            f"evaluation.decoding.way is {RANK}: {type(models['phases']).__name__} does not write all of its answers, "
            f"so that they cannot be ranked: choose {WRITE}"
        )
    objectives = {name: _try(block, f"objective.{name}", OBJECTIVES) for name, block in content["objective"].items()}
    if content["logger"]["tracker"] is not None:
        _try(content["logger"]["tracker"], "logger.tracker", TRACKERS)
    processes = process_count(content["trainer"])
    for place, model in models.items():
        for phase, settings in _select(content, place).items():
            check_needs({name: objectives[name] for name in used(settings)}, model, f"{place}.{phase}")
            _try_phase(settings, f"{place}.{phase}")
            _check_batch(settings["units_per_batch"], processes, f"{place}.{phase}.units_per_batch")


def _missing(block: Any, key: str = "") -> Iterator[str]:
    if block == "???":
        yield key
    elif isinstance(block, dict):
        for name, value in block.items():
            yield from _missing(value, inside(key, name))


def _select(content: dict[str, Any], key: str) -> Any:
    for name in key.split("."):
        content = content.get(name, {})
    return content


def _check_relation(content: dict[str, Any], relation: _Relation) -> None:
    first, second = _select(content, relation.first), _select(content, relation.second)
    if {} not in (first, second) and not relation.holds(first, second):
        raise InputError(f"{relation.first} is {first}: it {relation.words} {relation.second}, which is {second}")


def _check_phase(known: dict[str, Any], settings: dict[str, Any], key: str) -> None:
    """Check that the objectives of a phase are there, and that its checkpoints are chosen by one of them."""
    for name in settings["objectives"]:
        if name not in known:
            raise unknown(f"{key}.objectives.{name}", known)
    if not used(settings):
        raise InputError(f"{key}.objectives are all 0: give one a weight above 0")
    monitors = ["val/loss", *(f"val/{name}" for name in used(settings))]
    if settings["monitor"] not in monitors:
        raise InputError(f"{key}.monitor is '{settings['monitor']}': choose one of {', '.join(monitors)}")


def _check_judged(content: dict[str, Any]) -> None:
    """Check that the phase whose weights are judged is there, and learns what the tasks ask for."""
    judged, phases = content["evaluation"], content["phases"]
    if judged["phase"] not in (None, *phases):
        raise InputError(f"evaluation.phase is '{judged['phase']}': choose one of {', '.join(phases)}, or null")
    phase = judged["phase"] or list(phases)[-1]
    compared = [task for task in judged["tasks"] if task != ANSWERS]
    if compared and not any(compares(content["objective"][name]) for name in used(phases[phase])):
        known = [name for name, block in content["objective"].items() if compares(block)]
        raise InputError(
            f"evaluation.tasks: {compared[0]} needs a contrast, and phase {phase} trains with none of "
            f"{', '.join(known)}: name another with evaluation.phase, or leave {compared[0]} out"
        )


def _try_trainer(block: dict[str, Any], key: str) -> None:
    with trying(key), quiet_lightning():
        device_count(block)
        L.Trainer(**block, logger=False, enable_progress_bar=False, enable_model_summary=False)


def _check_batch(units: int, processes: int, key: str) -> None:
    if units < processes:
        raise InputError(f"{key} is {units}, and {processes} processes share it: give {processes} at least")


def _check_half(precision: str, trainer: dict[str, Any], key: str) -> None:
    """Refuse 16-bit floats on a processor; Lightning would take bf16 and go on."""
    if precision.startswith("16") and not uses_gpu(trainer):
        raise InputError(f"{key}={precision} needs a GPU: give bf16 or 32, or a trainer with one")


def _check_bf16() -> None:
    """Refuse bf16 on a GPU that would only emulate it."""
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(f"precision=bf16: {torch.cuda.get_device_name()} has none: give precision=16 or precision=32")


def _check_compiler() -> None:
    if not has_compiler():
        raise InputError(
            "compile=true needs a C++ compiler: install g++ or clang++, or name one in CXX; or compile=false"
        )


def _try_model(content: dict[str, Any], key: str) -> nn.Module:
    text = content["text"]
    with trying(f"{key}.network"):
        return build_model(_select(content, key), text, tokenizer=train_tokenizer(text, []), widths=_WIDTHS, seed=0)


def _try(block: dict[str, Any], key: str, allowed: Allowed) -> Any:
    with trying(key):
        return build(block, key, allowed)


def _try_phase(settings: dict[str, Any], key: str) -> None:
    with trying(f"{key}.optimizer"):
        optimizer = build(settings["optimizer"], f"{key}.optimizer", OPTIMIZERS)([nn.Parameter(torch.zeros(1))])
    with trying(f"{key}.schedule"):
        build(settings["schedule"], f"{key}.schedule", SCHEDULES)(optimizer, steps=10)
