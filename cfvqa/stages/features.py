"""The extraction stage: features of every image, in shards; a stopped extraction goes on behind them."""

from pathlib import Path

import lightning as L
from omegaconf import DictConfig
from torch.utils.data import DataLoader, Subset

from cfvqa.data.feature_store import shard_ids, shard_name, write_index
from cfvqa.data.image_sets import ImageSet, labels_of
from cfvqa.stages.building import plain
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.vision import anatomy, findings, load_classifier, load_detector
from cfvqa.training.extraction import ExtractionModule, ShardWriter
from cfvqa.training.fit import quiet_lightning


def features(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage of the features, extracted if need be."""
    source = tables(config, console)
    detector, classifier = anatomy(config, console), findings(config, console)
    stage_id = identify(source.id, detector.id, classifier.id, config.extraction.rows_per_shard)
    stage = Stage("features", Path(config.work) / "features" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        read = load_tables(source)
        images = ImageSet(labels_of(read, read.images), size=config.detector.image_size, cache_gib=0)
        module = ExtractionModule(load_detector(config, detector), load_classifier(config, classifier), images)
        _extract(config, module, images, folder)
        write_index(folder)
        return {"images": str(len(images)), "shards": str(len(list(folder.glob("part-*.h5"))))}

    return ensure(stage, make, console)


def _extract(config: DictConfig, module: ExtractionModule, images: ImageSet, folder: Path) -> None:
    settings = config.extraction
    rows = settings.rows_per_shard
    ids = images.labels.image_ids
    numbers = range(-(-len(ids) // rows))
    todo = [number for number in numbers if not _finished(folder, number, ids[number * rows : (number + 1) * rows])]
    chosen = [row for number in todo for row in range(number * rows, min((number + 1) * rows, len(ids)))]
    if not chosen:
        return
    writer = ShardWriter(folder, [ids[row] for row in chosen], todo, rows)
    loader = DataLoader(
        Subset(images, chosen),
        batch_size=settings.batch_size,
        collate_fn=images.collate,
        num_workers=settings.workers,  # decodes the next batches while the networks work
    )
    with quiet_lightning():
        predictor = L.Trainer(logger=False, callbacks=[writer], enable_progress_bar=False, **plain(settings.trainer))
        predictor.predict(module, dataloaders=loader, return_predictions=False)


def _finished(folder: Path, number: int, ids: list[str]) -> bool:
    path = folder / shard_name(number)
    return path.is_file() and shard_ids(path) == ids
