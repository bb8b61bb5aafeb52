"""What the words around a finding say of it: its level, type and place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cfvqa.language.grammar import any_of
from cfvqa.language.reports.naming import Named
from cfvqa.language.reports.records import PLACES, Mention, spelled
from cfvqa.vocabulary.levels import LEVEL_WORDS
from cfvqa.vocabulary.reports import LOCATION_WORDS, TYPE_WORDS

_KIND = (
    {word: "level" for word in LEVEL_WORDS}
    | {word: "type" for word in TYPE_WORDS}
    | {word: "location" for word in (*LOCATION_WORDS, "lobes", "lungs")}
)
_ATTRIBUTE = re.compile(rf"\b{any_of(_KIND)}\b")
_WORD = re.compile(r"[\w/-]+|[^\w\s]")
_STOPS = frozenset({
    "a", "an", "the", "this", "that", "these", "those", "it", "there", "in", "with", "within", "at", "on", "for",
    "from", "by", "into", "over", "is", "are", "was", "were", "be", "been", "being", "has", "have", "had", "remains",
    "remain", "may", "might", "could", "can", "would", "should", "shows", "show", "showing", "demonstrates",
    "demonstrate", "represents", "represent", "representing", "reflects", "reflect", "reflecting", "suggests",
    "suggest", "suggesting", "suggestive", "indicates", "indicate", "than", "without", "no", "not", "nor", "or", "but",
    "compared", "consistent", "compatible", "seen", "noted", "which", "due",
})  # fmt: skip
_AMOUNTS = frozenset({
    "amount", "amounts", "area", "areas", "component", "components", "degree", "element", "focus", "foci", "volume",
    "quantity", "layer",
})  # fmt: skip
_LONGEST = 10  # words before a finding
_BEGINS = frozenset({
    ",", "and", "with", "or", "as", "plus", "versus", "there", "likely", "probably", "possibly", "presumably",
    "perhaps", "suggests", "suggest", "suggesting", "represents", "represent", "representing", "reflects", "reflect",
    "reflecting", "shows", "show", "showing", "demonstrates", "demonstrate",
})  # fmt: skip
"""What may lead from one finding to the words of the next."""
_NOUNS = frozenset({"lobe", "lobes", "lung", "lungs", "base"})
_PREPOSITIONS = ("in", "at", "within", "of", "on", "over", "overlying", "along", "involving", "throughout")
_PREDICATES = frozenset({
    "is", "are", "was", "were", "has", "have", "had", "remains", "remain", "appears", "appear", "seems",
    *_PREPOSITIONS,
})  # fmt: skip
"""What leads from a finding to its own level or place."""
_SIDE_WORDS = re.compile(r"\b(?:left|right|bilateral)\b")

_PREPOSITION = f"(?:{'|'.join(_PREPOSITIONS)})"
_PLACE = re.compile(rf"\b{_PREPOSITION} (?:the )?({any_of(place.removeprefix('the ') for place in PLACES)})\b")
_SOMEWHERE = re.compile(rf"\b{_PREPOSITION} (?:the |its )?((?:[\w-]+ ){{0,1}}(?:left|right)\b(?: [\w-]+){{0,3}})")
_LEVELS = any_of(LEVEL_WORDS)
_INSIDE = re.compile(rf"\b(?:left|right|bilateral|{_LEVELS})\b")
_ADVERBS = "(?: (?:now|again|still|also|overall|currently))*"
_RANGE = f"({_LEVELS}(?: to {_LEVELS})?)"
_NO_NOUN = r"(?= ?(?:,|$)| (?:in (?:size|severity|degree|extent)|on the)\b)"  # behind a level, which would be of that
_GRADED = (
    re.compile(rf"\b(?:progressed|increased|worsened|decreased|improved) to {_RANGE}{_NO_NOUN}"),
    re.compile(rf"\b(?:is|are|remains?|appears?|now){_ADVERBS} {_RANGE}\b(?! [\w-]*ed\b)"),
    re.compile(rf"\b(?:is|are|remains?|appears?) (?:probably|likely) {_RANGE}{_NO_NOUN}"),
    re.compile(rf"^, {_RANGE}{_NO_NOUN}"),
)
"""What says the level of a finding behind it; the first that is there."""

_ANSWERED = re.compile(
    rf" ?: ?(?>({any_of(_KIND)}\b(?:,? (?:to )?{any_of(_KIND)}\b)*))(?! (?:is|are|was|were|[\w-]+ed)\b)"
)
_COLON = re.compile(" ?:")
_BOTH = re.compile(r"\bbilateral\b")
_SUBJECT = re.compile(
    rf"(?:^|[,;:] )(?:the )?((?:left|right)(?: {any_of(_KIND)})*?)(?: lung)?{_ADVERBS} "
    "(?:shows?|demonstrates?|exhibits?)(?: an?| the)? ?$"
)
_EACH_SIDE = re.compile(rf"\b({_LEVELS}|large) on the (left|right)\b")  # "large" alone is no level


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a sentence that speaks of a finding.

    Attributes:
        named: the finding.
        start: where the words before it that belong to it begin.
        end: where the words behind it end at the latest.
    """

    named: Named
    start: int
    end: int


