"""The flip test: with main and reference image swapped, added must become removed and levels must turn around."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from cfvqa.errors import InputError
from cfvqa.evaluation.changes import Changes
from cfvqa.evaluation.intervals import SubjectBootstrap, mean, ratio
from cfvqa.language.grammar import flip_changes, parse_changes
from cfvqa.language.questions import DIFFERENCE


@dataclass(frozen=True, slots=True)
class FlipScores:
    """How well answers turn around with the images. NaN where not defined.

    Attributes:
        n: difference questions.
        consistency: share whose answer to swapped images is the flip of the first answer.
        jaccard: mean overlap (intersection over union) of the two sets of changes after the flip.
        n_changed: questions whose first answer reports a change.
        consistency_changed: consistency among those; a model that always says "nothing has changed" has
            a perfect consistency and no value here.
        consistency_interval, jaccard_interval, consistency_changed_interval: [low, high], 95 % bootstrap by subject.
    """

    n: int
    consistency: float
    jaccard: float
    n_changed: int
    consistency_changed: float
    consistency_interval: list[float]
    jaccard_interval: list[float]
    consistency_changed_interval: list[float]


def flip_consistency(predictions: pl.DataFrame, *, seed: int = 0, draws: int = 1000) -> FlipScores | None:
    """Compare the answers of difference questions with those to the same questions with swapped images.

    Args:
        predictions: table of predictions; questions of other types are left out.
        seed: of the bootstrap.
        draws: of the bootstrap.

    Returns:
        The figures; None where no question was asked with swapped images.

    Raises:
        InputError: if some were, and others not.
    """
    asked = predictions.filter(pl.col("question_type") == DIFFERENCE)
    if asked["swapped"].null_count() == len(asked):
        return None
    missing = asked.filter(pl.col("swapped").is_null())["question_id"].to_list()
    if missing:
        raise InputError(f"The answers to swapped images lack {len(missing)} questions, such as '{missing[0]}'.")
    pairs = _parsed(asked)
    same = np.array([_consistent(*pair) for pair in pairs], dtype=np.float64)
    overlap = np.array([_jaccard(*pair) for pair in pairs])
    changed = np.array([bool(first) for first, _ in pairs], dtype=bool)
    bootstrap = SubjectBootstrap(asked["subject_id"].to_list(), draws=draws, seed=seed)
    return FlipScores(
        n=len(pairs),
        consistency=mean(same),
        jaccard=mean(overlap),
        n_changed=int(changed.sum()),
        consistency_changed=mean(same[changed]),
        consistency_interval=bootstrap.mean(same),
        jaccard_interval=bootstrap.mean(overlap),
        consistency_changed_interval=bootstrap.interval(np.column_stack([same * changed, changed]), ratio),
    )


def flips(asked: pl.DataFrame) -> np.ndarray:
    """Return (N,) of N difference questions 1 where the answer turns around with the images, else 0; NaN unasked."""
    same = np.array([_consistent(*pair) for pair in _parsed(asked)], dtype=np.float64)
    same[asked["swapped"].is_null().to_numpy()] = np.nan
    return same


def _parsed(asked: pl.DataFrame) -> list[tuple[Changes | None, Changes | None]]:
    rows = asked.select("prediction", pl.col("swapped").fill_null("")).iter_rows()
    return [(parse_changes(first), parse_changes(second)) for first, second in rows]


def _consistent(first: Changes | None, second: Changes | None) -> bool:
    return first is not None and second is not None and flip_changes(first) == second


def _jaccard(first: Changes | None, second: Changes | None) -> float:
    if first is None or second is None:
        return 0.0
    flipped = flip_changes(first)
    union = len(flipped | second)
    return len(flipped & second) / union if union else 1.0
