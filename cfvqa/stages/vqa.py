"""The question-answering stage: train a reader through its phases."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import lightning as L
import polars as pl
from omegaconf import DictConfig, OmegaConf
from torch import nn

from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.pair_data import PairData
from cfvqa.errors import InputError
from cfvqa.files import digest_of, write_text
from cfvqa.language.tokenizer import Tokenizer
from cfvqa.progress import StageConsole
from cfvqa.settings.building import plain
from cfvqa.settings.reader import Widths, build_model, pair_settings, phase_module, train_tokenizer, used
from cfvqa.sources.tables import Tables
from cfvqa.stages.distribution import others_of
from cfvqa.stages.features import features
from cfvqa.stages.identity import SUCCESS, Stage, ensure, identify, shaping
from cfvqa.stages.importing import imports
from cfvqa.stages.run_folders import hold_folder, is_made, run_lock, take_folder
from cfvqa.stages.searching import trial_of
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.tracking import training_loggers
from cfvqa.stages.trained import TOKENIZER
from cfvqa.stages.vision import anatomy, describe_vision, findings
from cfvqa.training.checkpoints import check_weights, load_weights
from cfvqa.training.compiling import compile_parts
from cfvqa.training.fit import FitSettings, fit
from cfvqa.training.precision import EMULATED, is_emulated
from cfvqa.training.pruning import TrialReport
from cfvqa.training.ranks import check_machines, rank
from cfvqa.training.trackers import TrackedRun

_STATISTICS = 4096  # images
_PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


@dataclass(frozen=True)
class _Training:
    """One training of a reader.

    Attributes:
        config: of the command.
        console: of the command.
        blocks: of the config, that shape the reader; those of the blind control are others.
        source: the tables.
        store: the features.
        folder: that it writes.
        run: what a tracker is told of it.
        start: checkpoint whose weights it starts from; None begins anew.
        searched: whether it is what a search tries.
    """

    config: DictConfig
    console: StageConsole
    blocks: dict[str, Any]
    source: Tables
    store: FeatureStore
    folder: Path
    run: TrackedRun
    start: Path | None = None
    searched: bool = False


def vqa(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the reader under `runs/<name>`, trained if need be."""
    source, extracted = tables(config, console), features(config, console)
    blocks = reader_blocks(config, config.model, config.phases)
    start = _checkpoint_to_start_from(config)
    settings = shaping(blocks) | {
        "inputs": [source.id, extracted.id],
        "start": start and identify(digest_of(start)),
    }
    run = Path(config.runs) / str(config.name)
    if start is not None and run.resolve() in start.resolve().parents:
        raise InputError(f"resume={start} lies in {run}, which would be set aside for it: give another name=...")
    stage = Stage("vqa", run / "vqa", identify(settings))

    @cache
    def begun() -> tuple[_Training, _Reader]:
        tracked = TrackedRun(str(config.name), "", str(config.group), run, settings)
        read, store = load_tables(source), _store(extracted, config)
        searched = config.trial is not None
        training = _Training(config, console, blocks, read, store, stage.folder, tracked, start, searched)
        return training, _new_reader(training)

    def make(_: Path) -> dict[str, str]:
        training, reader = begun()
        if rank() == 0:
            hold_folder(stage, settings)
            OmegaConf.save(config, run / "config.yaml", resolve=True)
        return _train(training, reader)

    others = others_of(config, "vqa", blocks["trainer"])
    if stage.whole:  # also while another process judges it
        return ensure(stage, make, console, others=others)
    with run_lock(stage, console):
        if rank() == 0 and not is_made(stage):  # no run is moved for one that cannot begin
            check_machines(blocks["trainer"])
            begun()
        take_folder(stage, settings, resume=str(config.resume), console=console)
        return ensure(stage, make, console, others=others)


