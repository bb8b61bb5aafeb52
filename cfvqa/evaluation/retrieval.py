"""Retrieval: which answer belongs to a pair of images, and which pair to an answer.

Answers with equal texts are one answer: each is a hit for the other's pair. The chance of a hit is that of a draw in
no order, so that a model that scores everything alike has exactly the figures of chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import gammaln

from cfvqa.evaluation.intervals import SubjectBootstrap, bounds

_DEPTHS = (1, 5, 10)
_ROWS = 512  # of scores that are compared at once


@dataclass(frozen=True, slots=True)
class Places:
    """Where the hits of N queries lie among their candidates; candidates of one score stand in no order.

    Attributes:
        above: (N,) candidates with a better score than the best hit.
        beside: (N,) others with the score of the best hit that are no hits.
        hits: (N,) hits with the score of the best hit.
    """

    above: np.ndarray
    beside: np.ndarray
    hits: np.ndarray

    def recall(self, depth: int) -> np.ndarray:
        """Return (N,) the chance that a hit is among the first `depth` candidates."""
        drawn = np.maximum(depth - self.above, 0)
        # None of the drawn is a hit: C(beside, drawn) / C(beside + hits, drawn).
        possible = drawn <= self.beside
        left = np.where(possible, self.beside - drawn, 0)
        log = _log_factorial(self.beside) - _log_factorial(left)
        log += _log_factorial(left + self.hits) - _log_factorial(self.beside + self.hits)
        return np.where(possible, 1 - np.exp(log), 1.0)

    def rank(self) -> np.ndarray:
        """Return (N,) the expected rank of the first hit, from 1."""
        return 1 + self.above + self.beside / (self.hits + 1)


def _log_factorial(number: np.ndarray) -> np.ndarray:
    return gammaln(number + 1)


@dataclass(frozen=True, slots=True)
class Recall:
    """How often a hit is among the first candidates.

    Attributes:
        n: queries.
        candidates: of each.
        recall_1, recall_5, recall_10: share of queries with a hit among the first.
        median_rank: of the first hit.
        chance_1, chance_5, chance_10, chance_rank: the same of candidates in any order.
        recall_1_interval, recall_5_interval, recall_10_interval, median_rank_interval: [low, high], 95 % bootstrap by
            subject.
    """

    n: int
    candidates: int
    recall_1: float
    recall_5: float
    recall_10: float
    median_rank: float
    chance_1: float
    chance_5: float
    chance_10: float
    chance_rank: float
    recall_1_interval: list[float]
    recall_5_interval: list[float]
    recall_10_interval: list[float]
    median_rank_interval: list[float]


def mixed(scores: Sequence[np.ndarray], weight: np.ndarray) -> np.ndarray:
    """Return the mean (Q, T) float32 of several scores (Q, T), each standardised over the T candidates of its query.

    A query never depends on another one; scores that are all alike say nothing.

    Args:
        scores: (Q, T) each.
        weight: (T,) how often each candidate stands there.
    """
    share = weight / weight.sum()
    total = np.zeros(scores[0].shape, dtype=np.float32)
    for score in scores:
        for rows in _parts(len(score)):
            centred = score[rows].astype(np.float64)
            centred -= (centred @ share)[:, None]
            deviation = np.sqrt(centred**2 @ share)[:, None]
            # Below the digits of a float32 there is no order.
            total[rows] += np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-6)
    total /= len(scores)
    return total


def places_of_answers(score: np.ndarray, own: np.ndarray) -> Places:
    """Return where each of N pairs finds its answer.

    Args:
        score: (N, T) of N pairs and T different texts.
        own: (N,) the text of the pair's own answer.
    """
    count = np.bincount(own, minlength=score.shape[1]).astype(np.float64)
    above, level = np.empty(len(own)), np.empty(len(own))
    for rows in _parts(len(own)):
        best = np.take_along_axis(score[rows], own[rows, None], axis=1)
        above[rows], level[rows] = (score[rows] > best) @ count, (score[rows] == best) @ count
    return Places(above, level - count[own], count[own])


def places_of_pairs(score: np.ndarray, own: np.ndarray) -> Places:
    """Return where each of N answers finds a pair that it is true of.

    Args:
        score: (N, T) of N pairs and T different texts.
        own: (N,) the text of the pair's own answer.
    """
    texts = np.arange(score.shape[1])
    parts = [_places_of_texts(score[:, some], own[:, None] == texts[some]) for some in _parts(len(texts))]
    return Places(*np.concatenate(parts, axis=1)[:, own])


def _places_of_texts(score: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Return above, beside and hits (3, T) of T texts that are true of the pairs that `hit` (N, T) says."""
    best = np.where(hit, score, -np.inf).max(0)
    level = score == best
    return np.array([(score > best).sum(0), (level & ~hit).sum(0), (level & hit).sum(0)])


def places_in_no_order(own: np.ndarray) -> Places:
    """Return what either direction finds where no score tells candidates apart; `own` as of `places_of_answers`."""
    hits = np.bincount(own)[own]
    return Places(np.zeros_like(hits), len(own) - hits, hits)


def _parts(count: int) -> Iterator[slice]:
    """Yield rows, a part at a time: the scores of all pairs with all answers are gigabytes, and a copy as many."""
    return (slice(start, start + _ROWS) for start in range(0, count, _ROWS))


def recall_of(places: Places, chance: Places, subjects: Sequence[str], *, seed: int, draws: int) -> Recall:
    """Return the figures of queries.

    Args:
        places: of their hits.
        chance: the same where no score tells candidates apart.
        subjects: (N,) of the queries.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    bootstrap = SubjectBootstrap(subjects, draws=draws, seed=seed)
    found = {f"recall_{depth}": places.recall(depth) for depth in _DEPTHS}
    rank = places.rank()
    return Recall(
        n=len(subjects),
        candidates=int(chance.beside[0] + chance.hits[0]),
        median_rank=float(np.median(rank)),
        median_rank_interval=bounds(np.array([np.median(rank[rows]) for rows in bootstrap.samples()])),
        chance_rank=float(np.median(chance.rank())),
        **{name: float(values.mean()) for name, values in found.items()},
        **{f"chance_{depth}": float(chance.recall(depth).mean()) for depth in _DEPTHS},
        **{f"{name}_interval": bootstrap.mean(values) for name, values in found.items()},
    )


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Both directions."""

    pair_to_answer: Recall
    answer_to_pair: Recall

    def figures(self) -> dict[str, object]:
        """Return the figures as plain dictionaries."""
        return asdict(self)


def retrieval(
    scores: Sequence[np.ndarray], own: np.ndarray, subjects: Sequence[str], *, seed: int = 0, draws: int = 1000
) -> Retrieval:
    """Find answers by pairs, and pairs by answers.

    Args:
        scores: one or more scores (N, T) of N pairs and T different texts; their standardised mean counts.
        own: (N,) the text of the pair's own answer; every text is one's.
        subjects: (N,) of the pairs.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    texts, pairs = np.bincount(own), np.ones(len(own))
    found = places_of_answers(mixed(scores, texts), own)
    back = places_of_pairs(mixed([score.T for score in scores], pairs).T, own)
    chance = places_in_no_order(own)
    return Retrieval(*(recall_of(places, chance, subjects, seed=seed, draws=draws) for places in (found, back)))
