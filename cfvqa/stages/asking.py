"""Asking a reader the questions of a split: answers, scores, attention."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch.utils.data import DataLoader

from cfvqa.data.batches import PairBatch, swap_images
from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.pair_sets import PairSet, PairSettings
from cfvqa.errors import InputError
from cfvqa.evaluation.predictions import predictions_of
from cfvqa.language.questions import DIFFERENCE
from cfvqa.models.constrained import FollowGrammar
from cfvqa.models.outputs import Reading
from cfvqa.progress import StageConsole, counting
from cfvqa.settings.schema import follows_grammar, ranks, words_of
from cfvqa.sources.tables import Tables
from cfvqa.stages.closed_answers import ClosedAnswers
from cfvqa.stages.trained import TrainedReader, device


@dataclass(frozen=True)
class Asked:
    """Answers of a reader.

    Attributes:
        predictions: the table.
        seconds: that reading and writing took.
    """

    predictions: pl.DataFrame
    seconds: float


@dataclass(frozen=True)
class BatchAnswers:
    """Answers to a batch of Q questions.

    Attributes:
        texts: Q answers.
        scores: Q mean probabilities of their words.
        attention: (Q, 2, R), the shares of the regions of main and reference image in all attention, or None where
            the reader sees no image.
    """

    texts: list[str]
    scores: list[float]
    attention: np.ndarray | None


@dataclass(frozen=True)
class Decoding:
    """How answers are found.

    Attributes:
        settings: the config block `evaluation.decoding`.
        closed: what is chosen from, where answers are ranked; otherwise None.
    """

    settings: dict[str, Any]
    closed: ClosedAnswers | None = None

    @classmethod
    def of(cls, settings: dict[str, Any], questions: pl.DataFrame) -> "Decoding":
        """Return how answers are found; a closed list is of training questions."""
        if not ranks(settings):
            return cls(settings)
        return cls(settings, ClosedAnswers.of_training(questions, settings.get("candidates")))

    def answer(
        self, reader: TrainedReader, reading: Reading, batch: PairBatch, kinds: Sequence[str | None]
    ) -> tuple[list[str], list[float]]:
        """Return the answer to each question of a batch that was read, and its score; `kinds` are their types."""
        if self.closed is not None:
            return self.closed.choose(reader, reading, kinds)
        written = words_of(self.settings)
        if hasattr(reader.model, "answer"):  # see `models.outputs.Reader`
            ids, scores = reader.model.answer(reading, batch, **written)
        else:
            ids, scores = reader.model.text.generate(
                reading.memory, reading.memory_mask, **written, **self._constraint(reader, kinds)
            )
        return reader.tokenizer.decode(ids.cpu().numpy()), scores.cpu().tolist()

    def _constraint(self, reader: TrainedReader, kinds: Sequence[str | None]) -> dict[str, Any]:
        """Return what keeps answers to difference questions to their grammar, where that is asked for."""
        if not follows_grammar(self.settings):
            return {}
        kept = [kind == DIFFERENCE for kind in kinds]
        return {"logits_processor": [FollowGrammar(reader.constraint, kept)]}


def questions_of(read: Tables, split: str) -> pl.DataFrame:
    """Return the questions of a split.

    Raises:
        InputError: if it has none.
    """
    questions = read.questions.filter(pl.col("split") == split)
    if not len(questions):
        raise InputError(f"evaluation.split '{split}' has no question: choose val or test")
    return questions


def training(read: Tables) -> pl.DataFrame:
    """Return the training questions."""
    return read.questions.filter(pl.col("split") == "train")


def shaping_answers(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an evaluation that shape what is answered: its batch size only where words are drawn."""
    drawn = settings["decoding"]["do_sample"]
    return {key: value for key, value in settings.items() if key != "batch_size" or drawn}


def ask_batch(reader: TrainedReader, batch: PairBatch, decoding: Decoding, kinds: Sequence[str | None]) -> BatchAnswers:
    """Ask the questions of a batch, whose types are `kinds`, on the device where the reader is."""
    with torch.inference_mode():
        reading = reader.model.read(batch)
        texts, scores = decoding.answer(reader, reading, batch, kinds)
        regions = reader.model.region_attention(reading, batch)
    return BatchAnswers(texts, scores, None if regions is None else regions.float().cpu().numpy())


