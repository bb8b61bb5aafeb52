"""The question-answering stage: train a reader through its phases."""

import json
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig, OmegaConf
from torch import nn

from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.pair_data import PairData
from cfvqa.data.pair_sets import PairSettings
from cfvqa.language.tokenizer import AnswerTokenizer, Tokenizer
from cfvqa.sources.tables import Tables
from cfvqa.stages.building import build, plain
from cfvqa.stages.distribution import others_of
from cfvqa.stages.features import features
from cfvqa.stages.identity import SUCCESS, Stage, ensure, identify, shaping
from cfvqa.stages.logging import run_loggers
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.reader import Widths, build_model, train_tokenizer
from cfvqa.stages.run_folders import hold_folder, run_lock, take_folder
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.vision import anatomy, describe_vision, findings
from cfvqa.training.checkpoints import load_weights
from cfvqa.training.fit import FitSettings, fit
from cfvqa.training.ranks import rank
from cfvqa.training.vqa_module import VqaModule

_STATISTICS = 4096  # images
_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


def vqa(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the reader under `runs/<name>`, trained if need be."""
    source, extracted = tables(config, console), features(config, console)
    blocks = _blocks(config)
    start = _checkpoint_to_start_from(config)
    settings = shaping(blocks) | {
        "inputs": [source.id, extracted.id],
        "start": start and identify(start.read_bytes().hex()),
    }
    stage = Stage("vqa", Path(config.runs) / str(config.name) / "vqa", identify(settings))

    def make(folder: Path) -> dict[str, str]:
        if rank() == 0:
            hold_folder(stage, settings)
            OmegaConf.save(config, folder.parent / "config.yaml", resolve=True)
        return _train(blocks, load_tables(source), FeatureStore(extracted.folder), folder, console, config, start)

    with run_lock(stage, console):
        take_folder(stage, settings, resume=str(config.resume), console=console)
        return ensure(stage, make, console, others=others_of(config, "vqa", blocks["trainer"]))


def blind(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the blind control: the same training of a model that never sees an image."""
    source, extracted = tables(config, console), features(config, console)
    blocks = _blocks(config) | {"model": plain(config.evaluation.blind.model)}
    blocks["phases"] = plain(config.evaluation.blind.phases)
    stage_id = identify(shaping(blocks), source.id, extracted.id)
    stage = Stage("blind control", Path(config.work) / "blind" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        return _train(blocks, load_tables(source), FeatureStore(extracted.folder), folder, console, config)

    return ensure(stage, make, console, others=others_of(config, "blind", blocks["trainer"]))


def _blocks(config: DictConfig) -> dict[str, Any]:
    """Return the config blocks that shape a reader."""
    names = ("model", "text", "objective", "phases", "pairs", "trainer", "precision", "seed")
    return {name: plain(config[name]) for name in names}


def _checkpoint_to_start_from(config: DictConfig) -> Path | None:
    if config.resume in ("auto", "never"):
        return None
    return Path(str(config.resume))


def _train(
    blocks: dict[str, Any],
    source: Tables,
    store: FeatureStore,
    folder: Path,
    console: StageConsole,
    config: DictConfig,
    start: Path | None = None,
) -> dict[str, str]:
    rows = source.questions.filter(source.questions["split"] == "train")
    tokenizer = train_tokenizer(blocks["text"], [*rows["question"], *rows["answer"]])
    widths = Widths(*store.widths)
    model = build_model(blocks["model"], blocks["text"], tokenizer=tokenizer, widths=widths, seed=blocks["seed"])
    model.fit(store.read(_some(rows["main_image"])))
    if isinstance(tokenizer, AnswerTokenizer) and rank() == 0:
        (folder / "tokenizer.json").write_text(tokenizer.to_json())
    phases = _phases_from(list(blocks["phases"]), start)
    for phase in phases:
        data = _data(blocks, source, store, tokenizer, blocks["phases"][phase])
        _train_phase(model, data, blocks, phase, folder, console, config, start if phase == phases[0] else None)
    description = {
        "model": blocks["model"],
        "text": blocks["text"],
        "widths": {"region": widths.region, "finding": widths.finding},
        "pairs": blocks["pairs"],
        "last_phase": phases[-1],
        "vision": {
            "detector": describe_vision(config.detector, anatomy(config, console)),
            "classifier": describe_vision(config.classifier, findings(config, console)),
        },
    }
    if rank() == 0:
        (folder / "reader.json").write_text(json.dumps(description, indent=2) + "\n")
    count = sum(parameter.numel() for parameter in model.parameters())
    return {"parameters": f"{count:,}", "phases": ", ".join(phases)}


def _phases_from(phases: list[str], start: Path | None) -> list[str]:
    """Return the phases to train: from the one whose folder a checkpoint lies in, or the last if it lies elsewhere."""
    if start is None:
        return phases
    inside = [name for name in phases if name in start.resolve().parts]
    return phases[phases.index(inside[0] if inside else phases[-1]) :]


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
    start: Path | None,
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
    finished = folder / phase / SUCCESS
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
        checkpoint_steps=config.checkpoint_steps,
        start=start,
        trainer={**blocks["trainer"], "precision": _PRECISIONS[str(blocks["precision"])]},
    )
    loggers = run_loggers(config.logger, folder / phase, str(config.name), phase)
    fit(module, data, fitting, folder / phase, loggers=loggers, console=console)
    if rank() == 0:
        finished.write_text("")
