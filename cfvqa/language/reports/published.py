"""The published rules: reports to key information as Medical-Diff-VQA's own program reads them, defects included.

Where its description leaves room, this is what that program does:

* A cue of negation needs a blank before it, so that a sentence which follows a full stop without one has none.
* Of what is said twice in a sentence, the words before the first finding are those before its last mention, and the
  words between two findings run from the first mention of the one to the last of the other.
* What "has resolved" is in neither list: its sentence is negative as a whole, and there too the finding is dropped.
* A finding that is negated after it was asserted in an earlier sentence stays asserted, and is in both lists.
* With a phrase of several words among them, all words before a finding are looked at, not the last five.
* Phrases of places are looked for in one spelling more than the library lists (`PLACES`).
* One name of the library ends with a blank, and does so in the record.
* A report without a text, too, has a record: that of no findings.
"""

import re
from collections.abc import Iterator

from cfvqa.language.reports.records import PLACES, Entity, KeyInformation, Mention, spelled
from cfvqa.vocabulary.reports import LIBRARY, LIBRARY_LEVELS, LOCATION_WORDS, TYPE_WORDS

_SECTIONS = ("FINDINGS:", "IMPRESSION:")
_CUES = (" without", " no ", " clear of", " r/o ", " rule out", " less likely")
_PEELED = 4
_WHOLE = ("resolved", "disappeared")
_GONE = ("has resolved", "have resolved")
_PLACED = ("in the", "at the", "seen")
_OPEN = ("and", "in", "of", "with")  # what a finding is not described by when it stands right before it
_BEFORE = re.compile("(?:in|of|with) ")
_PHRASES = tuple(word for word in (*LIBRARY_LEVELS, *LOCATION_WORDS) if " " in word)
_LAST_WORDS = 5
_KIND = (
    {word: "level" for word in LIBRARY_LEVELS}
    | {word: "type" for word in TYPE_WORDS}
    | {word: "location" for word in LOCATION_WORDS}
)
_PLACE_OF = {phrase: spelled(phrase) for phrase in PLACES}


def parse_report(name: str, text: str) -> KeyInformation:
    """Return what a report says by the published rules.

    Args:
        name: of the file, without its ending; the published program reads it as part of the first sentence.
        text: of the report.
    """
    entities: dict[str, Entity] = {}
    absent: list[str] = []
    for sentence in _sentences(f"{name}\n{_section(text)}"):
        positive, negative = split_negation(sentence)
        denied, found = find_mentions(negative), find_mentions(positive)
        absent += (finding for finding in LIBRARY if finding in denied)
        for finding in LIBRARY:
            if finding in found and finding not in absent:
                mention = _spelled(found[finding])
                entities[finding] = _merge(entities[finding], mention) if finding in entities else Entity(mention)
    return KeyInformation(entities, tuple(absent))


def _section(text: str) -> str:
    """Return the text from FINDINGS: on, else from IMPRESSION: on, else all."""
    start = next((place for header in _SECTIONS if (place := text.find(header)) >= 0), 0)
    return text[start:]


def _sentences(text: str) -> Iterator[str]:
    for sentence in text.replace("\n", " ").split("."):
        lowered = sentence.lower()
        for blanks in (5, 4, 3, 2):
            lowered = lowered.replace(" " * blanks, " ")
        yield lowered


def split_negation(sentence: str) -> tuple[str, str]:
    """Return the positive and the negative part of a sentence in lower case."""
    if "no longer" in sentence or any(word in sentence and f"not {word}" not in sentence for word in _WHOLE):
        return "", sentence
    positive, negative = sentence, ""
    for _ in range(_PEELED):
        place, cue = max((positive.rfind(cue), cue) for cue in _CUES)
        if place < 0:
            break
        positive, negative = positive[:place], f"{positive[place + len(cue) :]} {negative}"
    return (f"{positive} {negative}", "") if "change in" in negative else (positive, negative)


def find_mentions(text: str) -> dict[str, Mention]:
    """Return the findings that a part of a sentence names, by official name, in the order of the text."""
    words = {}  # found synonym -> official name
    for name, synonyms in LIBRARY.items():
        for synonym in synonyms:
            if synonym in text:
                words[synonym] = name
                break
    if not words:
        return {}
    ordered = sorted(words, key=text.find)
    behind = {word: _between(text, word, follower) for word, follower in _with_next(ordered)}
    kept = [word for word in ordered if not any(gone in behind[word] for gone in _GONE)]
    before = dict(zip(kept[1:], (_between(text, one, other) for one, other in _with_next(kept)), strict=False))
    if kept:
        before[kept[0]] = text[: max(text.rfind(f" {kept[0]}"), 0)]  # without a blank before it, nothing describes it
    return {words[word]: _mention(word, before[word], behind[word]) for word in kept}


def _with_next(words: list[str]) -> Iterator[tuple[str, str | None]]:
    return zip(words, [*words[1:], None], strict=True)


def _between(text: str, word: str, follower: str | None) -> str:
    start = text.find(word) + len(word)
    return text[start:].strip() if follower is None else text[start : text.rfind(follower)].strip()


def _mention(word: str, before: str, behind: str) -> Mention:
    found: dict[str, list[str]] = {}
    for part in _parts(before.strip(), word):
        for described in _describing(part):
            kind = _KIND.get(described)
            if kind is not None and described not in found.setdefault(kind, []):
                found[kind].append(described)
    return Mention(**{kind: tuple(words) for kind, words in found.items()}, post_location=_post_location(behind))


def _parts(before: str, word: str) -> list[str]:
    """Return what stands before each mention of a word that is mentioned again and again."""
    parts = []
    while word in before:
        before, _, last = (part.strip() for part in before.rpartition(word))
        parts.append(last)
    return [before, *reversed(parts)]


def _describing(before: str) -> list[str]:
    """Return the words that may describe a finding, out of the text before it."""
    if before.split(" ")[-1] in _OPEN:
        return []
    before = _BEFORE.split(before)[-1]
    for phrase in _PHRASES:
        if phrase in before:
            return [phrase, *(word for rest in before.split(phrase) for word in rest.strip().split(" "))]
    return before.strip().split(" ")[-_LAST_WORDS:]


def _post_location(behind: str) -> str | None:
    if not any(word in behind for word in _PLACED):
        return None
    return next((phrase for phrase in _PLACE_OF if phrase in behind), None)


def _spelled(mention: Mention) -> Mention:
    location, place = mention.location, mention.post_location
    words = None if location is None else tuple(spelled(" ".join(location)).split(" "))
    return Mention(words, mention.type, mention.level, None if place is None else _PLACE_OF[place])


def _merge(said: Entity, mention: Mention) -> Entity:
    """Return an entity of which a later sentence speaks again.

    Another side is another instance, and a third replaces the second; of one side the fuller counts, else the later.
    """
    side = mention.side
    if side is not None and said.first.side not in (None, side):
        return Entity(said.first, mention)
    return said if said.known > mention.known else Entity(mention)
