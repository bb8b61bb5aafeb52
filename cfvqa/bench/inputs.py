"""What is measured on: questions about phantom subjects that nobody paints, and random features of their images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from omegaconf import DictConfig

from cfvqa.data.batches import ImageFeatures, PairBatch
from cfvqa.data.feature_store import FeatureStore, shard_name, write_index, write_shard
from cfvqa.data.pair_data import PairData
from cfvqa.data.pair_sets import PairSet, PairSettings
from cfvqa.language.questions import DIFFERENCE
from cfvqa.language.tokenizer import Tokenizer
from cfvqa.phantom.evolution import sample_subject
from cfvqa.phantom.questioning import question_rows
from cfvqa.phantom.records import choose_absent
from cfvqa.phantom.study import StudyTruth
from cfvqa.settings.building import VISION, build_network, plain
from cfvqa.settings.reader import Widths, pair_settings, train_tokenizer
from cfvqa.vocabulary.findings import FINDINGS
from cfvqa.vocabulary.regions import REGIONS

BATCHES = 16
"""Batches of pairs that are drawn; the questions about single images make about as many again."""

_SPLIT = "train"


@dataclass(frozen=True)
class Inputs:
    """Questions with the features of their images.

    Attributes:
        questions: rows like those of `questions.parquet`, all of one split.
        tokenizer: of their texts.
        folder: of the feature store.
        settings: of the samples.
        units: pairs, or single images, in a batch.
    """

    questions: pl.DataFrame
    tokenizer: Tokenizer
    folder: Path
    settings: PairSettings
    units: int

    def data(self, *, workers: int = 0, preload_gib: float = 4.0) -> PairData:
        """Return the data module of a training; with `preload_gib` 0 every feature is read from disk."""
        return PairData(
            self.questions,
            store=FeatureStore(self.folder, preload_gib=preload_gib),
            tokenizer=self.tokenizer,
            settings=self.settings,
            units_per_batch=self.units,
            workers=workers,
        )

    @cached_property
    def _samples(self) -> PairSet:
        return self.data().pair_set(_SPLIT)

    def pairs(self) -> list[int]:
        """Return the rows of the difference questions: one a pair."""
        return self.questions.with_row_index("row").filter(pl.col("question_type") == DIFFERENCE)["row"].to_list()

    def batch(self, rows: Sequence[int]) -> PairBatch:
        """Return the questions of `rows` as a training sees them."""
        return self._samples.collate([self._samples[row] for row in rows])

    def pair_batch(self) -> PairBatch:
        """Return the batch that is measured on: difference questions, each about a pair of its own."""
        return self.batch(self.pairs()[: self.units])


def open_inputs(config: DictConfig, folder: Path, batches: int = BATCHES) -> Inputs:
    """Return the inputs whose features lie in `folder`; the questions are drawn anew, always the same."""
    questions = _draw(config, batches)
    texts = [*questions["question"], *questions["answer"]]
    return Inputs(
        questions=questions,
        tokenizer=train_tokenizer(plain(config.text), texts),
        folder=folder,
        settings=pair_settings(plain(config.pairs), config.seed),
        units=config.bench.units,
    )


def write_features(config: DictConfig, folder: Path, batches: int = BATCHES) -> None:
    """Write random features, as wide as those of the detector and classifier of the config, for every image."""
    questions = _draw(config, batches)
    names = pl.concat([questions["main_image"], questions["reference_image"].drop_nulls()]).unique().sort().to_list()
    features = random_features(len(names), widths_of(config), config.seed)
    write_shard(folder / shard_name(0), names, features)
    write_index(folder)


def widths_of(config: DictConfig) -> Widths:
    """Return the widths of the features that the detector and classifier of the config write."""
    detector, classifier = (
        build_network(config[name].network, f"{name}.network", VISION) for name in ("detector", "classifier")
    )
    return Widths(detector.width, classifier.width)


def draw_questions(pairs: int, seed: int) -> pl.DataFrame:
    """Draw the questions about `pairs` pairs of studies; only difference questions keep the reference image."""
    rng = np.random.default_rng(seed)
    asked = [row for _, rows in zip(range(pairs), _pairs(rng), strict=False) for row in rows]
    numbered = [{"question_id": f"q{number}", "split": _SPLIT, **row} for number, row in enumerate(asked)]
    return pl.DataFrame(numbered, infer_schema_length=None)


def _draw(config: DictConfig, batches: int) -> pl.DataFrame:
    return draw_questions(batches * config.bench.units, config.seed)


def _pairs(rng: np.random.Generator) -> Iterator[list[dict[str, Any]]]:
    """Yield the questions of one pair after the other, without end."""
    number = 0
    while True:
        studies = sample_subject(rng).studies
        for place in range(1, len(studies)):
            earlier = int(rng.integers(place))
            names = (f"{number}-{place}", f"{number}-{earlier}")
            yield list(_asked(names, studies[place], studies[earlier], rng))
        number += 1


def _asked(
    names: tuple[str, str], main: StudyTruth, reference: StudyTruth, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    for kind, question, answer in question_rows(main, reference, choose_absent(main, rng), rng):
        seen = names[1] if kind == DIFFERENCE else None
        asked = {"question_type": kind, "question": question, "answer": answer}
        yield {"main_image": names[0], "reference_image": seen, **asked}


def random_features(count: int, widths: Widths, seed: int) -> ImageFeatures:
    """Draw the features of images, in the shapes that an extraction gives them."""
    draw = torch.Generator().manual_seed(seed)
    regions, findings = len(REGIONS), len(FINDINGS)
    corner = torch.rand(count, regions, 2, generator=draw) * 400
    side = 50 + torch.rand(count, regions, 2, generator=draw) * 400
    return ImageFeatures(
        region=torch.randn(count, regions, widths.region, generator=draw),
        finding=torch.randn(count, regions, widths.finding, generator=draw),
        probability=torch.rand(count, regions, findings, generator=draw),
        severity=torch.rand(count, findings, 2, generator=draw),
        box=torch.cat([corner, corner + side], dim=-1),
        score=torch.rand(count, regions, generator=draw),
    )
