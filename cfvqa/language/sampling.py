"""Questions about a pair of studies from their key information, drawn as published but for its defects.

Unlike in `published_sampling`, no finding is asked for under the name of another, a place is denied only where no
instance of the finding is (see `elsewhere`), an answer with two readings is not given, findings have their official
names, and stand in a difference answer in one order. Words of an area that two studies share stand in the order of the
main study.
"""

from collections.abc import Iterator

import numpy as np

from cfvqa.language import drawing as draw
from cfvqa.language import questions as ask
from cfvqa.language.drawing import Asked, Findings, Row
from cfvqa.language.elsewhere import wrong_areas, wrong_places
from cfvqa.language.grammar import Change, ChangeKind, changes_between, official_name, parse_changes, write_changes
from cfvqa.language.reports.records import KeyInformation
from cfvqa.vocabulary.findings import OFFICIAL_FINDINGS


def question_rows(
    main: KeyInformation, reference: KeyInformation, view: str, rng: np.random.Generator
) -> Iterator[Row]:
    """Yield the questions about a pair (`DrawQuestions`)."""
    findings, before = _official(main), _official(reference)
    denied = [name for name in map(official_name, main.absent) if name not in findings]
    return draw.rows_once(
        (
            draw.abnormality(findings, rng),
            draw.presence(findings, denied, OFFICIAL_FINDINGS, _located_presence, rng),
            draw.view_of_some(view, rng),
            _location(findings, rng),
            draw.level(findings, rng),
            draw.finding_type(findings, rng),
            _difference(findings, before, rng),
        )
    )


def _official(record: KeyInformation) -> Findings:
    return {official_name(name): entity for name, entity in record.entities.items()}


def _located_presence(findings: Findings, rng: np.random.Generator) -> Asked:
    items = draw.shuffled(findings, rng)
    if draw.half(rng):
        asked = (draw.where_it_is(name, entity.first) for name, entity in items)
        return next((pair for pair in asked if pair is not None), None)
    for find_areas in (wrong_places, wrong_areas):
        for name, entity in items:
            if areas := find_areas(entity):
                return ask.presence(name, areas[int(rng.integers(len(areas)))]), ask.yes_no(False)
    return None


def _location(findings: Findings, rng: np.random.Generator) -> Asked:
    form = ask.LOCATIONS[int(rng.integers(len(ask.LOCATIONS)))]
    answer_of = draw.side_of if form is ask.side else draw.place_of
    answers = ((name, answer_of(entity)) for name, entity in draw.shuffled(findings, rng))
    return next(((form(name), answer) for name, answer in answers if answer is not None), None)


def _difference(main: Findings, reference: Findings, rng: np.random.Generator) -> Asked:
    """Ask what has changed: in an area that both studies name, where the level of a finding there has changed.

    None where the answer has two readings ("from mild to moderate to severe").
    """
    changes = changes_between(_levels(main), _levels(reference))
    question, told = ask.WHAT_CHANGED, changes
    regraded = {change.finding: change for change in changes if change.kind is ChangeKind.LEVEL}
    for name, entity in draw.shuffled(main, rng):
        if name in regraded and (words := draw.common_words(entity.first, reference[name].first)):
            question, told = ask.difference_in(ask.area(words)), [regraded[name]]
            break
    return _unless_ambiguous(question, told)


def _levels(findings: Findings) -> dict[str, str | None]:
    return {name: " ".join(entity.first.level) if entity.first.level else None for name, entity in findings.items()}


def _unless_ambiguous(question: str, changes: list[Change]) -> Asked:
    answer = write_changes(changes)
    return (question, answer) if parse_changes(answer) == frozenset(changes) else None
