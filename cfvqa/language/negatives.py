"""Wrong answers made by rule, each different in meaning from the truth, for the matching objective.

What a rule puts in is drawn as often as true answers say it: else the words of an answer alone would tell. A closed
answer has one that is wrong, its opposite: how often truths say "yes" is all that a closed answer alone tells.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from cfvqa.language.elsewhere import apart, heights_of, sides_of
from cfvqa.language.grammar import Change, ChangeKind, flip_changes, parse_changes, write_changes
from cfvqa.language.questions import DIFFERENCE, parse_finding_list
from cfvqa.vocabulary.findings import ANSWER_FINDINGS, NODE_OF_ANSWER, OFFICIAL_FINDINGS
from cfvqa.vocabulary.levels import LEVEL_WORDS, SEVERITY
from cfvqa.vocabulary.reports import TYPE_WORDS

_CLOSED = {"yes": "no", "no": "yes", "pa view": "AP view", "ap view": "PA view"}
_PLACES: tuple[str, ...] = (
    "left side", "right side", "left area", "right area", "bilateral area", "retrocardiac area",
    *(f"{side} {height} lung area" for side in ("left", "right") for height in ("upper", "middle", "lower")),
)  # fmt: skip
PLACE_WORDS: tuple[str, ...] = (
    "left", "right", "bilateral", "bibasilar", "upper", "lower", "middle", "mid", "apical", "basilar", "basal", "lung",
    "retrocardiac",
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What true answers say, and how often.

    Attributes:
        findings: names in lists of findings and in changes.
        levels: of findings and of their changes.
        types: words of types.
        places: whole answers to where a finding is.
        unchanged: share of the answers to difference questions that say that nothing has changed.
    """

    findings: Mapping[str, int] = field(default_factory=dict)
    levels: Mapping[str, int] = field(default_factory=dict)
    types: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    unchanged: float = 0.0

    @classmethod
    def of(cls, answers: Iterable[tuple[str, str, int]]) -> "Said":
        """Count what answers say.

        Args:
            answers: question type, answer, and how often it is given.
        """
        findings: Counter[str] = Counter()
        levels: Counter[str] = Counter()
        types: Counter[str] = Counter()
        places: Counter[str] = Counter()
        changed: Counter[bool] = Counter()
        for kind, answer, count in answers:
            if kind == DIFFERENCE:
                changes = parse_changes(answer)
                changed[changes != frozenset()] += count
                for change in changes or ():
                    findings[change.finding] += count
                    levels.update({level: count for level in (change.before, change.after) if level is not None})
            elif kind == "abnormality":
                findings.update(dict.fromkeys(parse_finding_list(answer) or (), count))
            elif kind == "level":
                levels[answer.lower()] += count
            elif kind == "location" and answer.lower() not in _CLOSED:
                places[answer.lower()] += count
            elif kind == "type":
                types.update({word: count for word in TYPE_WORDS if word in answer.lower().split()})
        return cls(findings, levels, types, places, changed[False] / max(1, changed.total()))


def wrong_answer(question_type: str, answer: str, rng: np.random.Generator, said: Said | None = None) -> str:
    """Return an answer that is wrong where `answer` is right.

    Args:
        question_type: one of `QUESTION_TYPES`.
        answer: the truth.
        rng: decides which of the possible wrong answers it is.
        said: how often true answers say what a wrong one may say; what none says is drawn where nothing else is left.
    """
    said = said or Said()
    if question_type == DIFFERENCE:
        # A truth outside the grammar says something else than any answer inside it.
        return write_changes(_wrong_changes(parse_changes(answer) or frozenset(), rng, said))
    if closed := _CLOSED.get(answer.lower()):
        return closed
    if findings := parse_finding_list(answer):
        return ", ".join(_wrong_findings(findings, rng, said))
    if question_type == "location":
        return _wrong_place(answer, rng, said)
    if question_type == "level":
        return _wrong_level(answer, rng, said)
    return _wrong_type(answer, rng, said) if question_type == "type" else _other_finding((), rng, said)


def _pick(options: Iterable[str], rng: np.random.Generator, counts: Mapping[str, int] | None = None) -> str:
    """Draw an option, as often as it is counted; all alike where none is."""
    names = list(options)
    weight = np.array([(counts or {}).get(name, 0) for name in names], dtype=float)
    return str(rng.choice(names, p=weight / weight.sum() if weight.any() else None))


