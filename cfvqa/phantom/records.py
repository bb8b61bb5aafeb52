"""What a radiologist would write of a study: the key-information record and the report."""

from typing import Any

import numpy as np

from cfvqa.language.reports.records import Entity, Mention
from cfvqa.phantom.findings import PHANTOM_FINDINGS
from cfvqa.phantom.study import Presence, StudyTruth

_OPENINGS = ("There is", "There is", "Note is made of", "Again seen is")
_INDICATIONS = (
    "___ with cough",
    "___ year old, routine follow-up",
    "Shortness of breath",
    "___, preoperative",
)


def key_information(truth: StudyTruth, absent: tuple[str, ...]) -> dict[str, Any]:
    """Return the entities and negated findings of a study, in the nine keys of the published records."""
    entities = {presence.name: _entity(presence).record(presence.name) for presence in truth.findings}
    return {"entity": entities, "no_entity": list(absent)}


def _entity(presence: Presence) -> Entity:
    site = presence.site
    kind = (presence.kind,) if presence.kind else None
    return Entity(Mention(site.words or None, kind, (presence.level,), site.phrase))


def choose_absent(truth: StudyTruth, rng: np.random.Generator) -> tuple[str, ...]:
    """Return two to four findings that the report says are not there."""
    there = {presence.name for presence in truth.findings}
    others = [finding.name for finding in PHANTOM_FINDINGS if finding.name not in there]
    chosen = set(rng.choice(others, size=int(rng.integers(2, 5)), replace=False).tolist())
    return tuple(name for name in others if name in chosen)


def sentence(presence: Presence, opening: str = "There is") -> str:
    """Return the sentence of a finding ("There is small left pleural effusion.")."""
    words = [presence.level, presence.kind or "", *presence.site.words, presence.name]
    place = f" in {presence.site.phrase}" if presence.site.phrase else ""
    return f"{opening} {' '.join(word for word in words if word)}{place}."


def report(truth: StudyTruth, absent: tuple[str, ...], *, first: bool, rng: np.random.Generator) -> str:
    """Return the text of a report."""
    openings = _OPENINGS[:-1] if first else _OPENINGS
    body = [sentence(p, str(rng.choice(openings))) for p in truth.findings]
    body += [f"No {name}." for name in absent]
    impression = sentence(truth.findings[0]) if truth.findings else "No acute cardiopulmonary process."
    examination = "CHEST (PA AND LAT)" if truth.view == "PA" else "CHEST (PORTABLE AP)"
    parts = [
        f" EXAMINATION:  {examination}",
        f" INDICATION:  {rng.choice(_INDICATIONS)}",
        f" COMPARISON:  {'None.' if first else '___.'}",
        " FINDINGS:",
        " " + "  ".join(body),
        " IMPRESSION:",
        " " + impression,
    ]
    return " " * 33 + "FINAL REPORT\n" + "\n\n".join(parts) + "\n"
