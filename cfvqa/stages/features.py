"""The stage of the features of every image, in shards: extracted or imported; stopped, it goes on behind them."""

import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from omegaconf import DictConfig

from cfvqa.data.feature_store import has_shard, split_into_shards, write_index
from cfvqa.data.image_sets import ImageSet, labels_of
from cfvqa.data.loaders import loader_of_rows
from cfvqa.progress import StageConsole, counting
from cfvqa.settings.building import plain
from cfvqa.stages.distribution import others_of
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.importing import imported, imports
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.vision import anatomy, findings, load_classifier, load_detector
from cfvqa.training.extraction import ExtractionModule, ShardWriter
from cfvqa.training.fit import quiet_lightning
from cfvqa.training.meeting import is_called
from cfvqa.training.precision import settled
from cfvqa.training.ranks import environment, local_rank, process_count, rank, started_processes

_FULL = ("32", "32-true", "None")
"""Precisions of a `Trainer` in which features are as the networks give them."""


def features(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the features, extracted or imported if need be."""
    return imported(config, console) if imports(config) else _extracted(config, console)


def _extracted(config: DictConfig, console: StageConsole) -> Stage:
    source = tables(config, console)
    detector, classifier = anatomy(config, console), findings(config, console)
    settings, trainer = config.extraction, settled(plain(config.extraction.trainer))
    precision = str(trainer.get("precision", _FULL[0]))
    shaping = () if precision in _FULL else (precision,)
    stage_id = identify(source.id, detector.id, classifier.id, settings.rows_per_shard, settings.truth, *shaping)
    stage = Stage("features", Path(config.work) / "features" / stage_id, stage_id)
    others = others_of(config, "features", trainer)

    def make(folder: Path) -> dict[str, str]:
        read = load_tables(source)
        images = ImageSet(labels_of(read, read.images), size=config.detector.image_size, cache_gib=0)
        networks = load_detector(config, detector), load_classifier(config, classifier)
        module = ExtractionModule(*networks, images, truth=settings.truth)
        shards = split_into_shards(images.labels.image_ids, settings.rows_per_shard)
        _extract(config, module, images, folder, shards, console)
        if rank() > 0:
            return {}
        missing = list(shards)
        while missing := [number for number in missing if not has_shard(folder, number, shards[number])]:
            if others is None:
                raise RuntimeError(f"{folder}: shards {missing} were not written")
            is_called(str(folder))  # an error where another process has failed
            time.sleep(0.2)  # others still write theirs
        write_index(folder)
        return {"images": str(len(images)), "shards": str(len(shards))}

    return ensure(stage, make, console, others=others)


def _extract(
    config: DictConfig,
    module: ExtractionModule,
    images: ImageSet,
    folder: Path,
    shards: dict[int, list[str]],
    console: StageConsole,
) -> None:
    """Write the shards that are missing; of several processes each writes its share, and the first counts its own."""
    settings = config.extraction
    rows = settings.rows_per_shard
    trainer = settled(plain(settings.trainer))
    processes = min(process_count(trainer), started_processes())  # of more than are asked for, some have nothing to do
    own = [number for number in shards if number % processes == rank()]
    todo = [number for number in own if not has_shard(folder, number, shards[number])]
    chosen = [number * rows + row for number in todo for row in range(len(shards[number]))]
    if not chosen:
        return
    folder.mkdir(exist_ok=True)
    names = [name for number in todo for name in shards[number]]
    loader = loader_of_rows(images, chosen, batch_size=settings.batch_size, workers=settings.workers)
    with quiet_lightning(), counting(console, "extracting", len(names)) as count:
        writer = ShardWriter(folder, names, todo, rows, count)
        quiet = {"logger": False, "enable_progress_bar": False}
        predictor = L.Trainer(**quiet, callbacks=[writer], plugins=environment(), **_alone(trainer))
        predictor.predict(module, dataloaders=loader, return_predictions=False)


def _alone(trainer: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a `Trainer` on this process's device: processes that predict need not talk."""
    kept = {key: value for key, value in trainer.items() if key not in ("devices", "num_nodes", "strategy")}
    on_gpu = torch.cuda.is_available() and trainer.get("accelerator") != "cpu"
    return kept | {"devices": [local_rank()] if on_gpu else 1}
