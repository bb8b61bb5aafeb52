"""What the detector, the classifier and the extraction cost: steps on images of the sample."""

from typing import Any

import polars as pl
import torch
from omegaconf import DictConfig
from torch import nn

from cfvqa.bench.lab import Loss, Step
from cfvqa.data.batches import ImageBatch
from cfvqa.data.feature_store import stored_bytes
from cfvqa.data.image_data import ImageDataSettings
from cfvqa.data.image_sets import ImageSet, labels_of
from cfvqa.doctor.amounts import amounts_of, boxed, described
from cfvqa.doctor.clock import device_of, measuring, processes_of, seconds_each
from cfvqa.doctor.cost import Cost, checkpoint_bytes, epochs_of, image_seconds
from cfvqa.doctor.sample import Sample
from cfvqa.doctor.words import short
from cfvqa.settings.building import VISION, build_network, plain
from cfvqa.sources.tables import Tables
from cfvqa.stages.vision import for_inference
from cfvqa.training.extraction import ExtractionModule
from cfvqa.training.precision import settled
from cfvqa.training.vision_modules import AnatomyModule, FindingsModule, VisionModule

_ON_PROCESSOR = 8 * 256**2  # pixels at once: more take a processor as much longer, and much memory


def detector_cost(config: DictConfig, sample: Sample) -> Cost:
    """Return what the training of the detector costs.

    Raises:
        InputError: if a batch does not fit into the memory of the GPU.
    """
    module = AnatomyModule(_network(config, "detector"), **_rates(config.detector))
    return _training(config, "detector", module, sample, boxed(sample.tables), amounts_of(sample).boxed)


def classifier_cost(config: DictConfig, sample: Sample) -> Cost:
    """Return what the training of the classifier costs, regions found by a detector that has learned nothing.

    Raises:
        InputError: as `detector_cost`.
    """
    module = FindingsModule(_network(config, "classifier"), _network(config, "detector"), **_rates(config.classifier))
    return _training(config, "classifier", module, sample, described(sample.tables), amounts_of(sample).described)


def extraction_cost(config: DictConfig, sample: Sample) -> Cost:
    """Return what extraction costs, by networks that have learned nothing.

    Raises:
        InputError: as `detector_cost`.
    """
    settings, trainer = config.extraction, plain(config.extraction.trainer)
    device, count = device_of(trainer), amounts_of(sample).images
    images = _images(config, sample.tables, sample.tables.images)
    networks = (for_inference(_network(config, name)) for name in ("detector", "classifier"))
    module = ExtractionModule(*networks, images).to(device)
    batch = _batch(images, settings.batch_size, device)
    together = len(batch.image)
    with torch.inference_mode(), measuring(device, _precision(trainer), "extraction.batch_size", together):
        kept = stored_bytes(module.predict_step(batch, 0)) // together
        seconds = seconds_each(lambda: module.predict_step(batch, 0)) / together
    each = image_seconds(1, seconds, sample.decoding, workers=settings.workers) / processes_of(trainer)
    how = f"{count:,} images, {short(1 / each)} a second"
    return Cost("features", count * each, how, count * kept)


def _training(
    config: DictConfig, name: str, module: VisionModule, sample: Sample, rows: pl.DataFrame, count: int
) -> Cost:
    training = config[name].training
    trainer = plain(training.trainer)
    device = device_of(trainer)
    module = module.to(device, memory_format=torch.channels_last)
    batch = _batch(_images(config, sample.tables, rows), training.batch_size, device)
    together = len(batch.image)
    step = Step(Loss(module), torch.optim.AdamW(module.parameters(), lr=training.learning_rate, fused=True))
    with measuring(device, _precision(trainer), f"{name}.training.batch_size", together):
        seconds = seconds_each(lambda: step.take(batch)) / together
    epochs, kept = training.epochs, count * config.detector.image_size**2 <= ImageDataSettings.cache_gib * 2**30
    each = image_seconds(epochs, seconds, sample.decoding, workers=training.workers, kept=kept) / processes_of(trainer)
    how = f"{epochs_of(epochs)} of {count:,} images, {short(epochs / each)} a second"
    return Cost(name, count * each, how, checkpoint_bytes(module))


def _batch(images: ImageSet, wanted: int, device: torch.device) -> ImageBatch:
    """Return as many images as go at once, or as there are."""
    most = wanted if device.type == "cuda" else min(wanted, max(1, _ON_PROCESSOR // images.size**2))
    return images.collate([images[row] for row in range(min(most, len(images)))]).to(device)


def _images(config: DictConfig, tables: Tables, rows: pl.DataFrame) -> ImageSet:
    return ImageSet(labels_of(tables, rows), size=config.detector.image_size)


def _network(config: DictConfig, name: str) -> nn.Module:
    return build_network(config[name].network, f"{name}.network", VISION)


def _rates(block: DictConfig) -> dict[str, float]:
    return {"learning_rate": block.training.learning_rate, "weight_decay": block.training.weight_decay}


def _precision(trainer: dict[str, Any]) -> str:
    return str(settled(trainer).get("precision") or 32)
