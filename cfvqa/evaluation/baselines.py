"""Answers that never see an image: the floor that every result must be compared with."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cfvqa.errors import InputError
from cfvqa.evaluation.changes import Changes, parsed_answers
from cfvqa.evaluation.predictions import predictions_of
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, write_changes
from cfvqa.language.questions import DIFFERENCE

_KINDS = (ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.LEVEL)


def majority(train: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """Answer each test question with the most frequent training answer of its type.

    Args:
        train: questions table of the training split.
        test: questions table to answer.

    Returns:
        A table of predictions in the order of `test`. Of answers equally frequent, the first by alphabet.
    """
    _require_types(train, test)
    counts = train.group_by("question_type", "answer").len().sort("len", "answer", descending=[True, False])
    answers = dict(counts.unique("question_type", keep="first", maintain_order=True).select(_TYPE_ANSWER).iter_rows())
    return predictions_of(test, [answers[kind] for kind in test.get_column("question_type")])


def constant(train: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    """Answer all difference questions alike, with the changes that score best so in training; others as `majority`.

    The most frequent changes are taken as long as the micro-averaged F1 over the training questions grows, each
    finding once. No answer that is always the same scores better there.

    Args:
        train: questions table of the training split.
        test: questions table to answer.

    Returns:
        A table of predictions in the order of `test`.
    """
    others = majority(train, test)
    answers = parsed_answers(train.filter(pl.col("question_type") == DIFFERENCE))
    best = write_changes(_best_changes(answers))
    same = pl.when(pl.col("question_type") == DIFFERENCE).then(pl.lit(best)).otherwise(pl.col("prediction"))
    return others.with_columns(same.alias("prediction"))


def _best_changes(answers: Sequence[Changes]) -> list[Change]:
    counts = Counter(change for answer in answers for change in answer)
    by_finding: dict[str, Change] = {}
    for change in sorted(counts, key=lambda change: (-counts[change], repr(change))):
        by_finding.setdefault(change.finding, change)
    ordered = list(by_finding.values())
    right = np.cumsum([counts[change] for change in ordered])
    scores = 2 * right / (len(answers) * np.arange(1, len(ordered) + 1) + counts.total())
    return ordered[: int(np.argmax(scores)) + 1] if ordered else []


def prior(train: pl.DataFrame, test: pl.DataFrame, *, generator: np.random.Generator) -> pl.DataFrame:
    """Answer with the right template and contents drawn from the training split.

    Difference questions: how many changes of each kind is drawn from the training answers, and which findings
    (or changes of level) from how often each occurs. Other questions: an answer drawn from those to the same
    words, or from those to the type where the words are new.

    Args:
        train: questions table of the training split.
        test: questions table to answer.
        generator: the only source of randomness.

    Returns:
        A table of predictions in the order of `test`.
    """
    _require_types(train, test)
    by_text = _answers_by(train, "question")
    by_type = _answers_by(train, "question_type")
    changes = _ChangePrior.of(train.filter(pl.col("question_type") == DIFFERENCE))
    answers = []
    for kind, question in test.select("question_type", "question").iter_rows():
        if kind == DIFFERENCE:
            answers.append(changes.draw(generator))
        else:
            pool = by_text.get(question, by_type[kind])
            answers.append(pool[generator.integers(len(pool))])
    return predictions_of(test, answers)


@dataclass(frozen=True, slots=True)
class _ChangePrior:
    """How many changes of each kind training answers have (one row an answer), and all changes that occur."""

    sizes: np.ndarray  # (N, 3) added, removed, level
    contents: dict[ChangeKind, list[Change]]
    findings: dict[ChangeKind, set[str]]

    @classmethod
    def of(cls, questions: pl.DataFrame) -> "_ChangePrior":
        answers = parsed_answers(questions)
        sizes = [[sum(change.kind is kind for change in answer) for kind in _KINDS] for answer in answers]
        # Sets have no stable order; sorted, the same seed draws the same answers in every process.
        found = sorted((change for answer in answers for change in answer), key=repr)
        contents = {kind: [change for change in found if change.kind is kind] for kind in _KINDS}
        findings = {kind: {change.finding for change in changes} for kind, changes in contents.items()}
        return cls(np.array(sizes, dtype=np.int64).reshape(-1, len(_KINDS)), contents, findings)

    def draw(self, generator: np.random.Generator) -> str:
        """Return one answer. A finding is taken once, so that an answer never contradicts itself."""
        drawn: dict[str, Change] = {}
        if not len(self.sizes):
            return NOTHING
        row = self.sizes[generator.integers(len(self.sizes))]
        for kind, size in zip(_KINDS, row, strict=True):
            for _ in range(size):
                if self.findings[kind] - drawn.keys():
                    change = self._other_than(drawn, kind, generator)
                    drawn[change.finding] = change
        return write_changes(drawn.values())

    def _other_than(self, drawn: Mapping[str, Change], kind: ChangeKind, generator: np.random.Generator) -> Change:
        """Draw a change of a finding that is not among those drawn, as often as each occurs."""
        pool = self.contents[kind]
        while True:
            change = pool[generator.integers(len(pool))]
            if change.finding not in drawn:
                return change


_TYPE_ANSWER = ("question_type", "answer")


def _answers_by(train: pl.DataFrame, column: str) -> dict[str, list[str]]:
    answers: dict[str, list[str]] = defaultdict(list)
    for key, answer in train.select(column, "answer").iter_rows():
        answers[key].append(answer)
    return dict(answers)


def _require_types(train: pl.DataFrame, test: pl.DataFrame) -> None:
    absent: Sequence[str] = sorted(set(test["question_type"]) - set(train["question_type"]))
    if absent:
        raise InputError(
            f"The training split has no question of type {', '.join(absent)}, so that the blind baselines have "
            "nothing to answer with. Use more subjects (`limit`) or leave those questions out."
        )
