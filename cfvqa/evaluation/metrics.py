"""All figures of one set of answers, and the file `metrics.json` that holds them beside their baselines."""

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cfvqa.errors import InputError
from cfvqa.evaluation.changes import ChangeCounts, count_changes, score_changes
from cfvqa.evaluation.intervals import SubjectBootstrap, bounds, f1, macro_f1, mean, precision, ratio, recall
from cfvqa.evaluation.text_scores import TextScorer, TextScores, bleu_of_counts, exact_matches, scorers
from cfvqa.files import write_text
from cfvqa.language.questions import DIFFERENCE, QUESTION_TYPES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Figures = dict[str, object]
"""Nested figures that JSON can hold: a figure that is not defined is None, and `undefined` says why."""

MEANING = 9
"""Of the figures and of the tables of predictions; another number, and every evaluation is made again."""

_OWN = {
    "name": "changes, flip, attention and calibration, read back from answers",
    "version": f"cfvqa figures {MEANING}",
    "scale": "0 to 1",
}

_REASONS = {
    "precision": "no change was answered",
    "recall": "no change is true",
    "f1": "no change is true or answered",
    "macro_f1": "no finding changes in truth",
    "direction_accuracy": "no finding that truth and answer both call added or removed",
    "level_accuracy": "no true change of level",
    "unchanged_accuracy": "no question where nothing has changed",
    "hallucinated_per_100": "no answer reads as changes",
    "consistency_changed": "no answer reports a change",
    "constant_1": "no training pair has a change whose regions are labelled",
    "constant_3": "no training pair has a change whose regions are labelled",
    "auroc": "true of all pairs, or of none",
    "added_macro": "no finding is new in some pairs and not in others",
    "removed_macro": "no finding is gone in some pairs and not in others",
}
_DECODE_FACTS = ("strategy", "seconds", "answers_per_second")
"""What `decode` holds beside the settings of the decoding."""

_NO_QUESTION = "no such question"


def evaluate_predictions(
    predictions: pl.DataFrame,
    *,
    bootstrap_seed: int = 0,
    draws: int = 1000,
    scorer: TextScorer | None = None,
) -> Figures:
    """Return every figure of a table of predictions.

    Args:
        predictions: the answers to judge (columns: `predictions.SCHEMA`).
        bootstrap_seed: seed of the intervals; the same seed gives the same intervals.
        draws: resampled sets of subjects behind each interval.
        scorer: one to share between several tables, which then start Java once; it stays open.

    Returns:
        `n`, `by_type`, `other_types`, `changes`, `interval` (the same names with [low, high]) and `undefined`
        (dotted name -> why that figure is None).
    """
    difference = predictions.filter(pl.col("question_type") == DIFFERENCE)
    others = predictions.filter(pl.col("question_type") != DIFFERENCE)
    exact = exact_matches(others.get_column("answer").to_list(), others.get_column("prediction").to_list())
    counts = count_changes(difference)

    def bootstrap(table: pl.DataFrame) -> SubjectBootstrap:
        return SubjectBootstrap(table["subject_id"].to_list(), draws=draws, seed=bootstrap_seed)

    with nullcontext(scorer) if scorer is not None else TextScorer() as active:
        texts = _score_by_type(predictions, active)
        by_type = {
            kind: _text_intervals(scores, bootstrap(predictions.filter(pl.col("question_type") == kind)), active)
            for kind, scores in texts.items()
        }
    return _json_safe(
        {
            "n": len(predictions),
            "by_type": {kind: scores.figures() for kind, scores in texts.items()},
            "other_types": {"n": len(exact), "exact_match": mean(exact)},
            "changes": score_changes(counts).figures(),
            "interval": {
                "by_type": by_type,
                "other_types": {"exact_match": bootstrap(others).mean(exact)},
                "changes": _change_intervals(counts, bootstrap(difference)),
            },
        }
    )


def assemble(
    model: Figures,
    tests: Mapping[str, "DataclassInstance | None"],
    baselines: Mapping[str, Figures],
    controls: Mapping[str, Figures],
    decode: Mapping[str, object],
    data: Mapping[str, object],
) -> Figures:
    """Put the figures of a model beside those it must be compared with: the content of `metrics.json`.

    Args:
        model: what `evaluate_predictions` says of the model.
        tests: name (flip, grounding, ...) -> what else was found out of the model (see `add_tests`).
        baselines: name (question_only, majority, prior) -> the same figures without any image.
        controls: name (shuffled_reference, ...) -> the same figures of the model, shown something else.
        decode: strategy, seconds, answers_per_second.
        data: name, version, split, ids of the data set.
    """
    return add_tests(model, tests) | {
        "baseline": dict(baselines),
        "control": dict(controls),
        "decode": dict(decode),
        "scorers": scorers() | {"changes": _OWN},
        "data": dict(data),
    }