def blind(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the blind control: the same training of a model that never sees an image."""
    source, extracted = tables(config, console), features(config, console)
    blocks = reader_blocks(config, config.evaluation.blind.model, config.evaluation.blind.phases)
    stage_id = identify(shaping(blocks), source.id, extracted.id)
    stage = Stage("blind control", Path(config.work) / "blind" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        tracked = TrackedRun(f"blind-{stage_id}", "", str(config.group), folder, blocks)
        read, store = load_tables(source), _store(extracted, config)
        training = _Training(config, console, blocks, read, store, folder, tracked)
        return _train(training, _new_reader(training))

    return ensure(stage, make, console, others=others_of(config, "blind", blocks["trainer"]))


def _store(extracted: Stage, config: DictConfig) -> FeatureStore:
    """Return the features; processes that load read them row by row: one that is no fork would copy all in memory."""
    return FeatureStore(extracted.folder, preload_gib=0) if config.pairs.workers else FeatureStore(extracted.folder)


def reader_blocks(config: DictConfig, model: DictConfig, phases: DictConfig) -> dict[str, Any]:
    """Return the config blocks that shape a reader; of the objectives those that one of its phases uses."""
    names = ("text", "pairs", "trainer", "precision", "compile", "seed")
    blocks = {name: plain(config[name]) for name in names} | {"model": plain(model), "phases": plain(phases)}
    learned = {name for phase in blocks["phases"].values() for name in used(phase)}
    objectives = {name: plain(block) for name, block in config.objective.items() if name in learned}
    return blocks | {"objective": objectives}


def _checkpoint_to_start_from(config: DictConfig) -> Path | None:
    if config.resume in ("auto", "never"):
        return None
    return Path(str(config.resume))


@dataclass(frozen=True)
class _Reader:
    """A reader that is to be trained, and the phases that it goes through."""

    model: nn.Module
    tokenizer: Tokenizer
    widths: Widths
    phases: list[str]


def _new_reader(training: _Training) -> _Reader:
    """Build the reader of a training; nothing is written.

    Raises:
        InputError: if it cannot start from the checkpoint that it shall start from.
    """
    blocks, store, questions = training.blocks, training.store, training.source.questions
    rows = questions.filter(questions["split"] == "train")
    tokenizer = train_tokenizer(blocks["text"], [*rows["question"], *rows["answer"]])
    widths = Widths(*store.widths)
    model = build_model(blocks["model"], blocks["text"], tokenizer=tokenizer, widths=widths, seed=blocks["seed"])
    model.fit(store.read(_some(rows["main_image"])))
    phases = phases_from(list(blocks["phases"]), training.start)
    if training.start is not None:
        try:
            check_weights(phase_module(blocks, model, phases[0]), training.start)
        except InputError as error:
            raise InputError(f"resume={training.start}: this reader cannot start from it: {error}") from error
    return _Reader(model, tokenizer, widths, phases)


def _train(training: _Training, reader: _Reader) -> dict[str, str]:
    folder = training.folder
    if is_emulated(training.blocks["precision"], training.blocks["trainer"]):
        training.console.print(f"warning: {EMULATED}", highlight=False, soft_wrap=True)
    if rank() == 0:
        reader.tokenizer.save(folder / TOKENIZER)
    if training.blocks["compile"]:
        compile_parts(reader.model)
    for phase in reader.phases:
        _train_phase(training, reader, phase)
    if rank() == 0:
        description = _describe(training, reader.widths, reader.phases[-1])
        write_text(folder / "reader.json", json.dumps(description, indent=2) + "\n")
    count = sum(weight.numel() for weight in reader.model.parameters() if weight.requires_grad)
    return {"parameters": f"{count:,}", "phases": ", ".join(reader.phases)}


def _describe(training: _Training, widths: Widths, last_phase: str) -> dict[str, Any]:
    """Return what a reader is loaded by: the content of `reader.json`."""
    config, console, blocks = training.config, training.console, training.blocks
    return {
        "model": blocks["model"],
        "text": blocks["text"],
        "widths": {"region": widths.region, "finding": widths.finding},
        "pairs": blocks["pairs"],
        "last_phase": last_phase,
        "monitor": blocks["phases"][last_phase]["monitor"],
        "truth": str(config.extraction.truth),
        **_seen_with(config, console),
    }


def _seen_with(config: DictConfig, console: StageConsole) -> dict[str, Any]:
    """Return the vision models whose features a reader learned from; of imported features, what tells them apart."""
    if imports(config):
        return {"vision": None, "published": features(config, console).id}
    detector, classifier = anatomy(config, console), findings(config, console)
    return {
        "vision": {
            "detector": describe_vision(config.detector, detector),
            "classifier": describe_vision(config.classifier, classifier),
        }
    }


def phases_from(phases: list[str], start: Path | None) -> list[str]:
    """Return the phases to train: from the one that wrote a checkpoint, or the last if it lies elsewhere.

    Args:
        phases: by name, in their order.
        start: PHASE/checkpoints/FILE, as a training leaves it; None begins anew.
    """
    if start is None:
        return phases
    written = start.resolve().parent.parent.name
    return phases[phases.index(written if written in phases else phases[-1]) :]


def _some(images: pl.Series) -> list[str]:
    """Return the ids of at most 4,096 different images, spread over all: enough for their statistics."""
    ids = images.unique(maintain_order=True)
    return ids.gather_every(max(1, len(ids) // _STATISTICS)).head(_STATISTICS).to_list()


def _data(training: _Training, tokenizer: Tokenizer, settings: dict[str, Any]) -> PairData:
    pairs = training.blocks["pairs"]
    return PairData(
        training.source.questions,
        store=training.store,
        tokenizer=tokenizer,
        settings=pair_settings(pairs, training.blocks["seed"]),
        units_per_batch=settings["units_per_batch"],
        workers=pairs["workers"],
        label_fraction=settings.get("label_fraction", 1.0),
    )


def _train_phase(training: _Training, reader: _Reader, phase: str) -> None:
    """Train one of the phases, or load what it has learned if it is finished."""
    blocks, folder = training.blocks, training.folder / phase
    settings = blocks["phases"][phase]
    module = phase_module(blocks, reader.model, phase)
    if (folder / SUCCESS).is_file():
        load_weights(module, folder / "checkpoints" / "best.ckpt")
        return
    fitting = FitSettings(
        title=phase,
        epochs=settings["epochs"],
        seed=blocks["seed"],
        monitor=settings["monitor"],
        mode="min",
        checkpoint_steps=training.config.checkpoint_steps,
        start=training.start if phase == reader.phases[0] else None,
        trainer={**blocks["trainer"], "precision": _PRECISIONS[str(blocks["precision"])]},
    )
    data = _data(training, reader.tokenizer, settings)
    callbacks: list[L.Callback] = []
    if training.searched and phase == reader.phases[-1]:
        callbacks = [TrialReport(trial_of(training.config.trial), settings["monitor"])]
    with training_loggers(training.config, folder, replace(training.run, part=phase)) as loggers:
        fit(module, data, fitting, folder, loggers=loggers, console=training.console, callbacks=callbacks)
    if rank() == 0:
        (folder / SUCCESS).write_text("")
