"""The evaluation stage: ask the reader, its blind control and the baselines; score them all alike."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from omegaconf import DictConfig
from rich.table import Table

from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.evaluation.baselines import majority, prior
from cfvqa.evaluation.flip import flip_consistency
from cfvqa.evaluation.metrics import assemble, evaluate_predictions, write_metrics
from cfvqa.evaluation.predictions import join_predictions
from cfvqa.evaluation.text_scores import TextScorer
from cfvqa.sources.tables import Tables
from cfvqa.stages.asking import Asked, ask, exchange_images, pair_set
from cfvqa.stages.building import plain
from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.trained import TrainedReader, load_reader
from cfvqa.stages.vqa import blind, vqa


def evaluation(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage `runs/<name>/evaluation`, made if need be."""
    source, extracted = tables(config, console), features(config, console)
    trained, control = vqa(config, console), blind(config, console)
    settings = {key: value for key, value in plain(config.evaluation).items() if key != "blind"}
    stage_id = identify(settings, trained.id, control.id)
    stage = Stage("evaluation", Path(config.runs) / str(config.name) / "evaluation", stage_id)

    def make(folder: Path) -> dict[str, str]:
        read = load_tables(source)
        store = FeatureStore(extracted.folder)
        reader = load_reader(trained.folder)
        asking = _Asking(settings, read, store, console)
        answers = asking.ask(reader, "asking the reader")
        swapped = asking.ask(reader, "asking with swapped images", swapped=True)
        controls = {
            "shuffled_reference": asking.ask(reader, "asking with shuffled references", ("reference_image",)),
            "shuffled_pair": asking.ask(reader, "asking with shuffled pairs", ("main_image", "reference_image")),
        }
        blind_answers = asking.ask(load_reader(control.folder), "asking the blind control")
        metrics = _score(settings, read, answers, swapped, controls, blind_answers)
        metrics["data"] |= {"tables": source.id, "features": extracted.id, "reader": trained.id}
        answers.predictions.write_parquet(folder / "predictions.parquet")
        write_metrics(metrics, folder / "metrics.json")
        show(metrics, console)
        return {"changes.f1": f"{metrics['changes']['f1']:.3f}"}

    return ensure(stage, make, console)


def evaluate_file(config: DictConfig, console: StageConsole) -> Path:
    """Score a file of answers (`predictions`) and write `runs/<name>/evaluation/metrics.json`."""
    read = load_tables(tables(config, console))
    settings = plain(config.evaluation)
    questions = _questions(read, settings["split"])
    predictions = join_predictions(Path(config.predictions), questions)
    folder = Path(config.runs) / str(config.name) / "evaluation"
    if folder.with_name("vqa").exists():
        raise InputError(
            f"name={config.name} is a run with a reader of its own: give the answers of the file another name=..."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with TextScorer() as scorer:
        judged, baselines = _judge(predictions, settings, scorer), _baselines(read, settings, scorer)
    figures = assemble(judged, None, baselines, {}, {"strategy": "given in a file"}, _data(read, settings))
    write_metrics(figures, folder / "metrics.json")
    show(figures, console)
    return folder / "metrics.json"


class _Asking:
    """The questions of a split, and how they are asked."""

    def __init__(self, settings: dict[str, Any], read: Tables, store: FeatureStore, console: StageConsole) -> None:
        self.settings = settings
        self.questions = _questions(read, settings["split"])
        self.store = store
        self.console = console

    def ask(self, reader: TrainedReader, title: str, shuffled: tuple[str, ...] = (), *, swapped: bool = False) -> Asked:
        """Ask; difference questions only where images are `swapped`, or the images of `shuffled` columns exchanged."""
        questions = self.questions
        if swapped or shuffled:
            questions = questions.filter(pl.col("question_type") == "difference")
        if shuffled:
            questions = exchange_images(questions, shuffled, seed=self.settings["seed"])
        return ask(
            reader,
            pair_set(reader, questions, self.store),
            batch_size=self.settings["batch_size"],
            decoding=self.settings["decoding"],
            console=self.console,
            swapped=swapped,
            title=title,
        )


def _questions(read: Tables, split: str) -> pl.DataFrame:
    questions = read.questions.filter(pl.col("split") == split)
    if not len(questions):
        raise InputError(f"evaluation.split '{split}' has no question: choose val or test")
    return questions


def _score(
    settings: dict[str, Any],
    read: Tables,
    answers: Asked,
    swapped: Asked,
    controls: dict[str, Asked],
    blind_answers: Asked,
) -> dict[str, Any]:
    seed, draws = settings["seed"], settings["draws"]
    with TextScorer() as scorer:
        baselines = _baselines(read, settings, scorer)
        baselines["question_only"] = _judge(blind_answers.predictions, settings, scorer)
        count = len(answers.predictions)
        return assemble(
            _judge(answers.predictions, settings, scorer),
            flip_consistency(answers.predictions, swapped.predictions, seed=seed, draws=draws),
            baselines,
            {name: _judge(asked.predictions, settings, scorer) for name, asked in controls.items()},
            settings["decoding"] | {"seconds": answers.seconds, "answers_per_second": count / answers.seconds},
            _data(read, settings),
        )


def _judge(predictions: pl.DataFrame, settings: dict[str, Any], scorer: TextScorer) -> dict[str, Any]:
    return evaluate_predictions(predictions, bootstrap_seed=settings["seed"], draws=settings["draws"], scorer=scorer)


def _baselines(read: Tables, settings: dict[str, Any], scorer: TextScorer) -> dict[str, Any]:
    questions = _questions(read, settings["split"])
    train = read.questions.filter(pl.col("split") == "train")
    answers = {
        "majority": majority(train, questions),
        "prior": prior(train, questions, generator=np.random.default_rng(settings["seed"])),
    }
    return {name: _judge(table, settings, scorer) for name, table in answers.items()}


def _data(read: Tables, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": read.source,
        "version": read.version,
        "licence": read.licence,
        "split": settings["split"],
        "skipped": read.skipped,
    }


def show(metrics: dict[str, Any], console: StageConsole) -> None:
    """Print the headline figures beside the blind baselines."""
    table = Table(title="difference questions and the others", title_justify="left")
    for column in ("answers of", "change F1", "direction", "CIDEr", "BLEU-4", "other types exact"):
        table.add_column(column, justify="right" if column != "answers of" else "left")
    rows = {"the model": metrics} | metrics.get("baseline", {}) | metrics.get("control", {})
    for name, figures in rows.items():
        difference = figures["by_type"].get("difference", {})
        cells = [figures["changes"]["f1"], figures["changes"]["direction_accuracy"], difference.get("cider")]
        cells += [difference.get("bleu_4"), figures["other_types"]["exact_match"]]
        table.add_row(name, *("-" if cell is None else f"{cell:.3f}" for cell in cells))
    console.print(table)
    if "flip" in metrics:
        flip = metrics["flip"]
        console.print(f"flip consistency {flip['consistency']:.3f} of {flip['n']} questions", highlight=False)
