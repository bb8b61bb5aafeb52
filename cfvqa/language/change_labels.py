"""Changes as numbers: what a classifier of changes learns and says, a row a finding, and back."""

from collections.abc import Iterable

import numpy as np

from cfvqa.language.grammar import Change, ChangeKind
from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

KINDS: tuple[ChangeKind | None, ...] = (None, ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.LEVEL)
"""What happened to a finding, by its number; None: nothing."""

UNKNOWN = -1
_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_ROW = {name: row for row, name in enumerate(ANSWER_FINDINGS)}
_LEVEL = {word: number for number, word in enumerate(LEVEL_WORDS)}


def label_changes(changes: Iterable[Change] | None) -> np.ndarray:
    """Return labels (A, 3) int64 of the findings in the order of `ANSWER_FINDINGS`.

    Columns are the kind of the change, a number of `KINDS`, and its levels before and after, numbers of
    `LEVEL_WORDS`. Levels of other kinds, and those of several words, are `UNKNOWN`; without an answer to a difference
    question (None) all is.
    """
    labels = np.full((len(ANSWER_FINDINGS), 3), UNKNOWN, dtype=np.int64)
    if changes is None:
        return labels
    labels[:, 0] = _NUMBER[None]
    for change in changes:
        levels = [_LEVEL.get(level or "", UNKNOWN) for level in (change.before, change.after)]
        labels[_ROW[change.finding]] = [_NUMBER[change.kind], *levels]
    return labels


def changes_of_labels(labels: np.ndarray) -> list[Change]:
    """Return the changes that labels (A, 3) name; the two levels of a change of level must be known and differ."""
    changes = []
    for row in np.flatnonzero(labels[:, 0] > 0):
        kind, before, after = KINDS[labels[row, 0]], *labels[row, 1:]
        assert kind is not None
        levels = (LEVEL_WORDS[before], LEVEL_WORDS[after]) if kind is ChangeKind.LEVEL else (None, None)
        changes.append(Change(ANSWER_FINDINGS[row], kind, *levels))
    return changes
