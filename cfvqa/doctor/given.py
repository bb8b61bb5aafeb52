"""What is taken from elsewhere in place of a training or an extraction: whether it is there, and what that costs."""

import time

from omegaconf import DictConfig

from cfvqa.data.feature_store import stored_bytes
from cfvqa.data.published_features import open_published
from cfvqa.doctor.amounts import amounts_of
from cfvqa.doctor.cost import Cost
from cfvqa.doctor.note import Note, noted
from cfvqa.doctor.sample import Sample
from cfvqa.doctor.words import short
from cfvqa.stages.importing import imports
from cfvqa.stages.vision import given_detector

_PUBLISHED, _TRAINED = "extraction.published", "detector.trained"
GIVEN = (_PUBLISHED, _TRAINED)
_ROWS = 16  # that are read to measure


def given_notes(config: DictConfig) -> list[Note]:
    """Say whether features of somebody else, or else a detector that was trained before, are there."""
    if imports(config):
        return [noted(_PUBLISHED, lambda: _published(config))]
    if config.detector.trained is not None:
        return [noted(_TRAINED, lambda: f"stage {given_detector(config).id} is there")]
    return []


def _published(config: DictConfig) -> str:
    with open_published(str(config.extraction.published)) as file:
        return f"{len(file.features):,} rows, {file.features.shape[-1]} numbers a node"


def import_cost(config: DictConfig, sample: Sample) -> Cost:
    """Return what it costs to import features, by some rows of the sample.

    Raises:
        InputError: if images of the sample have no row, or a row is damaged.
    """
    with open_published(str(config.extraction.published)) as file:
        placed = file.in_order(sample.tables.images).head(_ROWS)
        start = time.perf_counter()
        read = file.read(placed)
        each = (time.perf_counter() - start) / len(placed)
    count = amounts_of(sample).images
    how = f"{count:,} images, {short(1 / each)} a second"
    return Cost("features", count * each, how, count * (stored_bytes(read) // len(placed)))
