"""Judging what the contrasts of a reader have learned: answers found by pairs and pairs by answers; changes found."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from cfvqa.data.batches import PairBatch, Texts
from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.evaluation.changes import parsed_answers
from cfvqa.evaluation.retrieval import Retrieval, mixed, retrieval
from cfvqa.evaluation.zero_shot import ZeroShot, prompts_for, zero_shot
from cfvqa.language.grammar import parse_changes
from cfvqa.language.questions import DIFFERENCE
from cfvqa.objectives.base import Contrast
from cfvqa.progress import StageConsole, counting
from cfvqa.settings.schema import RETRIEVAL, ZERO_SHOT
from cfvqa.stages.asking import pair_set
from cfvqa.stages.trained import TrainedReader, device

_TEXTS = 16  # compared at once with a batch of pairs: each word with each visual token


@dataclass(frozen=True)
class Comparing:
    """How pairs are compared with texts.

    Attributes:
        reader: that was trained with the contrasts.
        contrasts: by name, at least one.
        store: features of the images.
        train: training questions, whose answers say of which changes pairs are asked.
        settings: the config block `evaluation`.
        console: shows progress.
    """

    reader: TrainedReader
    contrasts: dict[str, Contrast]
    store: FeatureStore
    train: pl.DataFrame
    settings: dict[str, Any]
    console: StageConsole

    def judge(self, task: str, questions: pl.DataFrame) -> Retrieval | ZeroShot:
        """Return the figures of a task.

        Args:
            task: "retrieval" or "zero_shot".
            questions: of the split.

        Raises:
            InputError: if none of them asks for a difference, or no answer to one parses, which zero_shot needs.
        """
        pairs = questions.filter(pl.col("question_type") == DIFFERENCE)
        if task == ZERO_SHOT:  # what an answer in other words says of the findings is not known
            pairs = pairs.filter([parse_changes(answer) is not None for answer in pairs["answer"]])
        if not len(pairs):
            raise InputError(
                f"evaluation.tasks: {task} needs questions of what has changed, and split {self.settings['split']} "
                "has none that it can judge: leave it out, or choose another split"
            )
        return {RETRIEVAL: self.retrieval, ZERO_SHOT: self.zero_shot}[task](pairs)

    def retrieval(self, pairs: pl.DataFrame) -> Retrieval:
        """Find the answers of difference questions by their pairs, and the pairs by their answers."""
        answers = pairs["answer"].to_list()
        texts = sorted(set(answers), key=lambda text: (len(text), text))  # those of a chunk are about as long
        place = {text: number for number, text in enumerate(texts)}
        own = np.array([place[answer] for answer in answers])
        scores = self.scores(pairs, texts, "comparing pairs and answers")
        return retrieval(list(scores.values()), own, pairs["subject_id"].to_list(), **self._drawn())

    def zero_shot(self, pairs: pl.DataFrame) -> ZeroShot:
        """Find what is new and what is gone by sentences of the grammar; each stands against the others of its pair."""
        prompts = prompts_for(parsed_answers(self.train.filter(pl.col("question_type") == DIFFERENCE)))
        scores = self.scores(pairs, [prompt.text for prompt in prompts], "comparing pairs and sentences")
        score = mixed(list(scores.values()), np.ones(len(prompts)))
        return zero_shot(score, prompts, parsed_answers(pairs), pairs["subject_id"].to_list(), **self._drawn())

    def _drawn(self) -> dict[str, int]:
        return {"seed": self.settings["seed"], "draws": self.settings["draws"]}

    def scores(self, questions: pl.DataFrame, texts: list[str], title: str) -> dict[str, np.ndarray]:
        """Return, by contrast, how well T texts fit the pairs of N questions (N, T) float32.

        Args:
            questions: difference questions.
            texts: answers to such questions.
            title: of the progress.
        """
        where = device()
        self.reader.model.to(where)
        pairs = pair_set(self.reader, questions, self.store)
        chunks = [pairs.texts(texts[at : at + _TEXTS]).to(where) for at in range(0, len(texts), _TEXTS)]
        found = {name: np.empty((len(pairs), len(texts)), dtype=np.float32) for name in self.contrasts}
        done = 0
        with counting(self.console, title, len(pairs)) as count, torch.inference_mode():
            for batch in DataLoader(pairs, batch_size=self.settings["batch_size"], collate_fn=pairs.collate):
                for name, rows in self._rows(batch.to(where), chunks).items():
                    found[name][done : done + len(rows)] = rows.numpy()
                done += len(batch.unit)
                count(done)
        return found

    def _rows(self, batch: PairBatch, chunks: list[Texts]) -> dict[str, Tensor]:
        """Return, by contrast, the scores (Q, T) of a batch."""
        model = self.reader.model
        reading = model.read(batch)
        return {
            name: torch.cat([contrast.scores(model, batch, reading, texts).float().cpu() for texts in chunks], dim=1)
            for name, contrast in self.contrasts.items()
        }
