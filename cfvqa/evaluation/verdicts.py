"""Single answers, judged for a person to look at, and a fair choice of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cfvqa.evaluation.text_scores import exact_matches
from cfvqa.language.grammar import Change, ChangeKind, parse_changes
from cfvqa.language.questions import DIFFERENCE


class Verdict(StrEnum):
    """What an answer is worth as a whole."""

    RIGHT = "right"
    PARTLY = "partly right"
    WRONG = "wrong"


class Outcome(StrEnum):
    """What became of one change."""

    HIT = "hit"
    MISSED = "missed"
    INVENTED = "invented"


@dataclass(frozen=True, slots=True)
class JudgedChange:
    """One change of truth or answer, in words."""

    outcome: Outcome
    words: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an answer is worth.

    Attributes:
        verdict: right where every change is (or the words are, of a question about one image); partly right
            where some are.
        changes: hits, then missed, then invented ones; empty for questions about one image.
        readable: whether the answer to a difference question follows the grammar of changes.
    """

    verdict: Verdict
    changes: tuple[JudgedChange, ...] = ()
    readable: bool = True


def judge(question_type: str, truth: str, answer: str) -> Judgement:
    """Judge one answer, by the rules of the figures: changes where the truth reads as such, exact match elsewhere."""
    true = parse_changes(truth) if question_type == DIFFERENCE else None
    if true is None:
        same = bool(exact_matches([truth], [answer])[0])
        return Judgement(Verdict.RIGHT if same else Verdict.WRONG)
    parsed = parse_changes(answer)
    given = parsed or frozenset()
    groups = ((Outcome.HIT, true & given), (Outcome.MISSED, true - given), (Outcome.INVENTED, given - true))
    changes = (JudgedChange(outcome, words) for outcome, group in groups for words in sorted(map(in_words, group)))
    verdict = Verdict.PARTLY if true & given else Verdict.WRONG
    return Judgement(Verdict.RIGHT if parsed == true else verdict, tuple(changes), parsed is not None)


def in_words(change: Change) -> str:
    """Write a change in few words."""
    if change.kind is ChangeKind.LEVEL:
        return f"{change.finding}: {change.before} → {change.after}"
    return f"{change.finding} {change.kind.value}"


def choose(kinds: Sequence[str], right: Sequence[bool], *, count: int, seed: int) -> list[int]:
    """Choose answers to show: two in three to difference questions, half of each kind right.

    Where there are too few of one sort, others take their place.

    Args:
        kinds: question type of each answer.
        right: whether each answer is right.
        count: how many to choose.
        seed: another number, another choice.

    Returns:
        Rows; difference questions first, in the order in which they were drawn.
    """
    order = np.random.default_rng(seed).permutation(len(kinds)).tolist()
    difference = [row for row in order if kinds[row] == DIFFERENCE]
    single = [row for row in order if kinds[row] != DIFFERENCE]
    pairs = _part(count - count // 3, len(difference), len(single), count)
    return _half_right(difference, right, pairs) + _half_right(single, right, min(count - pairs, len(single)))


def _half_right(order: list[int], right: Sequence[bool], count: int) -> list[int]:
    good = [row for row in order if right[row]]
    bad = [row for row in order if not right[row]]
    first = _part(count // 2, len(good), len(bad), count)
    taken = {*good[:first], *bad[: count - first]}
    return [row for row in order if row in taken]


def _part(wanted: int, available: int, others: int, count: int) -> int:
    """Return how many of one sort to take so that `count` come together with those of the other sort."""
    return min(available, max(wanted, count - others))
