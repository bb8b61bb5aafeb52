"""What is drawn alike for the records of either parser: shares of the forms, and most of the questions.

Findings are asked for by the names and in the order of the records given.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from cfvqa.language import questions as ask
from cfvqa.language.reports.records import Entity, KeyInformation, Mention

Row = tuple[str, str, str]
"""Question type, question, answer."""

Asked = tuple[str, str] | None
"""Question and answer; None where none can be asked."""

Findings = Mapping[str, Entity]
"""Name -> what is said of a finding that is there, in the order of the record."""

DrawQuestions = Callable[[KeyInformation, KeyInformation, str, np.random.Generator], Iterator[Row]]
"""Draws the questions about a pair.

Its arguments are the records of the main and of the reference study, the view of the main one (PA or AP), and what
draws. At most one question a type, in the published order, none twice; only the last needs the reference.
"""

_AP_KEPT = 0.05
"""Share of the AP images whose view is asked for."""


def rows_once(drawn: Iterable[Asked]) -> Iterator[Row]:
    """Yield what is drawn for each type in turn, but no question twice."""
    asked = set()
    for kind, pair in zip(ask.QUESTION_TYPES, drawn, strict=True):
        if pair is not None and pair[0] not in asked:
            asked.add(pair[0])
            yield kind, *pair


def half(rng: np.random.Generator) -> bool:
    """Draw true or false."""
    return bool(rng.random() < 0.5)


def shuffled(findings: Findings, rng: np.random.Generator) -> list[tuple[str, Entity]]:
    """Return findings in a drawn order."""
    items = list(findings.items())
    return [items[place] for place in rng.permutation(len(items))]


def abnormality(findings: Findings, rng: np.random.Generator) -> Asked:
    """Ask which abnormalities are seen, anywhere or at a place, or whether there are any."""
    while True:
        form = int(rng.integers(3))
        if form == 2:
            return ask.ANY_ABNORMALITY, ask.yes_no(bool(findings))
        if not findings:
            if half(rng):
                return None
        elif form == 0:
            return ask.ABNORMALITIES, ask.list_answer(findings)
        else:
            for name, entity in shuffled(findings, rng):
                if entity.first.post_location is not None:
                    return ask.abnormalities_in(entity.first.post_location), name


def presence(
    findings: Findings,
    denied: Sequence[str],
    library: Sequence[str],
    locate: Callable[[Findings, np.random.Generator], Asked],
    rng: np.random.Generator,
) -> Asked:
    """Ask for a finding: half of the time one that is there, else one that is denied, or any.

    Args:
        findings: those that are there.
        denied: those that are said not to be there, which is the answer.
        library: all that can be asked for.
        locate: asks for a finding at a place.
        rng: draws.
    """
    if not findings and not denied:
        return None
    while True:
        form = int(rng.integers(3))
        if form == 2:
            if (located := locate(findings, rng)) is not None:
                return located
            continue
        if half(rng):
            if not findings:
                continue
            name, truth = shuffled(findings, rng)[0][0], True
        else:
            name, truth = _any_name(findings, denied, library, rng)
        return (ask.presence, ask.short_presence)[form](name), ask.yes_no(truth)


def _any_name(
    findings: Findings, denied: Sequence[str], library: Sequence[str], rng: np.random.Generator
) -> tuple[str, bool]:
    """Draw a denied finding, or half of the time, where something is there, any; and tell whether it is there."""
    if denied and (not findings or half(rng)):
        return denied[int(rng.integers(len(denied)))], False
    name = library[int(rng.integers(len(library)))]
    return name, name in findings


def where_it_is(name: str, mention: Mention) -> Asked:
    """Ask whether a finding is where it is said to be."""
    if mention.location == ("bilateral",):
        return ask.is_bilateral(name), ask.yes_no(True)
    if mention.location is not None:
        return ask.presence(name, f"the {ask.area(mention.location)} area"), ask.yes_no(True)
    return None if mention.post_location is None else (ask.presence(name, mention.post_location), ask.yes_no(True))


def draw_view(view: str, rng: np.random.Generator) -> tuple[str, str]:
    """Ask for the view (PA or AP), openly or by naming one of the two."""
    if half(rng):
        return ask.VIEW, ask.view_answer(view)
    asked = "PA" if half(rng) else "AP"
    return ask.is_view(asked), ask.yes_no(asked == view)


def view_of_some(view: str, rng: np.random.Generator) -> Asked:
    """Ask for the view, of few AP images."""
    return None if view == "AP" and rng.random() > _AP_KEPT else draw_view(view, rng)


def both_sides(location: tuple[str, ...] | None) -> bool:
    """Return whether one list of location words holds left and right."""
    return {"left", "right"} <= set(location or ())


def place_of(entity: Entity) -> str | None:
    """Answer where a finding is; None where nothing is said, or both sides in one list."""
    first, second = entity.first, entity.second
    if first.location is not None:
        places = [first.location, *([second.location] if second is not None and second.location is not None else [])]
        return None if any(map(both_sides, places)) else ask.area_answer(places)
    return first.post_location if second is None else None


def side_of(entity: Entity) -> str | None:
    """Answer on which side a finding is that has one instance."""
    if entity.second is not None or both_sides(entity.first.location):
        return None
    for words in (entity.first.location or (), (entity.first.post_location or "").split()):
        for side in ("left", "right"):
            if side in words:
                return ask.side_answer(side)
    return None


def level(findings: Findings, rng: np.random.Generator) -> Asked:
    """Ask for the level of a finding that has one."""
    for name, entity in shuffled(findings, rng):
        if entity.first.level is not None:
            return ask.level(name), " ".join(entity.first.level)
    return None


def finding_type(findings: Findings, rng: np.random.Generator) -> Asked:
    """Ask for the type of a finding that has one."""
    for name, entity in shuffled(findings, rng):
        if entity.first.type is not None:
            return ask.finding_type(name), " ".join(entity.first.type)
    return None


def common_words(main: Mention, reference: Mention) -> tuple[str, ...]:
    """Return the location words that two studies share; none where they are "bilateral" alone."""
    words = tuple(word for word in dict.fromkeys(main.location or ()) if word in (reference.location or ()))
    return () if words == ("bilateral",) else words
