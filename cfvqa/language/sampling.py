"""Questions about a pair of studies from their key information, drawn as Medical-Diff-VQA draws them.

The program that drew the published ones asks of some located findings under the name of another, and writes spaces
behind sentences; neither is repeated. It also denies a finding where its second instance, or part of its first, may be;
here only where no instance is (see `elsewhere`). Words of an area that two studies share stand in the order of the main
study.
"""

from collections.abc import Iterator

import numpy as np

from cfvqa.language import questions as ask
from cfvqa.language.elsewhere import wrong_areas, wrong_places
from cfvqa.language.grammar import Change, ChangeKind, changes_between, official_name, parse_changes, write_changes
from cfvqa.language.reports.records import Entity, KeyInformation, Mention
from cfvqa.vocabulary.findings import OFFICIAL_FINDINGS

Row = tuple[str, str, str]
"""Question type, question, answer."""

Asked = tuple[str, str] | None
"""Question and answer; None where none can be asked."""

_AP_KEPT = 0.05
"""Share of the AP images whose view is asked for."""


def question_rows(
    main: KeyInformation, reference: KeyInformation, view: str, rng: np.random.Generator
) -> Iterator[Row]:
    """Yield at most one question a type, in the published order, none twice; only the last needs the reference.

    Args:
        main: of the study that is asked about.
        reference: of the earlier study.
        view: of the main study, PA or AP.
        rng: draws everything.
    """
    findings, before = _official(main), _official(reference)
    drawn = (
        _abnormality(findings, rng),
        _presence(findings, tuple(official_name(name) for name in main.absent), rng),
        None if view == "AP" and rng.random() > _AP_KEPT else draw_view(view, rng),
        _location(findings, rng),
        _level(findings, rng),
        _type(findings, rng),
        _difference(findings, before, rng),
    )
    asked = set()
    for kind, pair in zip(ask.QUESTION_TYPES, drawn, strict=True):
        if pair is not None and pair[0] not in asked:
            asked.add(pair[0])
            yield kind, *pair


Findings = dict[str, Entity]
"""Official name -> what is said of a finding that is there, in the order of the record."""


def _official(record: KeyInformation) -> Findings:
    return {official_name(name): entity for name, entity in record.entities.items()}


def _shuffled(findings: Findings, rng: np.random.Generator) -> list[tuple[str, Entity]]:
    items = list(findings.items())
    return [items[place] for place in rng.permutation(len(items))]


def _half(rng: np.random.Generator) -> bool:
    return bool(rng.random() < 0.5)


def _abnormality(findings: Findings, rng: np.random.Generator) -> Asked:
    while True:
        form = int(rng.integers(3))
        if form == 2:
            return ask.ANY_ABNORMALITY, ask.yes_no(bool(findings))
        if not findings:
            if _half(rng):
                return None
        elif form == 0:
            return ask.ABNORMALITIES, ask.list_answer(findings)
        else:
            for name, entity in _shuffled(findings, rng):
                if entity.first.post_location is not None:
                    return ask.abnormalities_in(entity.first.post_location), name


def _presence(findings: Findings, absent: tuple[str, ...], rng: np.random.Generator) -> Asked:
    """Ask for a finding: half of the time one that is there, else one that is denied, or any of the library."""
    if not findings and not absent:
        return None
    while True:
        form = int(rng.integers(3))
        if form == 2:
            if (located := _located_presence(findings, rng)) is not None:
                return located
            continue
        if _half(rng):
            if not findings:
                continue
            name, truth = _shuffled(findings, rng)[0][0], True
        else:
            name = _any_name(findings, absent, rng)
            truth = name in findings
        return (ask.presence, ask.short_presence)[form](name), ask.yes_no(truth)


def _any_name(findings: Findings, absent: tuple[str, ...], rng: np.random.Generator) -> str:
    """Draw a denied finding, or half of the time, where something is there, any of the library."""
    if absent and (not findings or _half(rng)):
        return absent[int(rng.integers(len(absent)))]
    return OFFICIAL_FINDINGS[int(rng.integers(len(OFFICIAL_FINDINGS)))]


