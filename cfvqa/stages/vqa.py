"""The question-answering stage: train a reader through its phases, and load it again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.pair_data import PairData
from cfvqa.data.pair_sets import PairSettings
from cfvqa.errors import InputError
from cfvqa.language.tokenizer import AnswerTokenizer, PretrainedTokenizer, Tokenizer
from cfvqa.sources.tables import Tables
from cfvqa.stages.building import build, plain
from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.logging import run_loggers
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.reader import Widths, build_model, train_tokenizer
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.vision import anatomy, describe_vision, findings
from cfvqa.training.checkpoints import load_weights
from cfvqa.training.fit import FitSettings, fit
from cfvqa.training.vqa_module import VqaModule

_STATISTICS = 4096  # images
_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


@dataclass(frozen=True)
class TrainedReader:
    """A reader with what it needs to be asked.

    Attributes:
        model: in evaluation mode.
        tokenizer: of its questions and answers.
        description: its `reader.json`: model and text configs, widths, data settings, and the vision models
            whose features it was trained on.
    """

    model: nn.Module
    tokenizer: Tokenizer
    description: dict[str, Any]


def vqa(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the reader under `runs/<name>`, trained if need be."""
    source, extracted = tables(config, console), features(config, console)
    blocks = _blocks(config)
    stage_id = identify(blocks, source.id, extracted.id)
    stage = Stage("vqa", Path(config.runs) / config.name / "vqa", stage_id)
    _set_aside(stage, console)

    def make(folder: Path) -> dict[str, str]:
        (folder / "stage_id").write_text(stage.id)
        OmegaConf.save(config, folder.parent / "config.yaml", resolve=True)
        return _train(blocks, load_tables(source), FeatureStore(extracted.folder), folder, console, config)

    return ensure(stage, make, console)


