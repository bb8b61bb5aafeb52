"""Wrong answers made by rule, each different in meaning from the truth, for the matching objective."""

import numpy as np

from cfvqa.language.grammar import Change, ChangeKind, flip_changes, parse_changes, write_changes
from cfvqa.language.questions import parse_finding_list
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, OFFICIAL_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS

TYPE_WORDS: tuple[str, ...] = (
    "interstitial", "layering", "dense", "parenchymal", "compressive", "obstructive", "linear", "plate-like",
    "patchy", "ground-glass", "calcified", "scattered", "focal", "multifocal", "multi-focal",
)  # fmt: skip
_EXCHANGED = (
    ("yes", "no"), ("pa", "ap"), ("left", "right"), ("upper", "lower"), ("bilateral", "left"),
    ("bibasilar", "right"), ("middle", "upper"), ("mid", "upper"), ("base", "apical area"),
)  # fmt: skip


def wrong_answer(question_type: str, answer: str, rng: np.random.Generator) -> str:
    """Return an answer that is wrong where `answer` is right.

    Args:
        question_type: one of `QUESTION_TYPES`.
        answer: the truth.
        rng: decides which of the possible wrong answers it is.
    """
    changes = parse_changes(answer) if question_type == "difference" else None
    if changes is not None:
        return write_changes(_wrong_changes(changes, rng))
    if exchanged := _exchanged(answer):
        return exchanged
    if findings := parse_finding_list(answer):
        return ", ".join(_wrong_findings(findings, rng))
    words = TYPE_WORDS if question_type == "type" else LEVEL_WORDS if question_type == "level" else OFFICIAL_FINDINGS
    return _other(words, {answer.lower()}, rng)


def _other(words: tuple[str, ...], taken: set[str] | frozenset[str], rng: np.random.Generator) -> str:
    return str(rng.choice([word for word in words if word not in taken]))


def _exchanged(answer: str) -> str | None:
    """Exchange the first word that has a counterpart ("left" for "right"); None if there is none."""
    words = answer.split()
    for place, word in enumerate(words):
        for first, second in _EXCHANGED:
            if word.lower() in (first, second):
                words[place] = second if word.lower() == first else first
                return " ".join(words)
    return None


def _wrong_findings(findings: frozenset[str], rng: np.random.Generator) -> list[str]:
    kept = set(findings)
    if rng.random() < 0.7 or len(kept) == 1:
        kept.remove(str(rng.choice(sorted(kept))))
        kept.add(_other(OFFICIAL_FINDINGS, findings, rng))
    else:
        kept.remove(str(rng.choice(sorted(kept))))
    return sorted(kept, key=ANSWER_FINDINGS.index)


def _wrong_changes(changes: frozenset[Change], rng: np.random.Generator) -> frozenset[Change]:
    taken = {change.finding for change in changes}
    if not changes:
        kind = (ChangeKind.ADDED, ChangeKind.REMOVED)[int(rng.integers(2))]
        return frozenset({Change(_other(OFFICIAL_FINDINGS, taken, rng), kind)})
    if rng.random() < 0.4:
        return flip_changes(changes)
    ordered = sorted(changes, key=lambda change: change.finding)
    victim = ordered[int(rng.integers(len(ordered)))]
    return (changes - {victim}) | {_wrong_change(victim, taken, rng)}


def _wrong_change(change: Change, taken: set[str], rng: np.random.Generator) -> Change:
    if change.kind is ChangeKind.LEVEL and rng.random() < 0.5:
        after = _other(LEVEL_WORDS, {str(change.after), str(change.before)}, rng)
        return Change(change.finding, ChangeKind.LEVEL, change.before, after)
    return Change(_other(OFFICIAL_FINDINGS, taken, rng), change.kind, change.before, change.after)