def _located_presence(findings: Findings, rng: np.random.Generator) -> Asked:
    items = _shuffled(findings, rng)
    if _half(rng):
        return next((asked for name, entity in items if (asked := _where_it_is(name, entity.first)) is not None), None)
    for find_areas in (wrong_places, wrong_areas):
        for name, entity in items:
            if areas := find_areas(entity):
                return ask.presence(name, areas[int(rng.integers(len(areas)))]), ask.yes_no(False)
    return None


def _where_it_is(name: str, mention: Mention) -> Asked:
    if mention.location == ("bilateral",):
        return ask.is_bilateral(name), ask.yes_no(True)
    if mention.location is not None:
        return ask.presence(name, f"the {ask.area(mention.location)} area"), ask.yes_no(True)
    return None if mention.post_location is None else (ask.presence(name, mention.post_location), ask.yes_no(True))


def draw_view(view: str, rng: np.random.Generator) -> tuple[str, str]:
    """Ask for the view (PA or AP), openly or by naming one of the two."""
    if _half(rng):
        return ask.VIEW, ask.view_answer(view)
    asked = "PA" if _half(rng) else "AP"
    return ask.is_view(asked), ask.yes_no(asked == view)


def _location(findings: Findings, rng: np.random.Generator) -> Asked:
    form = int(rng.integers(3))
    for name, entity in _shuffled(findings, rng):
        answer = _side_of(entity) if form == 2 else _place_of(entity)
        if answer is not None:
            return (ask.location, ask.short_location, ask.side)[form](name), answer
    return None


def _both_sides(location: tuple[str, ...] | None) -> bool:
    return {"left", "right"} <= set(location or ())


def _place_of(entity: Entity) -> str | None:
    """Answer where a finding is; None where nothing is said, or both sides in one list."""
    first, second = entity.first, entity.second
    if first.location is not None:
        places = [first.location, *([second.location] if second is not None and second.location is not None else [])]
        return None if any(map(_both_sides, places)) else ask.area_answer(places)
    return first.post_location if second is None else None


def _side_of(entity: Entity) -> str | None:
    """Answer on which side a finding is that has one instance."""
    if entity.second is not None or _both_sides(entity.first.location):
        return None
    for words in (entity.first.location or (), (entity.first.post_location or "").split()):
        for side in ("left", "right"):
            if side in words:
                return ask.side_answer(side)
    return None


def _level(findings: Findings, rng: np.random.Generator) -> Asked:
    for name, entity in _shuffled(findings, rng):
        if entity.first.level is not None:
            return ask.level(name), " ".join(entity.first.level)
    return None


def _type(findings: Findings, rng: np.random.Generator) -> Asked:
    for name, entity in _shuffled(findings, rng):
        if entity.first.type is not None:
            return ask.finding_type(name), " ".join(entity.first.type)
    return None


def _difference(main: Findings, reference: Findings, rng: np.random.Generator) -> Asked:
    """Ask what has changed: in an area that both studies name, where the level of a finding there has changed.

    None where the answer has two readings ("from mild to moderate to severe").
    """
    changes = changes_between(_levels(main), _levels(reference))
    question, told = ask.WHAT_CHANGED, changes
    regraded = {change.finding: change for change in changes if change.kind is ChangeKind.LEVEL}
    for name, entity in _shuffled(main, rng):
        if name in regraded and (words := _common(entity.first, reference[name].first)):
            question, told = ask.difference_in(ask.area(words)), [regraded[name]]
            break
    return _unless_ambiguous(question, told)


def _levels(findings: Findings) -> dict[str, str | None]:
    return {name: " ".join(entity.first.level) if entity.first.level else None for name, entity in findings.items()}


def _common(main: Mention, reference: Mention) -> tuple[str, ...]:
    """Return the location words that two studies share; none where they are "bilateral" alone."""
    words = tuple(word for word in dict.fromkeys(main.location or ()) if word in (reference.location or ()))
    return () if words == ("bilateral",) else words


def _unless_ambiguous(question: str, changes: list[Change]) -> Asked:
    answer = write_changes(changes)
    return (question, answer) if parse_changes(answer) == frozenset(changes) else None