def pair_set(reader: TrainedReader, questions: pl.DataFrame, store: FeatureStore) -> PairSet:
    """Return the questions as the reader wants them."""
    pairs = reader.description["pairs"]
    settings = PairSettings(question_length=pairs["question_length"], answer_length=pairs["answer_length"])
    return PairSet(questions, store=store, tokenizer=reader.tokenizer, settings=settings, training=False)


def ask(
    reader: TrainedReader,
    pairs: PairSet,
    *,
    batch_size: int,
    decoding: Decoding,
    seed: int,
    console: StageConsole,
    swapped: bool,
    title: str,
) -> Asked:
    """Ask every question of `pairs`; `swapped` exchanges main and reference image (the flip test).

    `seed` is of what is drawn where words are sampled.
    """
    where = device()
    torch.manual_seed(seed)
    reader.model.to(where)
    answers: list[str] = []
    scores: list[float] = []
    attention: list[np.ndarray | None] = []
    start = time.perf_counter()
    with counting(console, title, len(pairs)) as count:
        for batch in DataLoader(pairs, batch_size=batch_size, collate_fn=pairs.collate):
            moved: PairBatch = batch.to(where)
            kinds = pairs.questions["question_type"][batch.row.tolist()].to_list()
            given = ask_batch(reader, swap_images(moved) if swapped else moved, decoding, kinds)
            answers += given.texts
            scores += given.scores
            attention += [None] * len(given.texts) if given.attention is None else list(given.attention)
            count(len(answers))
    seconds = time.perf_counter() - start
    table = predictions_of(pairs.questions, answers).with_columns(
        pl.Series("score", scores, dtype=pl.Float64),
        _attention("attention_main", attention, 0),
        pl.when(pl.col("reference_image").is_not_null()).then(_attention("attention_reference", attention, 1)),
    )
    return Asked(table, seconds)


@dataclass(frozen=True)
class Asking:
    """How questions are asked.

    Attributes:
        settings: the config block `evaluation`.
        store: features of the images.
        console: where progress is shown.
        decoding: how answers are found.
    """

    settings: dict[str, Any]
    store: FeatureStore
    console: StageConsole
    decoding: Decoding

    def ask(self, reader: TrainedReader, questions: pl.DataFrame, title: str, *, swapped: bool = False) -> Asked:
        """Ask; with main and reference image `swapped` where that is said."""
        return ask(
            reader,
            pair_set(reader, questions, self.store),
            batch_size=self.settings["batch_size"],
            decoding=self.decoding,
            seed=self.settings["seed"],
            console=self.console,
            swapped=swapped,
            title=title,
        )


def _attention(name: str, values: list[np.ndarray | None], image: int) -> pl.Series:
    rows = [None if value is None else value[image].tolist() for value in values]
    return pl.Series(name, rows, dtype=pl.List(pl.Float32))


def exchange_images(questions: pl.DataFrame, columns: tuple[str, ...], *, seed: int) -> pl.DataFrame:
    """Return the questions with the images of `columns` taken from questions about other subjects (a control).

    Args:
        questions: rows of the questions table.
        columns: "reference_image", "main_image" or both; of one other question each.
        seed: of the exchange.
    """
    order = np.random.default_rng(seed).permutation(len(questions))
    subjects = questions["subject_id"].to_numpy()
    # One step around the cycle, and further where a subject would meet itself.
    target = np.roll(order, 1)
    for place in np.flatnonzero(subjects[order] == subjects[target]):
        free = (subjects[target] != subjects[order[place]]) & (subjects[order] != subjects[target[place]])
        if free.any():
            other = int(np.flatnonzero(free)[0])
            target[place], target[other] = target[other], target[place]
    source = np.empty(len(questions), dtype=np.int64)
    source[order] = target
    return questions.with_columns(questions[column][source.tolist()] for column in columns)
