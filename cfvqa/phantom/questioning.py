"""Questions about a pair of studies, in the templates of Medical-Diff-VQA and by a sampling of the phantom's own.

One question a type is asked wherever the study has an answer, the view of every image too, of which Medical-Diff-VQA
asks one AP image in twenty; places are denied on the other side alone, and level changes asked for by area in a tenth.
"""

from collections.abc import Iterator

import numpy as np

from cfvqa.language import questions as ask
from cfvqa.language.drawing import Row, draw_view
from cfvqa.language.elsewhere import MIRRORED
from cfvqa.language.grammar import ChangeKind, changes_between, write_changes
from cfvqa.phantom.findings import PHANTOM_FINDINGS
from cfvqa.phantom.study import Presence, StudyTruth

_LOCATED = 0.1
"""Share of the level changes that are asked for by their area (1.1 % of the published pairs)."""


def question_rows(
    main: StudyTruth, reference: StudyTruth, absent: tuple[str, ...], rng: np.random.Generator
) -> Iterator[Row]:
    """Yield at most one question a type, in the published order; only the last needs the reference."""
    yield ("abnormality", *_abnormality(main, rng))
    yield ("presence", *_presence(main, absent, rng))
    yield ("view", *draw_view(main.view, rng))
    if located := [p for p in main.findings if p.site.words]:
        yield ("location", *_location(_any(located, rng), rng))
    if main.findings:
        graded = _any(list(main.findings), rng)
        yield "level", ask.level(graded.name), graded.level
    if typed := [p for p in main.findings if p.kind]:
        chosen = _any(typed, rng)
        yield "type", ask.finding_type(chosen.name), str(chosen.kind)
    yield ("difference", *_difference(main, reference, rng))


def _any(items: list[Presence], rng: np.random.Generator) -> Presence:
    return items[int(rng.integers(len(items)))]


def _abnormality(main: StudyTruth, rng: np.random.Generator) -> tuple[str, str]:
    placed = [p for p in main.findings if p.site.phrase]
    kind = int(rng.integers(3))
    if kind == 0 and placed:
        place = _any(placed, rng).site.phrase
        names = [p.name for p in placed if p.site.phrase == place]
        return ask.abnormalities_in(str(place)), ask.list_answer(names)
    if kind == 1 and main.findings:
        return ask.ABNORMALITIES, ask.list_answer(p.name for p in main.findings)
    return ask.ANY_ABNORMALITY, ask.yes_no(bool(main.findings))


def _presence(main: StudyTruth, absent: tuple[str, ...], rng: np.random.Generator) -> tuple[str, str]:
    name, words = _asked_finding(main, absent, rng)
    if words in (("left",), ("right",)) and rng.random() < 0.5:
        truth = bool(rng.random() < 0.5)
        asked = words[0] if truth else MIRRORED[words[0]]
        return ask.presence(name, f"the {ask.area([asked])} area"), ask.yes_no(truth)
    # The form is drawn whatever the answer is, so that the wording tells nothing.
    form = ask.presence if rng.random() < 0.5 else ask.short_presence
    return form(name), ask.yes_no(words is not None)


def _asked_finding(
    main: StudyTruth, absent: tuple[str, ...], rng: np.random.Generator
) -> tuple[str, tuple[str, ...] | None]:
    """Draw a finding and the words of its site, None where it is absent.

    Half of the draws are from what is there, a quarter from what the report denies, a quarter from all.
    """
    if main.findings and rng.random() < 0.5:
        chosen = _any(list(main.findings), rng)
        return chosen.name, chosen.site.words
    if rng.random() < 0.5:
        return str(rng.choice(absent)), None
    name = PHANTOM_FINDINGS[int(rng.integers(len(PHANTOM_FINDINGS)))].name
    return name, next((p.site.words for p in main.findings if p.name == name), None)


def _location(presence: Presence, rng: np.random.Generator) -> tuple[str, str]:
    words = presence.site.words
    if words in (("left",), ("right",)) and presence.site.phrase is None and rng.random() < 0.4:
        return ask.side(presence.name), ask.side_answer(words[0])
    question = ask.location(presence.name) if rng.random() < 0.5 else ask.short_location(presence.name)
    return question, presence.site.phrase or ask.area_answer([words])


def levels(study: StudyTruth) -> dict[str, str | None]:
    """Return the findings of a study with their level words."""
    return {p.name: p.level for p in study.findings}


def _difference(main: StudyTruth, reference: StudyTruth, rng: np.random.Generator) -> tuple[str, str]:
    changes = changes_between(levels(main), levels(reference))
    before = {p.name: p.site.words for p in reference.findings}
    sites = {p.name: p.site.words for p in main.findings if p.site.words == before.get(p.name)}
    for change in changes:
        words = sites.get(change.finding, ())
        graded = change.kind is ChangeKind.LEVEL and words and words != ("bilateral",)
        if graded and rng.random() < _LOCATED:
            return ask.difference_in(ask.area(words)), write_changes([change])
    return ask.WHAT_CHANGED, write_changes(changes)
