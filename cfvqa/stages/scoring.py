"""The figures of an evaluation: the model and its controls, beside blind baselines and a reader without any error."""

import math
from typing import Any

import numpy as np
import polars as pl

from cfvqa.data.feature_store import FeatureStore
from cfvqa.evaluation.calibration import Calibration, calibration
from cfvqa.evaluation.changes import count_changes, score_changes
from cfvqa.evaluation.flip import FlipScores, flip_consistency
from cfvqa.evaluation.grounding import Pointing, pointing
from cfvqa.evaluation.labels import answers_of_labels, names_of_nodes
from cfvqa.evaluation.metrics import Figures, assemble
from cfvqa.evaluation.predictions import predictions_of
from cfvqa.evaluation.rules import SeenFindings, answers_by_rule, learn_rule
from cfvqa.evaluation.text_scores import TextScorer
from cfvqa.language.questions import DIFFERENCE
from cfvqa.settings.schema import ranks
from cfvqa.sources.tables import Tables
from cfvqa.stages.asking import Asked, training
from cfvqa.stages.baselines import judge, judge_untrained

_READ = 512  # images at once
_HALF = 0.5  # probability of "at least moderate", "at least severe" from which a level is taken


def score_run(
    settings: dict[str, Any],
    read: Tables,
    answers: Asked,
    controls: dict[str, Asked],
    baselines: dict[str, Figures],
    store: FeatureStore,
) -> dict[str, Any]:
    """Return the content of `metrics.json` of a run.

    Args:
        settings: the config block `evaluation`.
        read: the tables.
        answers: of the model.
        controls: name -> what the model answers, shown images of others.
        baselines: name -> figures of answers for which no image was looked at.
        store: what the classifier saw.
    """
    with TextScorer() as scorer:
        figures = assemble(
            judge(answers.predictions, settings, scorer),
            _trust(answers.predictions, read, settings),
            baselines,
            {name: judge(asked.predictions, settings, scorer) for name, asked in controls.items()},
            _decode(settings["decoding"], answers),
            data_of(read, settings),
        )
        names = _names(read)
        ruled = _by_rule(read, settings["split"], store, names)
        if ruled is not None:
            figures["rules"] = judge(ruled, settings, scorer)
    shown = {name: asked.predictions for name, asked in {"pairs": answers, **controls}.items()}
    return figures | {"labels": _of_labels(read, shown, names)}


def _decode(decoding: dict[str, Any], answers: Asked) -> dict[str, Any]:
    beam = f"beam search over {decoding['num_beams']}" if decoding["num_beams"] > 1 else "greedy"
    speed = len(answers.predictions) / answers.seconds
    strategy = "ranking of a closed list" if ranks(decoding) else "sampling" if decoding["do_sample"] else beam
    return {**decoding, "strategy": strategy, "seconds": answers.seconds, "answers_per_second": speed}


def _names(read: Tables) -> dict[str, str]:
    """Return node of the graph -> the name that training answers give it."""
    return names_of_nodes(training(read).filter(pl.col("question_type") == DIFFERENCE)["answer"])


def _of_labels(read: Tables, asked: dict[str, pl.DataFrame], names: dict[str, str]) -> dict[str, float]:
    """Return the change F1 of a reader without any error, asked what the model was asked; empty without labels."""
    figures: dict[str, float] = {}
    for name, predictions in asked.items():
        shown = predictions.filter(pl.col("question_type") == DIFFERENCE)
        given = answers_of_labels(shown, read.findings, names)
        if given is None:
            continue
        score = score_changes(count_changes(shown.with_columns(pl.Series("prediction", given, dtype=pl.String)))).f1
        if not math.isnan(score):  # no change is true or answered
            figures[name] = score
    return figures


def _by_rule(read: Tables, split: str, store: FeatureStore, names: dict[str, str]) -> pl.DataFrame | None:
    """Return the predictions of the rule for difference questions; None without labels to choose it by."""
    difference = read.questions.filter(pl.col("question_type") == DIFFERENCE)
    chosen_by, asked = (difference.filter(pl.col("split") == part) for part in (_chooses_for(split), split))
    rule = learn_rule(read.findings, _seen(store, chosen_by), names) if len(chosen_by) and len(asked) else None
    if rule is None:
        return None
    return predictions_of(asked, answers_by_rule(asked, _seen(store, asked), rule))


def _chooses_for(split: str) -> str:
    """Return the split whose labels choose the rule that answers another: the vision models have learned from train."""
    return "train" if split == "val" else "val"


def _seen(store: FeatureStore, questions: pl.DataFrame) -> SeenFindings:
    images = pl.concat([questions["main_image"], questions["reference_image"]]).unique().sort().to_list()
    probability, severity = [], []
    for start in range(0, len(images), _READ):  # what is kept of an image is a thousandth of its features
        features = store.read(images[start : start + _READ])
        probability.append(features.probability.amax(1).numpy())
        severity.append(1 + (features.severity >= _HALF).sum(-1).numpy())
    row_of = {image: row for row, image in enumerate(images)}
    return SeenFindings(row_of, np.concatenate(probability), np.concatenate(severity))


def score_file(
    settings: dict[str, Any], read: Tables, predictions: pl.DataFrame, given: dict[str, str]
) -> dict[str, Any]:
    """Return the content of `metrics.json` of the answers of a file; `given` says which."""
    with TextScorer() as scorer:
        judged, baselines = judge(predictions, settings, scorer), judge_untrained(read, settings, scorer)
    figures = assemble(judged, _trust(predictions, read, settings), baselines, {}, given, data_of(read, settings))
    return figures | {"labels": _of_labels(read, {"pairs": predictions}, _names(read))}


def _trust(
    predictions: pl.DataFrame, read: Tables, settings: dict[str, Any]
) -> dict[str, FlipScores | Pointing | Calibration | None]:
    """Return whether answers turn around with the images, and whether their attention and scores can be trusted.

    None where a table of predictions has nothing of the kind.
    """
    drawn = {"seed": settings["seed"], "draws": settings["draws"]}
    is_difference = pl.col("question_type") == DIFFERENCE
    return {
        "flip": flip_consistency(predictions, **drawn),
        "grounding": pointing(predictions, read.findings, training(read), **drawn),
        "calibration": calibration(predictions.filter(is_difference), **drawn),
        "calibration_others": calibration(predictions.filter(~is_difference), **drawn),
    }


def data_of(read: Tables, settings: dict[str, Any]) -> dict[str, Any]:
    """Return which questions of which data are judged."""
    return {
        "name": read.source,
        "version": read.version,
        "licence": read.licence,
        "split": settings["split"],
        "skipped": read.skipped,
    }