def blind(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the blind control: the same training of a model that never sees an image."""
    source, extracted = tables(config, console), features(config, console)
    blocks = _blocks(config) | {"model": plain(config.evaluation.blind.model)}
    blocks["phases"] = plain(config.evaluation.blind.phases)
    stage_id = identify(blocks, source.id, extracted.id)
    stage = Stage("blind control", Path(config.work) / "blind" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        return _train(blocks, load_tables(source), FeatureStore(extracted.folder), folder, console, config)

    return ensure(stage, make, console)


def load_reader(folder: Path) -> TrainedReader:
    """Load the reader that a training left in `folder`.

    Raises:
        InputError: if the folder holds no finished reader, or one that does not fit its description.
    """
    file = folder / "reader.json"
    if not file.is_file():
        raise InputError(f"{folder} holds no trained reader (reader.json is missing): run cfvqa-train first")
    try:
        description = json.loads(file.read_text())
    except ValueError as error:
        raise InputError(f"{file} is damaged ({error}): delete the folder and run cfvqa-train again") from error
    text = description["text"]
    if text["pretrained"] is not None:
        tokenizer: Tokenizer = PretrainedTokenizer(text["pretrained"])
    else:
        tokenizer = AnswerTokenizer.from_json((folder / "tokenizer.json").read_text())
    widths = Widths(**description["widths"])
    model = build_model(description["model"], text, tokenizer=tokenizer, widths=widths, seed=0)
    holder = nn.Module()
    holder.model = model
    load_weights(holder, folder / description["last_phase"] / "checkpoints" / "best.ckpt")
    return TrainedReader(model.eval().requires_grad_(requires_grad=False), tokenizer, description)


def _blocks(config: DictConfig) -> dict[str, Any]:
    """Return the config blocks that shape a reader."""
    names = ("model", "text", "objective", "phases", "pairs", "trainer", "precision", "seed")
    return {name: plain(config[name]) for name in names}


def _precision(value: str | int) -> str:
    """Return Lightning's name of a precision."""
    if str(value) not in _PRECISIONS:
        raise InputError(f"precision is '{value}': choose one of {', '.join(_PRECISIONS)}")
    return _PRECISIONS[str(value)]


def _set_aside(stage: Stage, console: StageConsole) -> None:
    """Move a run of other settings out of the way; nothing that was trained is deleted."""
    mark = stage.folder / "stage_id"
    if not stage.folder.is_dir() or not mark.is_file() or mark.read_text() == stage.id:
        return
    run = stage.folder.parent
    aside = run.with_name(f"{run.name}.{mark.read_text()}")
    run.rename(aside)
    console.print(f"{run} held a run of other settings; it is kept as {aside}")


def _train(
    blocks: dict[str, Any],
    source: Tables,
    store: FeatureStore,
    folder: Path,
    console: StageConsole,
    config: DictConfig,
) -> dict[str, str]:
    rows = source.questions.filter(source.questions["split"] == "train")
    tokenizer = train_tokenizer(blocks["text"], [*rows["question"], *rows["answer"]])
    widths = Widths(*store.widths)
    model = build_model(blocks["model"], blocks["text"], tokenizer=tokenizer, widths=widths, seed=blocks["seed"])
    model.fit(store.read(_some(rows["main_image"])))
    if isinstance(tokenizer, AnswerTokenizer):
        (folder / "tokenizer.json").write_text(tokenizer.to_json())
    phases = blocks["phases"]
    for phase, settings in phases.items():
        data = _data(blocks, source, store, tokenizer, settings)
        _train_phase(model, data, blocks, phase, folder, console, config)
    description = {
        "model": blocks["model"],
        "text": blocks["text"],
        "widths": {"region": widths.region, "finding": widths.finding},
        "pairs": blocks["pairs"],
        "last_phase": list(phases)[-1],
        "vision": {
            "detector": describe_vision(config.detector, anatomy(config, console)),
            "classifier": describe_vision(config.classifier, findings(config, console)),
        },
    }
    (folder / "reader.json").write_text(json.dumps(description, indent=2) + "\n")
    count = sum(parameter.numel() for parameter in model.parameters())
    return {"parameters": f"{count:,}", "phases": ", ".join(phases)}


def _some(images: pl.Series) -> list[str]:
    """Return the ids of at most 4,096 different images, spread over all: enough for their statistics."""
    ids = images.unique(maintain_order=True)
    return ids.gather_every(max(1, len(ids) // _STATISTICS)).head(_STATISTICS).to_list()


def _data(
    blocks: dict[str, Any],
    source: Tables,
    store: FeatureStore,
    tokenizer: Tokenizer,
    settings: dict[str, Any],
) -> PairData:
    pairs = blocks["pairs"]
    return PairData(
        source.questions,
        store=store,
        tokenizer=tokenizer,
        settings=PairSettings(
            question_length=pairs["question_length"],
            answer_length=pairs["answer_length"],
            swap=pairs["swap"],
            seed=blocks["seed"],
        ),
        units_per_batch=settings["units_per_batch"],
        workers=pairs["workers"],
    )


def _train_phase(
    model: nn.Module,
    data: PairData,
    blocks: dict[str, Any],
    phase: str,
    folder: Path,
    console: StageConsole,
    config: DictConfig,
) -> None:
    settings = blocks["phases"][phase]
    objectives = {name: build(blocks["objective"][name], f"objective.{name}") for name in settings["objectives"]}
    module = VqaModule(
        model,
        objectives=objectives,
        weights=settings["objectives"],
        optimizer=build(settings["optimizer"], f"phases.{phase}.optimizer"),
        schedule=build(settings["schedule"], f"phases.{phase}.schedule"),
    )
    finished = folder / phase / "_SUCCESS"
    best = folder / phase / "checkpoints" / "best.ckpt"
    if finished.is_file():
        load_weights(module, best)
        return
    fitting = FitSettings(
        title=phase,
        epochs=settings["epochs"],
        seed=blocks["seed"],
        monitor=settings["monitor"],
        mode="min",
        trainer={**blocks["trainer"], "precision": _precision(blocks["precision"])},
    )
    loggers = run_loggers(config.logger, folder / phase, str(config.name), phase)
    fit(module, data, fitting, folder / phase, loggers=loggers, console=console)
    finished.write_text("")


def device() -> torch.device:
    """Return the device on which readers are asked."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
