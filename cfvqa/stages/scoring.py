"""The figures of an evaluation: of the model, its controls, the blind baselines, and of a reader without any error."""

import math
from typing import Any

import numpy as np
import polars as pl

from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.evaluation.baselines import constant, majority, prior
from cfvqa.evaluation.calibration import Calibration, calibration
from cfvqa.evaluation.changes import count_changes, score_changes
from cfvqa.evaluation.flip import FlipScores, flip_consistency
from cfvqa.evaluation.grounding import Pointing, pointing
from cfvqa.evaluation.labels import answers_of_labels, names_of_nodes
from cfvqa.evaluation.metrics import assemble, evaluate_predictions
from cfvqa.evaluation.predictions import predictions_of
from cfvqa.evaluation.rules import SeenFindings, answers_by_rule, learn_rule
from cfvqa.evaluation.text_scores import TextScorer
from cfvqa.language.questions import DIFFERENCE
from cfvqa.settings.schema import ranks
from cfvqa.sources.tables import Tables
from cfvqa.stages.asking import Asked

_READ = 512  # images at once
_HALF = 0.5  # probability of "at least moderate", "at least severe" from which a level is taken


def questions_of(read: Tables, split: str) -> pl.DataFrame:
    """Return the questions of a split.

    Raises:
        InputError: if it has none.
    """
    questions = read.questions.filter(pl.col("split") == split)
    if not len(questions):
        raise InputError(f"evaluation.split '{split}' has no question: choose val or test")
    return questions


def training(read: Tables) -> pl.DataFrame:
    """Return the training questions."""
    return read.questions.filter(pl.col("split") == "train")


def score_run(
    settings: dict[str, Any],
    read: Tables,
    answers: Asked,
    controls: dict[str, Asked],
    blind_answers: Asked,
    store: FeatureStore,
) -> dict[str, Any]:
    """Return the content of `metrics.json` of a run.

    Args:
        settings: the config block `evaluation`.
        read: the tables.
        answers: of the model.
        controls: name -> what the model answers, shown images of others.
        blind_answers: of the control that never sees an image.
        store: what the classifier saw.
    """
    with TextScorer() as scorer:
        baselines = _baselines(read, settings, scorer)
        baselines["question_only"] = _judge(blind_answers.predictions, settings, scorer)
        figures = assemble(
            _judge(answers.predictions, settings, scorer),
            _trust(answers.predictions, read, settings),
            baselines,
            {name: _judge(asked.predictions, settings, scorer) for name, asked in controls.items()},
            _decode(settings["decoding"], answers),
            data_of(read, settings),
        )
        names = _names(read)
        ruled = _by_rule(read, settings["split"], store, names)
        if ruled is not None:
            figures["rules"] = _judge(ruled, settings, scorer)
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
        judged, baselines = _judge(predictions, settings, scorer), _baselines(read, settings, scorer)
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


def _judge(predictions: pl.DataFrame, settings: dict[str, Any], scorer: TextScorer) -> dict[str, Any]:
    return evaluate_predictions(predictions, bootstrap_seed=settings["seed"], draws=settings["draws"], scorer=scorer)


def _baselines(read: Tables, settings: dict[str, Any], scorer: TextScorer) -> dict[str, Any]:
    questions = questions_of(read, settings["split"])
    train = training(read)
    answers = {
        "majority": majority(train, questions),
        "constant": constant(train, questions),
        "prior": prior(train, questions, generator=np.random.default_rng(settings["seed"])),
    }
    return {name: _judge(table, settings, scorer) for name, table in answers.items()}


def data_of(read: Tables, settings: dict[str, Any]) -> dict[str, Any]:
    """Return which questions of which data are judged."""
    return {
        "name": read.source,
        "version": read.version,
        "licence": read.licence,
        "split": settings["split"],
        "skipped": read.skipped,
    }