def _other_finding(taken: Iterable[str], rng: np.random.Generator, said: Said) -> str:
    """Draw an official name that is not taken and does not mean the same as one that is."""
    names = set(taken)
    nodes = {NODE_OF_ANSWER[name] for name in names if name in NODE_OF_ANSWER}
    free = [name for name in OFFICIAL_FINDINGS if name not in names]
    return _pick([name for name in free if NODE_OF_ANSWER.get(name) not in nodes] or free, rng, said.findings)


def _wrong_findings(findings: frozenset[str], rng: np.random.Generator, said: Said) -> list[str]:
    """Exchange one finding (most often), add one, or leave one out."""
    kept = set(findings)
    draw = rng.random()
    if draw < 0.8 or len(kept) == 1:
        kept.add(_other_finding(findings, rng, said))
    if draw < 0.6 or (draw >= 0.8 and len(findings) > 1):
        kept.remove(_pick(sorted(findings), rng))
    return sorted(kept, key=ANSWER_FINDINGS.index)


def _wrong_changes(changes: frozenset[Change], rng: np.random.Generator, said: Said) -> frozenset[Change]:
    """Invent a change where there is none; else say that there is none, reverse all, or alter one."""
    taken = {change.finding for change in changes}
    if not changes:
        kind = (ChangeKind.ADDED, ChangeKind.REMOVED)[int(rng.integers(2))]
        return frozenset({Change(_other_finding(taken, rng, said), kind)})
    if rng.random() < said.unchanged:
        return frozenset()
    if rng.random() < 0.4:
        return flip_changes(changes)
    ordered = sorted(changes, key=lambda change: change.finding)
    victim = ordered[int(rng.integers(len(ordered)))]
    return (changes - {victim}) | {_wrong_change(victim, taken, rng, said)}


def _wrong_change(change: Change, taken: set[str], rng: np.random.Generator, said: Said) -> Change:
    if change.before is not None and change.after is not None and rng.random() < 0.5:
        after = _wrong_level(change.after, rng, said, besides=change.before)
        return Change(change.finding, ChangeKind.LEVEL, change.before, after)
    return Change(_other_finding(taken, rng, said), change.kind, change.before, change.after)


def _wrong_level(answer: str, rng: np.random.Generator, said: Said, besides: str = "") -> str:
    """Draw a level word of another severity than every one in the answer, and in `besides`."""
    spoken = f"{answer} {besides}".lower()
    severities = {SEVERITY[word] for word in (*spoken.split(), answer.lower(), besides.lower()) if word in SEVERITY}
    free = [word for word in LEVEL_WORDS if word not in spoken]
    return _pick([word for word in free if SEVERITY.get(word) not in severities] or free, rng, said.levels)


def _wrong_type(answer: str, rng: np.random.Generator, said: Said) -> str:
    spoken = answer.lower().replace("multi-", "multi")
    return _pick([word for word in TYPE_WORDS if word.replace("multi-", "multi") not in spoken], rng, said.types)


def _wrong_place(answer: str, rng: np.random.Generator, said: Said) -> str:
    """Draw a place on other sides or at another height; for one that has neither, any place of other words."""
    truth = answer.lower()
    known = dict.fromkeys([*_PLACES, *said.places])
    free = [place for place in known if place != truth and _names_side(place) == _names_side(truth)]
    return _pick([place for place in free if _contradict(place, truth)] or free, rng, said.places)


def _names_side(place: str) -> bool:
    """Return whether it answers a question for the side, which no area does."""
    return place.endswith(" side")


def _contradict(place: str, other: str) -> bool:
    """Return whether two places cannot both be right: one that holds the other says less, and nothing wrong."""
    (sides, heights), (other_sides, other_heights) = _whereabouts(place), _whereabouts(other)
    across = bool(sides and other_sides) and sides != other_sides
    return across or apart(heights, other_heights)


@cache
def _whereabouts(place: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the sides and heights of a place. Behind the heart is low on the left, if nothing else is said."""
    sides = sides_of(place) or sides_of(place.replace("retrocardiac", "left"))
    return frozenset(sides), frozenset(heights_of(place.replace("retrocardiac", "lower")))
