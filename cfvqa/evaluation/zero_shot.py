"""Zero-shot: is a finding new, or gone? Said by how well a sentence of the grammar fits a pair, and nothing trained.

A score is standardised over the sentences of its own pair, never over pairs, and the sentences are those that training
pairs call for: a pair alone has the scores that it has among others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cfvqa.evaluation.changes import Changes
from cfvqa.evaluation.intervals import SubjectBootstrap, bounds, divide
from cfvqa.language.grammar import NOTHING, Change, ChangeKind, write_changes
from cfvqa.vocabulary.findings import ANSWER_FINDINGS

KINDS = (ChangeKind.ADDED, ChangeKind.REMOVED)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A sentence, and the change that it says; None says that nothing has changed."""

    text: str
    change: Change | None

    def true_of(self, changes: Changes) -> bool:
        """Whether it says what is among the changes of a pair."""
        return not changes if self.change is None else self.change in changes


@dataclass(frozen=True, slots=True)
class Detected:
    """How well one sentence tells pairs apart.

    Attributes:
        n: pairs of which it is true.
        auroc: area under the ROC curve; NaN where it is true of none, or of all.
        auroc_interval: [low, high], 95 % bootstrap by subject.
    """

    n: int
    auroc: float
    auroc_interval: list[float]


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """How well sentences of the grammar tell pairs apart.

    Attributes:
        n: pairs.
        added, removed: finding -> figures, of the findings that are added, or removed, in some of the pairs.
        unchanged: of the sentence that nothing has changed.
        added_macro, removed_macro: mean area over the findings.
        added_macro_interval, removed_macro_interval: [low, high], 95 % bootstrap by subject.
    """

    n: int
    added: dict[str, Detected]
    removed: dict[str, Detected]
    unchanged: Detected
    added_macro: float
    removed_macro: float
    added_macro_interval: list[float]
    removed_macro_interval: list[float]


def prompts_for(answers: Iterable[Changes]) -> list[Prompt]:
    """Return the sentences about every finding that is ever added or removed in training, and that of no change.

    Args:
        answers: the changes of training pairs.
    """
    seen = {change for changes in answers for change in changes if change.kind in KINDS}
    order = [Change(finding, kind) for kind in KINDS for finding in ANSWER_FINDINGS]
    said = [Prompt(write_changes([change]), change) for change in order if change in seen]
    return [*said, Prompt(NOTHING, None)]


def auroc(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve (K,) of N scores under K weightings; equal scores count half.

    Args:
        score: (N,).
        positive: (N,) bool.
        weight: (K, N), how often each counts; NaN where a weighting has no positive, or no negative.
    """
    order = np.argsort(score, kind="stable")
    _, starts = np.unique(score[order], return_index=True)
    ordered, true = weight[:, order].astype(np.float64), positive[order]
    right, wrong = (np.add.reduceat(ordered * kind, starts, axis=1) for kind in (true, ~true))
    below = np.cumsum(wrong, axis=1) - wrong
    return divide((right * (below + wrong / 2)).sum(1), right.sum(1) * wrong.sum(1))


def zero_shot(
    score: np.ndarray,
    prompts: Sequence[Prompt],
    truth: Sequence[Changes],
    subjects: Sequence[str],
    *,
    seed: int = 0,
    draws: int = 1000,
) -> ZeroShot:
    """Judge scores (N, P) of N pairs and P sentences.

    Args:
        score: of `prompts_for`.
        prompts: P.
        truth: N, the changes of the pairs.
        subjects: N.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    bootstrap = SubjectBootstrap(subjects, draws=draws, seed=seed)
    weight = np.concatenate([np.ones((1, len(truth))), bootstrap.question_weights()])
    true = [np.array([prompt.true_of(changes) for changes in truth], dtype=bool) for prompt in prompts]
    areas = [auroc(score[:, place], positive, weight) for place, positive in enumerate(true)]
    found = [_detected(positive, area) for positive, area in zip(true, areas, strict=True)]
    groups = {kind: [p for p, prompt in enumerate(prompts) if _kind(prompt) is kind] for kind in (*KINDS, None)}
    macro = {kind: _mean([areas[place] for place in groups[kind]], len(weight)) for kind in KINDS}
    added, removed = ({prompts[p].change.finding: found[p] for p in groups[kind] if found[p].n} for kind in KINDS)
    return ZeroShot(
        n=len(truth),
        added=added,
        removed=removed,
        unchanged=found[groups[None][0]],
        added_macro=float(macro[ChangeKind.ADDED][0]),
        removed_macro=float(macro[ChangeKind.REMOVED][0]),
        added_macro_interval=bounds(macro[ChangeKind.ADDED][1:]),
        removed_macro_interval=bounds(macro[ChangeKind.REMOVED][1:]),
    )


def _detected(positive: np.ndarray, area: np.ndarray) -> Detected:
    """Return the figures of a sentence that is true of some of N pairs, given its areas (1 + draws,)."""
    return Detected(int(positive.sum()), float(area[0]), bounds(area[1:]))


def _kind(prompt: Prompt) -> ChangeKind | None:
    return None if prompt.change is None else prompt.change.kind


def _mean(areas: list[np.ndarray], count: int) -> np.ndarray:
    """Return the mean (K,) of areas (K,) of sentences that are defined."""
    table = np.array(areas).reshape(len(areas), count)
    defined = np.isfinite(table)
    return divide(np.where(defined, table, 0).sum(0), defined.sum(0))