def add_tests(figures: Figures, tests: Mapping[str, "DataclassInstance | None"]) -> Figures:
    """Return figures with more of them.

    Args:
        figures: with their `interval` and `undefined`.
        tests: name -> what else was found out; None where it could not be. Fields that end with "_interval" join the
            other intervals, under the dotted name of their figure.
    """
    whole = {**figures, "interval": dict(figures["interval"]), "undefined": dict(figures["undefined"])}
    for name, test in tests.items():
        if test is not None:
            tested = asdict(test)
            safe = _json_safe({"interval": {name: _take_intervals(tested)}, name: tested})
            whole[name] = safe[name]
            whole["interval"] |= safe["interval"]
            whole["undefined"] |= safe["undefined"]
    return whole


def write_metrics(metrics: Figures, path: Path) -> Path:
    """Write figures as JSON with sorted keys, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(metrics, indent=2, sort_keys=True, allow_nan=False) + "\n")
    return path


def decoding_in(decode: Mapping[str, object]) -> Figures:
    """Return the settings of the decoding from the block `decode`, without what was found out of it."""
    return {name: value for name, value in decode.items() if name not in _DECODE_FACTS}


def read_metrics(path: Path) -> Figures:
    """Read what `write_metrics` wrote.

    Raises:
        InputError: if the file is missing or damaged.
    """
    try:
        figures = json.loads(path.read_text())
        if not isinstance(figures, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged ({error}): delete its folder and give the command that made it again"
        ) from error
    return figures


def _score_by_type(predictions: pl.DataFrame, scorer: TextScorer) -> dict[str, TextScores]:
    # One run of the tokenizer for all types; the groups then find their tokens ready.
    scorer.tokenize([*predictions.get_column("answer"), *predictions.get_column("prediction")])
    present = set(predictions.get_column("question_type"))
    kinds = [kind for kind in QUESTION_TYPES if kind in present] + sorted(present - set(QUESTION_TYPES))
    groups = {kind: predictions.filter(pl.col("question_type") == kind) for kind in kinds}
    return {
        kind: scorer.score(group.get_column("answer").to_list(), group.get_column("prediction").to_list())
        for kind, group in groups.items()
    }


def _text_intervals(scores: TextScores, bootstrap: SubjectBootstrap, scorer: TextScorer) -> Figures:
    items = scores.items
    bleus = {
        f"bleu_{order + 1}": bootstrap.interval(items.bleu, lambda sums, k=order: bleu_of_counts(sums)[..., k])
        for order in range(4)
    }
    means = {name: bootstrap.mean(getattr(items, name)) for name in ("rouge_l", "cider", "exact_match")}
    return bleus | {"meteor": bootstrap.interval(items.meteor, scorer.meteor_of_sums)} | means


def _change_intervals(counts: ChangeCounts, bootstrap: SubjectBootstrap) -> Figures:
    return _found_intervals(bootstrap.sums(counts.found)) | {
        "direction_accuracy": bootstrap.interval(counts.direction, ratio),
        "level_accuracy": bootstrap.interval(counts.level, ratio),
        "unchanged_accuracy": bootstrap.interval(counts.unchanged, ratio),
        "hallucinated_per_100": bootstrap.interval(counts.hallucinated, ratio),
        "macro_f1": bootstrap.interval(counts.of_findings, macro_f1),
        "by_finding": {name: _found_intervals(bootstrap.sums(rows)) for name, rows in counts.by_finding.items()},
    }


def _found_intervals(sums: np.ndarray) -> Figures:
    return {name: bounds(figure(sums)) for name, figure in (("f1", f1), ("precision", precision), ("recall", recall))}


def _take_intervals(scores: Figures) -> Figures:
    """Take the intervals out of scores, and return them under the names of what they are of."""
    ending = "_interval"
    intervals = {key.removesuffix(ending): scores.pop(key) for key in list(scores) if key.endswith(ending)}
    nested = {key: _take_intervals(value) for key, value in scores.items() if isinstance(value, dict)}
    return intervals | {key: value for key, value in nested.items() if value}


def _json_safe(figures: Figures) -> Figures:
    """Return the figures with None for NaN, and why under `undefined`."""
    undefined: dict[str, str] = {}
    return {**_replace_nan(figures, "", undefined), "undefined": undefined}


def _replace_nan(figures: Figures, place: str, undefined: dict[str, str]) -> Figures:
    safe: Figures = {}
    for name, value in figures.items():
        first = value[0] if isinstance(value, list) else value
        if isinstance(value, dict):
            safe[name] = _replace_nan(value, f"{place}{name}.", undefined)
        elif isinstance(first, float) and math.isnan(first):
            safe[name] = None
            undefined[place + name] = _REASONS.get(name, _NO_QUESTION)
        else:
            safe[name] = value
    return safe
