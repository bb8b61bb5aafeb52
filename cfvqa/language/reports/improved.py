"""Better rules: reports to key information as a reader means them, in the form of the published records.

What is possible, likely or suspected counts as there, as it does by the published rules; what is merely not excluded,
asked about, conditional or past counts as neither. A finding that is there in one place and denied in another is there.
What an addendum says of a finding replaces what the report says of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from cfvqa.language.reports.assertion import Status, borders, statuses
from cfvqa.language.reports.naming import FINDINGS, find_names, plain
from cfvqa.language.reports.records import Entity, KeyInformation, Mention
from cfvqa.language.reports.sections import Sentence, sentences, sentences_behind_headers
from cfvqa.language.reports.wording import describe, parts


@dataclass(frozen=True, slots=True)
class _Said:
    """What one sentence says of a finding."""

    finding: str
    status: Status
    mentions: tuple[Mention, ...]
    addendum: bool


def parse_report(name: str, text: str) -> KeyInformation:
    """Return what a report says.

    Args:
        name: of the file, without its ending; it says nothing.
        text: of the report.
    """
    del name
    said = _all_said(sentences(text)) or _all_said(sentences_behind_headers(text))
    corrected = {one.finding for one in said if one.addendum and one.status is not Status.OPEN}
    counted = [one for one in said if one.addendum or one.finding not in corrected]
    there = {one.finding for one in counted if one.status is Status.PRESENT}
    absent = dict.fromkeys(one.finding for one in counted if one.status is Status.ABSENT and one.finding not in there)
    return KeyInformation({name: _entity(name, counted) for name in FINDINGS if name in there}, tuple(absent))


def _all_said(read: Iterable[Sentence]) -> list[_Said]:
    return [one for sentence in read for one in _statements(sentence)]


@lru_cache(maxsize=2**16)  # reports say the same again and again
def _statements(sentence: Sentence) -> tuple[_Said, ...]:
    return tuple(_said_by(sentence))


def _said_by(sentence: Sentence) -> Iterator[_Said]:
    text = plain(sentence.text)
    names = find_names(text)
    if not names:
        return
    for part, status in zip(parts(text, names, borders(text)), statuses(text, names), strict=True):
        mentions = tuple(describe(text, part)) if status is Status.PRESENT else ()
        yield _Said(part.named.finding, status, mentions, sentence.addendum)


def _entity(finding: str, said: Iterable[_Said]) -> Entity:
    """Return the instances of a finding: one a side, the first two of them."""
    instances: list[Mention] = []
    for mention in (mention for one in said if one.finding == finding for mention in one.mentions):
        place = _instance(instances, _side(mention))
        if place is None:
            instances.append(mention)
        else:
            instances[place] = _merge(instances[place], mention)
    return Entity(*instances[:2])


def _instance(instances: list[Mention], side: str | None) -> int | None:
    """Return which instance a mention of this side belongs to: one of its side, or one where either has none."""
    sides = [_side(instance) for instance in instances]
    for known in (side, None):
        if known in sides:
            return sides.index(known)
    return 0 if side is None and sides else None


def _side(mention: Mention) -> str | None:
    return mention.side or Mention(location=tuple((mention.post_location or "").split())).side


def _merge(before: Mention, mention: Mention) -> Mention:
    """Return the fuller of two mentions of one instance, the later of two alike, with what only the other knows."""
    fuller, other = (before, mention) if before.known > mention.known else (mention, before)
    return replace(
        fuller,
        location=fuller.location or other.location,
        type=fuller.type or other.type,
        level=fuller.level or other.level,
        post_location=fuller.post_location or other.post_location,
    )
