"""The published rules: questions about a pair of studies as Medical-Diff-VQA's program draws them, defects included.

Where its description leaves room, this is what that program does:

* Findings have the names of the record and of the library, of which one ends with a blank.
* A finding that the record both asserts and denies is denied where it is drawn as a denied one.
* A question for a place or a side gets its name before its answer is found: that of the first finding tried, which may
  have no place, or no side, or both sides in its second instance. The answer is then that of another. "bilateral"
  alone is asked for by its own name.
* A wrong place shares no keyword with that of the first instance; a second may be there. Where a finding has a place,
  no area is denied.
* A wrong area is made of the joined words: "left right" becomes "right right". "mid to lower" becomes "upper to mid";
  but records spell it "middle to lower", and that becomes "middle to upper".

The program draws from two generators without a seed, and takes the words of a common area in the order of a set, which
changes from run to run; here one generator draws all, that order too.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from cfvqa.language import drawing as draw
from cfvqa.language import questions as ask
from cfvqa.language.drawing import Asked, Findings, Row
from cfvqa.language.elsewhere import MIRRORED
from cfvqa.language.grammar import NOTHING, ChangeKind, level_sentence, list_sentence
from cfvqa.language.reports.records import PLACES, Entity, KeyInformation, Mention
from cfvqa.vocabulary.reports import LIBRARY

_NAMES = tuple(LIBRARY)
_HEIGHTS = ("upper", "lower")
_BANDS = {"mid to lower": "upper to mid", "upper to mid": "mid to lower"}
_OTHER_HEIGHTS = dict(zip(_HEIGHTS, reversed(_HEIGHTS), strict=True))

_Item = tuple[str, Entity]


def question_rows(
    main: KeyInformation, reference: KeyInformation, view: str, rng: np.random.Generator
) -> Iterator[Row]:
    """Yield the questions about a pair (`DrawQuestions`)."""
    findings = main.entities
    return draw.rows_once(
        (
            draw.abnormality(findings, rng),
            draw.presence(findings, main.absent, _NAMES, _located_presence, rng),
            draw.view_of_some(view, rng),
            _location(findings, rng),
            draw.level(findings, rng),
            draw.finding_type(findings, rng),
            _difference(findings, reference.entities, rng),
        )
    )


def _located_presence(findings: Findings, rng: np.random.Generator) -> Asked:
    items = draw.shuffled(findings, rng)
    return _where_one_is(items) if draw.half(rng) else _where_one_is_not(items, rng)


def _where_one_is(items: Sequence[_Item]) -> Asked:
    for name, entity in items:
        named = name if entity.first.location == ("bilateral",) else items[0][0]
        if (asked := draw.where_it_is(named, entity.first)) is not None:
            return asked
    return None


def _where_one_is_not(items: Sequence[_Item], rng: np.random.Generator) -> Asked:
    for name, entity in items:
        if entity.first.post_location is not None:
            return ask.presence(name, _wrong_place(entity.first.post_location, rng)), ask.yes_no(False)
    for name, entity in items:
        if (area := _wrong_area(" ".join(entity.first.location or ()), rng)) is not None:
            return ask.presence(name, f"the {area} area"), ask.yes_no(False)
    return None


def _wrong_place(place: str, rng: np.random.Generator) -> str:
    """Draw a place that holds no keyword of another."""
    others = [other for other in PLACES if not any(word in other for word in PLACES[place])]
    return others[int(rng.integers(len(others)))]


def _wrong_area(area: str, rng: np.random.Generator) -> str | None:
    """Return another area: on the other side, else at another height; None where the words name neither."""
    for side, other in MIRRORED.items():
        if side in area:
            return area.replace(side, other)
    for band, other in _BANDS.items():
        if band in area:
            return other
    for height, other in _OTHER_HEIGHTS.items():
        if height in area:
            return area.replace(height, other)
    return area.replace("middle", _height(rng)).replace("mid", _height(rng)) if "mid" in area else None


def _height(rng: np.random.Generator) -> str:
    return _HEIGHTS[int(rng.integers(len(_HEIGHTS)))]


def _location(findings: Findings, rng: np.random.Generator) -> Asked:
    form = ask.LOCATIONS[int(rng.integers(len(ask.LOCATIONS)))]
    is_tried, answer_of = (_may_have_side, draw.side_of) if form is ask.side else (_may_have_place, draw.place_of)
    tried = [(name, answer_of(entity)) for name, entity in draw.shuffled(findings, rng) if is_tried(entity)]
    return next(((form(tried[0][0]), answer) for _, answer in tried if answer is not None), None)


def _may_have_place(entity: Entity) -> bool:
    if entity.first.location is not None:
        return not draw.both_sides(entity.first.location)
    return entity.first.post_location is not None and entity.second is None


def _may_have_side(entity: Entity) -> bool:
    first = entity.first
    said = first.location is not None or first.post_location is not None
    return said and entity.second is None and not draw.both_sides(first.location)


def _difference(main: Findings, reference: Findings, rng: np.random.Generator) -> Asked:
    """Ask what has changed: all of it, or the level of one finding alone where both studies name an area of it."""
    items = draw.shuffled(main, rng)
    sentences = []
    for name, entity in items:
        if name in reference and (sentence := _level_sentence(name, reference[name].first, entity.first)):
            if words := draw.common_words(entity.first, reference[name].first):
                return ask.difference_in(ask.area(_reordered(words, rng))), sentence
            sentences.append(sentence)
    added, removed = [name for name, _ in items if name not in reference], [n for n in reference if n not in main]
    for kind, names in ((ChangeKind.ADDED, added), (ChangeKind.REMOVED, removed)):
        sentences += [f"{list_sentence(kind, names)} "] if names else []
    return ask.WHAT_CHANGED, "".join(sentences) or NOTHING


def _reordered(words: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(words[place] for place in rng.permutation(len(words)))


def _level_sentence(name: str, before: Mention, after: Mention) -> str:
    """Return what is said of a changed level; nothing where it has not changed, or one is not known."""
    if before.level is None or after.level is None or before.level == after.level:
        return ""
    return f"{level_sentence(name, ' '.join(before.level), ' '.join(after.level))} "
