"""Answers to difference questions: sets of changes written as, and parsed from, the published sentences.

The grammar is that of Medical-Diff-VQA: level sentences, then additional findings, then missing findings.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cfvqa.vocabulary.findings import ANSWER_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

NOTHING = "nothing has changed."

# The release was made with an older list of names in which "infection" stood beside "pneumonia"; its generator
# counts the two as one.
SYNONYMS: dict[str, str] = {"infection": "pneumonia"}

_ORDER = {name: place for place, name in enumerate(ANSWER_FINDINGS)}


class ChangeKind(StrEnum):
    """What happened to a finding between the reference and the main image."""

    LEVEL = "level"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one finding.

    Attributes:
        finding: a name of `ANSWER_FINDINGS`.
        kind: what happened.
        before, after: level words in the reference and the main image; only a level change has them.
    """

    finding: str
    kind: ChangeKind
    before: str | None = None
    after: str | None = None

    def __post_init__(self) -> None:
        if self.finding not in _ORDER:
            raise ValueError(f"no answer names this finding: {self}")
        levels = [level for level in (self.before, self.after) if level is not None]
        if len(levels) != (2 if self.kind is ChangeKind.LEVEL else 0):
            raise ValueError(f"a level change has two levels, another change none: {self}")
        if len(set(levels)) != len(levels):
            raise ValueError(f"a level change has two different levels: {self}")


LEVEL_BEGINNING, LEVEL_MIDDLE = "the level of", " has changed from"
BEGINNINGS: dict[ChangeKind, tuple[str, str]] = {
    ChangeKind.ADDED: ("the main image has an additional finding of", "the main image has additional findings of"),
    ChangeKind.REMOVED: ("the main image is missing the finding of", "the main image is missing the findings of"),
}
"""How a sentence begins that names one finding, or several."""

CLOSE = " than the reference image."
"""How such a sentence ends."""


def changes_between(main: Mapping[str, str | None], reference: Mapping[str, str | None]) -> list[Change]:
    """Return what changed from the reference image to the main image, in the order of the findings given.

    Args:
        main: finding -> its level word, None where no level is known.
        reference: the same of the reference image.
    """
    changes = [
        Change(finding, ChangeKind.LEVEL, reference[finding], level)
        for finding, level in main.items()
        if level is not None and reference.get(finding) not in (None, level)
    ]
    changes += [Change(finding, ChangeKind.ADDED) for finding in main if finding not in reference]
    return changes + [Change(finding, ChangeKind.REMOVED) for finding in reference if finding not in main]


def write_changes(changes: Iterable[Change]) -> str:
    """Write changes as an answer, findings in canonical order; no change is "nothing has changed."."""
    ordered = sorted(changes, key=lambda change: _ORDER[change.finding])
    sentences = [level_sentence(c.finding, c.before, c.after) for c in ordered if c.kind is ChangeKind.LEVEL]
    for kind in BEGINNINGS:
        if names := [c.finding for c in ordered if c.kind is kind]:
            sentences.append(list_sentence(kind, names))
    return " ".join(sentences) or NOTHING


def level_sentence(finding: str, before: str | None, after: str | None) -> str:
    """Say that the level of a finding has changed."""
    return f"{LEVEL_BEGINNING} {finding}{LEVEL_MIDDLE} {before} to {after}."


def list_sentence(kind: ChangeKind, findings: Sequence[str]) -> str:
    """Say that findings, one at least, were added or removed."""
    one, several = BEGINNINGS[kind]
    if len(findings) == 1:
        return f"{one} {findings[0]}{CLOSE}"
    return f"{several} {', '.join(findings[:-1])}, and {findings[-1]}{CLOSE}"


def official_name(name: str) -> str:
    """Return the name of a finding in `ANSWER_FINDINGS` for a synonym of the release; other names stay.

    A name of the published library ends with a blank, which goes.
    """
    return SYNONYMS.get(name.strip(), name.strip())


def any_of(words: Iterable[str]) -> str:
    """Return a pattern of one of the words; of two that begin alike the longer is tried first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


_FINDING = any_of((*ANSWER_FINDINGS, *SYNONYMS))
_LEVEL = f"{any_of(LEVEL_WORDS)}(?: {any_of(LEVEL_WORDS)})*"
_LIST = f"{_FINDING}(?:, {_FINDING})*(?:,? and {_FINDING})?"
_LEVEL_SENTENCE = re.compile(f"the level of ({_FINDING}) has changed from ({_LEVEL}) to ({_LEVEL})")
_ADDED_SENTENCE = re.compile(
    f"the main image has (?:an )?additional findings? of (?:the )?({_LIST}) than the reference image"
)
_REMOVED_SENTENCE = re.compile(f"the main image is missing the findings? of ({_LIST}) than the reference image")


def parse_changes(text: str) -> frozenset[Change] | None:
    """Parse an answer into its changes.

    Case, blanks around punctuation and a missing last period do not matter. "from mild to moderate to severe"
    has two readings in the published grammar; the one with the longer first level is taken.

    Returns:
        The changes (empty for "nothing has changed."), or None when a part does not fit the grammar, names an
        unknown finding or level, or contradicts another part.
    """
    plain = re.sub(r"\s*,\s*", ", ", " ".join(text.lower().split())).replace(" .", ".").rstrip(". ")
    if plain == NOTHING.rstrip("."):
        return frozenset()
    changes: set[Change] = set()
    for sentence in re.split(r"\.\s*", plain):
        parsed = _parse_sentence(sentence)
        if parsed is None:
            return None
        changes.update(parsed)
    if len({change.finding for change in changes}) != len(changes):
        return None
    return frozenset(changes)


def _parse_sentence(sentence: str) -> list[Change] | None:
    if match := _LEVEL_SENTENCE.fullmatch(sentence):
        same = match[2] == match[3]
        return None if same else [Change(official_name(match[1]), ChangeKind.LEVEL, match[2], match[3])]
    for pattern, kind in ((_ADDED_SENTENCE, ChangeKind.ADDED), (_REMOVED_SENTENCE, ChangeKind.REMOVED)):
        if match := pattern.fullmatch(sentence):
            return [Change(official_name(name), kind) for name in re.findall(_FINDING, match[1])]
    return None


_FLIPPED = {
    ChangeKind.ADDED: ChangeKind.REMOVED,
    ChangeKind.REMOVED: ChangeKind.ADDED,
    ChangeKind.LEVEL: ChangeKind.LEVEL,
}


def flip_changes(changes: Iterable[Change]) -> frozenset[Change]:
    """Return the changes as they read when main and reference image are exchanged."""
    return frozenset(Change(c.finding, _FLIPPED[c.kind], before=c.after, after=c.before) for c in changes)


def flip_answer(text: str) -> str | None:
    """Return the answer that belongs to the exchanged images, or None if `text` does not parse."""
    changes = parse_changes(text)
    return None if changes is None else write_changes(flip_changes(changes))
