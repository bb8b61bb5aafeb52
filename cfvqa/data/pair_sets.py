"""Questions about pairs of radiographs, with features, as batches for a reader."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch.utils.data import Dataset

from cfvqa.data.batches import PairBatch, Texts, Tokens
from cfvqa.data.feature_store import FeatureStore
from cfvqa.data.seeding import generator, stable_seed
from cfvqa.errors import InputError
from cfvqa.language.change_labels import label_changes
from cfvqa.language.grammar import Change, flip_answer, parse_changes
from cfvqa.language.keywords import answer_keywords
from cfvqa.language.negatives import Said, wrong_answer
from cfvqa.language.questions import DIFFERENCE
from cfvqa.language.tokenizer import Tokenizer

_ASKED = ("question_id", "main_image", "reference_image", "question_type", "question", "answer")


def _once(column: pl.Series) -> list[str | None]:
    """Return the texts of a column; equal ones are one object, of which there are few beside the rows."""
    return [None if text is None else sys.intern(text) for text in column]


def _drawn(seeds: Sequence[int], count: int) -> torch.Tensor:
    """Return `count` numbers in [0, 1) of each seed, (seeds, count) float32; the first of more are the same."""
    drawn = [np.random.default_rng(seed).random(count, dtype=np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(drawn))


@dataclass(frozen=True)
class PairSettings:
    """How questions become samples.

    Attributes:
        question_length, answer_length: tokens kept at most.
        swap: share of the pairs whose images are exchanged for their difference questions, and the answers with
            them, in training. 0 shows every pair as it is.
        seed: of what is drawn for a sample: (seed, epoch, sample) alone decides it.
    """

    question_length: int = 32
    answer_length: int = 96
    swap: float = 0.5
    seed: int = 1


@dataclass(frozen=True)
class QuestionSample:
    """One question with the unit it is about and its texts."""

    row: int
    main: str
    reference: str | None
    question: str
    answer: str
    wrong_answer: str
    keywords: str
    changes: frozenset[Change] | None  # that the answer reports; None of another question
    seed: int  # of what is drawn for the tokens of the answer


class PairSet(Dataset[QuestionSample]):
    """Serve the rows of a questions table.

    Args:
        questions: rows of `questions.parquet`.
        store: features of every image they name.
        tokenizer: turns texts into ids.
        settings: lengths, swapping, seed.
        training: draw swaps and fresh wrong answers by epoch; otherwise every row is as it stands.
        said: how often true answers say what wrong ones are made of (see `negatives.wrong_answer`).
    """

    def __init__(
        self,
        questions: pl.DataFrame,
        *,
        store: FeatureStore,
        tokenizer: Tokenizer,
        settings: PairSettings,
        training: bool,
        said: Said | None = None,
    ) -> None:
        names = pl.concat([questions["main_image"], questions["reference_image"].drop_nulls()])
        if missing := store.missing(names.unique().sort().to_list()):
            raise InputError(
                f"{len(missing)} images of the questions have no features in {store.folder}, "
                f"for instance {', '.join(missing[:3])}: extract them again with these tables"
            )
        self.questions = questions
        # Of plain Python: the threads of a data frame do not go along into a forked loading process, which would wait.
        self._columns = {name: _once(questions[name]) for name in _ASKED}
        self.store = store
        self.tokenizer = tokenizer
        self.settings = settings
        self.training = training
        self.epoch = 0
        self.said = said

    def __len__(self) -> int:
        return len(self.questions)

    def begin_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws come next."""
        self.epoch = epoch

    def units(self) -> list[list[int]]:
        """Return the questions of each unit, a unit being a main image with its reference image or none."""
        grouped = (
            self.questions.with_row_index("row")
            .group_by("main_image", "reference_image", maintain_order=True)
            .agg("row")
        )
        return grouped["row"].to_list()

    def has_reference(self) -> list[bool]:
        """Return which units have a reference image."""
        units = self.questions.unique(["main_image", "reference_image"], keep="first", maintain_order=True)
        return units["reference_image"].is_not_null().to_list()

    def __getitem__(self, index: int) -> QuestionSample:
        """Return the question of row `index`, as this epoch draws it."""
        row = {name: values[index] for name, values in self._columns.items()}
        main, reference, answer = row["main_image"], row["reference_image"], row["answer"]
        epoch = self.epoch if self.training else 0
        if row["question_type"] == DIFFERENCE and self._is_swapped(main, reference, epoch):
            flipped = flip_answer(answer)
            if flipped is not None:
                main, reference, answer = reference, main, flipped
        rng = generator(self.settings.seed, "wrong answer", epoch, row["question_id"])
        return QuestionSample(
            row=index,
            main=main,
            reference=reference,
            question=row["question"],
            answer=answer,
            wrong_answer=wrong_answer(row["question_type"], answer, rng, self.said),
            keywords=answer_keywords(row["question_type"], answer),
            changes=parse_changes(answer) if row["question_type"] == DIFFERENCE else None,
            seed=stable_seed(self.settings.seed, "masks", epoch, row["question_id"]),
        )

    def _is_swapped(self, main: str, reference: str | None, epoch: int) -> bool:
        if not self.training or reference is None:
            return False
        return generator(self.settings.seed, "swap", epoch, main, reference).random() < self.settings.swap

    def collate(self, samples: Sequence[QuestionSample]) -> PairBatch:
        """Gather the units that the samples are about, read each of their images once, pad the texts."""
        keys = [(sample.main, sample.reference) for sample in samples]
        units = list(dict.fromkeys(keys))
        unit_of = {key: number for number, key in enumerate(units)}
        images = list(dict.fromkeys(image for unit in units for image in unit if image is not None))
        place = {image: number for number, image in enumerate(images)}
        features = self.store.read(images)
        answer = self._tokens([s.answer for s in samples], self.settings.answer_length, "[DEC]")
        return PairBatch(
            main=features[torch.tensor([place[main] for main, _ in units])],
            # Where there is no reference the main image fills the place in memory; `has_reference` masks it.
            reference=features[torch.tensor([place[reference or main] for main, reference in units])],
            has_reference=torch.tensor([reference is not None for _, reference in units]),
            unit=torch.tensor([unit_of[key] for key in keys]),
            question=self._tokens([s.question for s in samples], self.settings.question_length, "[ENC]"),
            answer=answer,
            wrong_answer=self._tokens([s.wrong_answer for s in samples], self.settings.answer_length, "[DEC]"),
            keywords=self._tokens([s.keywords for s in samples], self.settings.answer_length, "[CLS]"),
            changes=torch.from_numpy(np.stack([label_changes(sample.changes) for sample in samples])),
            row=torch.tensor([sample.row for sample in samples]),
            draw=_drawn([sample.seed for sample in samples], answer.ids.shape[1]),
        )

    def texts(self, answers: list[str]) -> Texts:
        """Return answers to difference questions, any, as they stand in batches."""
        keywords = [answer_keywords(DIFFERENCE, answer) for answer in answers]
        return Texts(
            answer=self._tokens(answers, self.settings.answer_length, "[DEC]"),
            keywords=self._tokens(keywords, self.settings.answer_length, "[CLS]"),
        )

    def _tokens(self, texts: list[str], length: int, first: str) -> Tokens:
        ids, mask = self.tokenizer.encode(texts, max_length=length, first=first)
        return Tokens(torch.from_numpy(np.asarray(ids)), torch.from_numpy(np.asarray(mask)))
