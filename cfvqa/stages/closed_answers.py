"""Closed lists of answers, one a type of question, for readers that rank answers instead of writing them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from cfvqa.data.batches import Tokens
from cfvqa.errors import InputError
from cfvqa.files import damage_named, write_text
from cfvqa.models.outputs import Reading
from cfvqa.models.ranking import rank
from cfvqa.stages.trained import TrainedReader

FILE = "answers.json"
"""Name of the file of the lists: in the folder of an evaluation, or of an export."""


@dataclass(frozen=True)
class ClosedAnswers:
    """The answers that a reader chooses from.

    Attributes:
        by_type: question type -> answers, the most frequent first.
    """

    by_type: dict[str, list[str]]

    @classmethod
    def of_training(cls, questions: pl.DataFrame, limit: int | None) -> "ClosedAnswers":
        """Take the `limit` most frequent answers of each type; of answers equally frequent, the first by alphabet.

        They are of all training subjects, those too whose questions a `label_fraction` keeps from the last phase: that
        an answer exists, a reader that ranks knows of all of them.

        Args:
            questions: the questions table; rows of the training split count.
            limit: of the answers of a type; None takes all.
        """
        train = questions.filter(pl.col("split") == "train")
        counts = train.group_by("question_type", "answer").len().sort("len", "answer", descending=[True, False])
        kinds = sorted(set(train["question_type"]))
        return cls({k: counts.filter(pl.col("question_type") == k)["answer"].to_list()[:limit] for k in kinds})

    def of(self, kind: str | None) -> list[str]:
        """Return the answers to a type of question; to one that is not known, all of them."""
        if kind in self.by_type:
            return self.by_type[kind]
        return list(dict.fromkeys(answer for answers in self.by_type.values() for answer in answers))

    def choose(
        self, reader: TrainedReader, reading: Reading, kinds: Sequence[str | None]
    ) -> tuple[list[str], list[float]]:
        """Return the most probable answer to each question, and the mean probability of its words.

        Args:
            reader: that has read the questions.
            reading: of Q questions.
            kinds: their types, or None where one is of no type.
        """
        texts, scores = [""] * len(kinds), [0.0] * len(kinds)
        for kind in dict.fromkeys(kinds):
            places = [place for place, other in enumerate(kinds) if other == kind]
            rows = torch.tensor(places, device=reading.memory.device)
            answers = _tokens(reader, self.of(kind), reading.memory.device)
            ids, found = rank(reader.model.text, answers, reading.memory[rows], reading.memory_mask[rows])
            written = reader.tokenizer.decode(ids.cpu().numpy())
            for place, text, score in zip(places, written, found.tolist(), strict=True):
                texts[place], scores[place] = text, score
        return texts, scores

    def save(self, folder: Path) -> None:
        """Write the lists into a folder."""
        write_text(folder / FILE, json.dumps(self.by_type, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "ClosedAnswers":
        """Read what `save` wrote.

        Raises:
            InputError: if the file is missing or damaged.
        """
        file = folder / FILE
        if not file.is_file():
            raise InputError(f"{file} is missing, and answers are ranked by it: run cfvqa-evaluate with way=rank first")
        with damage_named(file, "run cfvqa-evaluate again"):
            lists = json.loads(file.read_text())
        if not _is_lists(lists):
            raise InputError(f"{file} is damaged (no lists of answers): run cfvqa-evaluate again")
        return cls(lists)


def _is_lists(content: object) -> bool:
    """Whether a content is what a file of lists holds: texts, one a type at least."""
    lists = content.values() if isinstance(content, dict) else ()
    return bool(lists) and all(
        isinstance(answers, list) and answers and all(isinstance(answer, str) for answer in answers)
        for answers in lists
    )


def _tokens(reader: TrainedReader, answers: list[str], device: torch.device) -> Tokens:
    """Return the answers as the reader learned to write them, each once: words or cuts can make two the same."""
    length = reader.description["pairs"]["answer_length"]
    ids, mask = reader.tokenizer.encode(answers, max_length=length, first="[DEC]")
    places = np.sort(np.unique(ids, axis=0, return_index=True)[1])
    return Tokens(torch.from_numpy(ids[places]).to(device), torch.from_numpy(mask[places]).to(device))
