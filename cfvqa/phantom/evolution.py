"""Subjects and what becomes of them: findings that appear, resolve, worsen, improve and stay."""

from dataclasses import dataclass, replace

import numpy as np

from cfvqa.phantom.anatomy import Anatomy, sample_anatomy
from cfvqa.phantom.findings import PHANTOM_FINDINGS, Finding
from cfvqa.phantom.study import Presence, StudyTruth

PREVALENCE = 0.13
"""Share of the studies that show a finding, the same in every study of a subject."""

_RESOLVES = {True: 0.3, False: 0.5}  # chronic, acute
_CHANGES_LEVEL = 0.2
_STUDIES = (1, 2, 3, 4)
_STUDIES_WEIGHT = (0.1, 0.25, 0.35, 0.3)


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject with the truth of each study, in order of time."""

    anatomy: Anatomy
    studies: tuple[StudyTruth, ...]


def sample_subject(rng: np.random.Generator) -> Subject:
    """Draw a subject and its studies.

    Each finding is a Markov chain that starts in its stationary distribution: the first study is like every
    other, and what appears is as frequent as what resolves.
    """
    anatomy = sample_anatomy(rng)
    count = int(rng.choice(_STUDIES, p=_STUDIES_WEIGHT))
    present = [_appear(finding, rng) if rng.random() < PREVALENCE else None for finding in PHANTOM_FINDINGS]
    studies = []
    for number in range(count):
        if number > 0:
            present = [_next(finding, state, rng) for finding, state in zip(PHANTOM_FINDINGS, present, strict=True)]
        view = "AP" if rng.random() < 0.5 else "PA"
        studies.append(StudyTruth(view=view, findings=tuple(p for p in present if p is not None)))
    return Subject(anatomy=anatomy, studies=tuple(studies))


def _appear(finding: Finding, rng: np.random.Generator) -> Presence:
    return Presence(
        name=finding.name,
        site=finding.sites[int(rng.integers(len(finding.sites)))],
        severity=int(rng.integers(1, 4)),
        kind=finding.types[int(rng.integers(len(finding.types)))] if finding.types else None,
        seed=int(rng.integers(2**31)),
    )


def _next(finding: Finding, state: Presence | None, rng: np.random.Generator) -> Presence | None:
    resolves = _RESOLVES[finding.chronic]
    if state is None:
        appears = resolves * PREVALENCE / (1 - PREVALENCE)
        return _appear(finding, rng) if rng.random() < appears else None
    if rng.random() < resolves:
        return None
    if rng.random() < _CHANGES_LEVEL:
        others = [severity for severity in (1, 2, 3) if severity != state.severity]
        return replace(state, severity=int(rng.choice(others)))
    return state
