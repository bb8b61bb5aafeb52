"""`metrics.json`: every figure of a run, with intervals and beside its blind baselines."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import count_changes, score_changes
from cfvqa.evaluation.intervals import SubjectBootstrap, f1, precision, ratio, recall
from cfvqa.evaluation.text_scores import TextScorer, bleu_of_counts, exact_matches
from cfvqa.language.questions import DIFFERENCE, QUESTION_TYPES

Figures = dict[str, Any]


def evaluate_predictions(predictions: pl.DataFrame, scorer: TextScorer, *, seed: int, draws: int) -> Figures:
    """Return all figures of a table of predictions: text scores a type, changes, and their intervals.

    Args:
        predictions: the table (see `predictions.SCHEMA`).
        scorer: shared, for it keeps what it tokenised.
        seed, draws: of the bootstrap by subject.
    """
    by_type: Figures = {}
    interval: Figures = {}
    for kind in QUESTION_TYPES:
        part = predictions.filter(pl.col("question_type") == kind)
        if not len(part):
            continue
        scores = scorer.score(part["answer"].to_list(), part["prediction"].to_list())
        bootstrap = _bootstrap(part, seed, draws)
        by_type[kind] = scores.figures()
        interval[f"by_type.{kind}.exact_match"] = bootstrap.mean(scores.items.exact_match)
        if kind == DIFFERENCE:
            interval[f"by_type.{kind}.cider"] = bootstrap.mean(scores.items.cider)
            interval[f"by_type.{kind}.bleu_4"] = bootstrap.interval(
                scores.items.bleu, lambda sums: bleu_of_counts(sums)[..., 3]
            )
    changes = _changes(predictions, seed, draws, interval)
    return {
        "n": len(predictions),
        "by_type": by_type,
        "other_types": _others(predictions, seed, draws, interval),
        "changes": changes,
        "interval": interval,
    }


def _bootstrap(part: pl.DataFrame, seed: int, draws: int) -> SubjectBootstrap:
    return SubjectBootstrap(part["subject_id"].to_list(), draws=draws, generator=np.random.default_rng(seed))


def _changes(predictions: pl.DataFrame, seed: int, draws: int, interval: Figures) -> Figures:
    asked = predictions.filter(pl.col("question_type") == DIFFERENCE)
    counts = count_changes(asked)
    bootstrap = _bootstrap(asked, seed, draws)
    for name, statistic in (("f1", f1), ("precision", precision), ("recall", recall)):
        interval[f"changes.{name}"] = bootstrap.interval(counts.found, statistic)
    interval["changes.direction_accuracy"] = bootstrap.interval(counts.direction, ratio)
    return score_changes(counts).figures()


def _others(predictions: pl.DataFrame, seed: int, draws: int, interval: Figures) -> Figures:
    """Return the exact match of all questions that are not about a difference."""
    part = predictions.filter(pl.col("question_type") != DIFFERENCE)
    matches = exact_matches(part["answer"].to_list(), part["prediction"].to_list())
    interval["other_types.exact_match"] = _bootstrap(part, seed, draws).mean(matches)
    return {"n": len(part), "exact_match": float(np.mean(matches)) if len(part) else math.nan}


def json_safe(value: Any) -> Any:
    """Return the value with null in place of every figure that is not defined."""
    if isinstance(value, dict):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [json_safe(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_metrics(metrics: Figures, path: Path) -> None:
    """Write the figures under a temporary name, then rename."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(json_safe(metrics), indent=2, sort_keys=True) + "\n")
    temporary.replace(path)
