"""Checks of a config before anything runs: of what would fail after hours, or run on as if it were right."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from cfvqa.errors import InputError
from cfvqa.settings.blocks import inside, unknown
from cfvqa.settings.building import (
    plain,
)
from cfvqa.settings.reader import compares, used
from cfvqa.settings.schema import ANSWERS, EXPERIMENT, RANK

PHASES = {"phases": "model", "evaluation.blind.phases": "evaluation.blind.model"}  # and whom they train
_FOLDERS = ("root", "pretrained", "trained", "published", "work", "runs")


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
_GRAMMAR = "evaluation.decoding.grammar"  # its sentences end, and begin alike
_RELATIONS = (
    _Relation("evaluation.decoding.num_beams", _WAY, lambda beams, way: beams == 1 or way != RANK, "must be 1 for"),
    _Relation("evaluation.decoding.do_sample", _WAY, lambda drawn, way: not (drawn and way == RANK), "cannot go with"),
    _Relation(
        "evaluation.decoding.no_repeat_ngram_size", _GRAMMAR, lambda size, kept: not (size and kept), "cannot go with"
    ),
    _Relation(
        "evaluation.decoding.min_new_tokens", _GRAMMAR, lambda least, kept: least < 2 or not kept, "cannot go with"
    ),
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
    check_relations(content)
    for place in PHASES:
        for phase, settings in select(content, place).items():
            _check_phase(content["objective"], settings, f"{place}.{phase}")
    _check_judged(content)
    if content["resume"] not in ("auto", "never") and not Path(content["resume"]).is_file():
        raise InputError(
            f"resume={content['resume']}: choose auto, never, or the path of a checkpoint; there is no such file"
        )


def check_relations(content: Mapping[str, Any]) -> None:
    """Refuse values that do not go together; of blocks that are absent nothing is asked.

    Raises:
        InputError: naming both keys.
    """
    for relation in _RELATIONS:
        first, second = select(content, relation.first), select(content, relation.second)
        if {} not in (first, second) and not relation.holds(first, second):
            raise InputError(f"{relation.first} is {first}: it {relation.words} {relation.second}, which is {second}")


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


def _missing(block: Any, key: str = "") -> Iterator[str]:
    if block == "???":
        yield key
    elif isinstance(block, dict):
        for name, value in block.items():
            yield from _missing(value, inside(key, name))


def select(content: Mapping[str, Any], key: str) -> Any:
    """Return what stands behind a dotted key, an empty block where there is nothing."""
    for name in key.split("."):
        content = content.get(name, {})
    return content


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