def describe(sentence: str, part: Part) -> list[Mention]:
    """Return what a plain sentence says of a finding: one mention, or one for each of two sides."""
    inside = " ".join(_INSIDE.findall(sentence[part.named.start : part.named.end]))
    groups = _sides(_WORD.findall(sentence[part.start : part.named.start]))
    behind = sentence[part.named.end : part.end]
    answered = _ANSWERED.match(behind)  # "edema: mild"
    groups[-1] = f"{groups[-1]} {inside} {answered[1] if answered else ''}".strip()
    if len(graded := _EACH_SIDE.findall(behind)) > 1:
        said = _ATTRIBUTE.findall(" ".join(groups))
        shared = [word for word in said if _KIND[word] != "level" and not _SIDE_WORDS.fullmatch(word)]
        return [_mention(" ".join((level, side, *shared)), behind, "") for level, side in graded]
    clause = sentence[: part.named.end] + behind.partition(",")[0]
    one_side = len({*_SIDE_WORDS.findall(clause)}) == 1  # not "and so does the right lung"
    subject = _SUBJECT.search(sentence[: part.start]) if one_side else None  # "the left lung shows"
    return [_mention(group, behind, subject[1] if subject else "") for group in groups]


def _before(text: str, *, follows: bool) -> int:
    """Return where the words right before a finding that belong to it begin.

    Args:
        text: what stands before it.
        follows: whether the text begins behind another finding, of which its first words may speak.
    """
    found = list(_WORD.finditer(text))
    words = [match[0] for match in found]
    first = len(words)
    while first > max(0, len(words) - _LONGEST) and _belongs(words, first - 1, follows=follows):
        first -= 1
    return found[first].start() if first < len(words) else len(text)


def _belongs(words: list[str], place: int, *, follows: bool) -> bool:
    """Whether a word belongs to the finding that the words lead to, as those behind it do."""
    word, earlier, last = words[place], words[:place], place == len(words) - 1
    if word == "and":
        return not last and bool(earlier) and earlier[-1] in _KIND and not (follows and _predicate(earlier))
    if word == "of":
        return bool(earlier) and earlier[-1] in _AMOUNTS
    if not word[0].isalnum():
        return _only_attributes(earlier) and not (follows and earlier[0] not in _BEGINS)
    return word not in _STOPS and not (follows and word in _BEGINS)


def _predicate(words: list[str]) -> bool:
    """Whether words behind a finding end with what they say of it ("is mild", "in the right lower lobe")."""
    begun = next((place for place in reversed(range(len(words))) if words[place] in _BEGINS), None)
    if begun and words[begun] == "and" and words[-1] in _NOUNS:  # a second place
        return _predicate(words[:begun])
    return begun is None or (words[begun] != "there" and not _PREDICATES.isdisjoint(words[begun:]))


def _only_attributes(words: list[str]) -> bool:
    """Whether what stands before a comma belongs to what stands behind it ("small, left effusion")."""
    return bool(words) and all(word in _KIND or word == "," for word in words)


def _sides(words: list[str]) -> list[str]:
    """Return the words as one group, or as two where "and" joins two sides ("small left and moderate right")."""
    text = " ".join(words)
    first, joined, second = text.rpartition(" and ")
    sides = [set(_SIDE_WORDS.findall(part)) for part in (first, second)]
    return [first, second] if joined and all(sides) and sides[0] != sides[1] else [text]


def _mention(described: str, behind: str, subject: str) -> Mention:
    found: dict[str, list[str]] = {"location": [], "type": [], "level": []}
    for word in _ATTRIBUTE.findall(described):
        if word not in found[_KIND[word]]:
            found[_KIND[word]].append(word)
    place = _PLACE.search(behind)
    location = [] if found["location"] == ["lung"] else found["location"]  # "lung opacity" does not say where
    if not location and place is None:
        location = _elsewhere(behind) or _locations(subject)
    if not found["level"] and (graded := next(filter(None, (words.search(behind) for words in _GRADED)), None)):
        found["level"] = _ATTRIBUTE.findall(graded[1])
    return Mention(
        location=tuple(spelled(" ".join(location)).split()) or None,
        type=tuple(found["type"]) or None,
        level=tuple(found["level"]) or None,
        post_location=spelled(f"the {place[1]}") if place else None,
    )


def _elsewhere(behind: str) -> list[str]:
    """Return the words of a side that stands behind a finding ("on the left", "of the right sixth rib")."""
    if somewhere := _SOMEWHERE.search(behind):
        return _locations(somewhere[1])
    return ["bilateral"] if _BOTH.search(behind) else []


def _locations(text: str) -> list[str]:
    return [word for word in _ATTRIBUTE.findall(text) if _KIND[word] == "location"]


def parts(sentence: str, names: list[Named], borders: list[int]) -> Iterator[Part]:
    """Yield the part of a sentence that speaks of each finding: between the words of its neighbours and the borders."""
    starts = [_start(sentence, place, names, borders) for place in range(len(names))]
    for named, start, following in zip(names, starts, [*starts[1:], len(sentence)], strict=True):
        asked = _COLON.match(sentence, named.end)  # what answers it stands behind
        earliest = asked.end() + 1 if asked else named.end
        yield Part(named, start, min([following, *(border for border in borders if border >= earliest)]))


def _start(sentence: str, place: int, names: list[Named], borders: list[int]) -> int:
    """Return where the words about a finding begin."""
    named, neighbour = names[place], names[place - 1].end if place else 0
    earliest = max([neighbour, *(border for border in borders if border <= named.start)])
    return earliest + _before(sentence[earliest : named.start], follows=bool(place) and earliest == neighbour)
