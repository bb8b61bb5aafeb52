"""Calibration: does the score of an answer say how likely it is to be right?"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import count_changes
from cfvqa.evaluation.intervals import SubjectBootstrap, bounds
from cfvqa.evaluation.text_scores import exact_matches
from cfvqa.language.questions import DIFFERENCE

_BINS = 15
_COVERAGES = (0.25, 0.5, 0.75, 1.0)
_NAMES = [f"{coverage:g}" for coverage in _COVERAGES]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far the scores of answers can be trusted.

    Attributes:
        n: answers with a score.
        accuracy: share of right answers: of difference questions those with exactly the true changes, of others
            (and where the true answer does not parse) those in the words of the truth.
        error: expected calibration error over 15 bins of scores (Naeini et al., AAAI 2015).
        risk: coverage -> share of wrong answers among that share of answers with the highest scores: what is left
            if the model may abstain from the others.
        area: mean of the risk over all coverages; the smaller, the better the scores rank the answers.
        accuracy_interval, error_interval, area_interval, risk_interval: [low, high], 95 % bootstrap by subject; the
            last by coverage.
    """

    n: int
    accuracy: float
    error: float
    risk: dict[str, float]
    area: float
    accuracy_interval: list[float]
    error_interval: list[float]
    area_interval: list[float]
    risk_interval: dict[str, list[float]]


def calibration(predictions: pl.DataFrame, *, seed: int = 0, draws: int = 1000) -> Calibration | None:
    """Compare the scores of answers with whether they are right; None where no answer has a score.

    Args:
        predictions: table of predictions, of difference questions or of others.
        seed: of the bootstrap.
        draws: of the bootstrap.
    """
    scored = predictions.filter(pl.col("score").is_not_null())
    if not len(scored):
        return None
    score, right = scored["score"].to_numpy().clip(0, 1), right_answers(scored)
    curve = risk_by_coverage(score, right)
    bootstrap = SubjectBootstrap(scored["subject_id"].to_list(), draws=draws, seed=seed)
    # Each draw ranks its own answers.
    drawn = np.array([_risks(risk_by_coverage(score[rows], right[rows])) for rows in bootstrap.samples()])
    risks = _risks(curve)
    return Calibration(
        n=len(scored),
        accuracy=float(right.mean()),
        error=calibration_error(score, right),
        risk=dict(zip(_NAMES, risks[:-1], strict=True)),
        area=risks[-1],
        accuracy_interval=bootstrap.mean(right),
        error_interval=bootstrap.interval(_gaps(score, right), _error_of_sums),
        area_interval=bounds(drawn[:, -1]),
        risk_interval={name: bounds(drawn[:, column]) for column, name in enumerate(_NAMES)},
    )


def right_answers(predictions: pl.DataFrame) -> np.ndarray:
    """Return (N,) bool: which answers are right."""
    is_difference = (predictions["question_type"] == DIFFERENCE).to_numpy()
    right = np.array(exact_matches(predictions["answer"].to_list(), predictions["prediction"].to_list()), dtype=bool)
    if is_difference.any():
        counts = count_changes(predictions.filter(pl.Series(is_difference)))
        as_true = (counts.found[:, 1:].sum(1) == 0) & ~counts.unparsed
        right[is_difference] = np.where(counts.unparsed_truth, right[is_difference], as_true)
    return right


def risk_by_coverage(score: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return (N,): the share of wrong answers among the 1, 2, ..., N answers with the highest scores.

    Answers of one score stand in no order: each counts with the mean of its equals.
    """
    order = np.argsort(-score, kind="stable")
    _, group, size = np.unique(-score[order], return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right[order]) / size
    return np.cumsum(wrong[group]) / np.arange(1, len(score) + 1)


def calibration_error(score: np.ndarray, right: np.ndarray) -> float:
    """Return the expected calibration error of scores (N,) of answers that are right or not (N,)."""
    return float(_error_of_sums(_gaps(score, right).sum(0)))


def _risks(curve: np.ndarray) -> list[float]:
    """Return what a curve (N,) says of the coverages, and its mean."""
    return [*(float(curve[max(1, round(coverage * len(curve))) - 1]) for coverage in _COVERAGES), float(curve.mean())]


def _gaps(score: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return (N, bins + 1): how far a score is from what became of its answer, in its bin, and 1 to count answers by.

    Of a bin only sums count, so that a draw of the bootstrap is a sum too.
    """
    place = np.minimum((score * _BINS).astype(int), _BINS - 1)
    gap = np.zeros((len(score), _BINS + 1))
    gap[np.arange(len(score)), place] = score - right
    gap[:, _BINS] = 1
    return gap


def _error_of_sums(sums: np.ndarray) -> np.ndarray:
    return np.abs(sums[..., :_BINS]).sum(-1) / sums[..., _BINS]
