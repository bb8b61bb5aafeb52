"""The stage of the blind baselines: what answers score that no image was looked at for, one for all readers."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from omegaconf import DictConfig

from cfvqa.data.feature_store import FeatureStore
from cfvqa.evaluation.baselines import constant, majority, prior
from cfvqa.evaluation.metrics import MEANING, Figures, evaluate_predictions, write_metrics
from cfvqa.evaluation.text_scores import TextScorer
from cfvqa.progress import StageConsole
from cfvqa.settings.building import plain
from cfvqa.sources.tables import Tables
from cfvqa.stages.asking import Asking, Decoding, questions_of, shaping_answers, training
from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.trained import load_reader
from cfvqa.stages.vqa import blind

FIGURES = "metrics.json"
"""Name of the file of the figures: name of a baseline -> what `evaluate_predictions` says of it."""

_OF_THE_READER = ("blind", "tasks", "phase")  # settings of an evaluation that say what is judged beside them


def baselines(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage `work/baselines/<id>`, made if need be: `question_only`, `majority`, `constant` and `prior`."""
    source, extracted, control = tables(config, console), features(config, console), blind(config, console)
    settings = {key: value for key, value in plain(config.evaluation).items() if key not in _OF_THE_READER}
    stage_id = identify(MEANING, shaping_answers(settings), source.id, control.id)
    stage = Stage("baselines", Path(config.work) / "baselines" / stage_id, stage_id)

    def make(folder: Path) -> dict[str, str]:
        read, reader = load_tables(source), load_reader(control.folder)
        decoding = Decoding.of(settings["decoding"], read.questions)
        asking = Asking(settings, FeatureStore(extracted.folder), console, decoding)
        answers = asking.ask(reader, questions_of(read, settings["split"]), "asking the blind control")
        with TextScorer() as scorer:
            judged = judge_untrained(read, settings, scorer)
            judged["question_only"] = judge(answers.predictions, settings, scorer)
        write_metrics(judged, folder / FIGURES)
        return {}

    return ensure(stage, make, console)


def judge_untrained(read: Tables, settings: dict[str, Any], scorer: TextScorer) -> dict[str, Figures]:
    """Return name -> figures of the baselines that count what training answers say.

    Args:
        read: the tables.
        settings: the config block `evaluation`.
        scorer: of texts.
    """
    questions, train = questions_of(read, settings["split"]), training(read)
    answers = {
        "majority": majority(train, questions),
        "constant": constant(train, questions),
        "prior": prior(train, questions, generator=np.random.default_rng(settings["seed"])),
    }
    return {name: judge(table, settings, scorer) for name, table in answers.items()}


def judge(predictions: pl.DataFrame, settings: dict[str, Any], scorer: TextScorer) -> Figures:
    """Return the figures of a table of predictions, by the settings of an evaluation."""
    return evaluate_predictions(predictions, bootstrap_seed=settings["seed"], draws=settings["draws"], scorer=scorer)
