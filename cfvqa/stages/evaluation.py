"""The evaluation stage: ask the reader, its blind control and the baselines; score them all alike."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig
from rich.table import Table

from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.evaluation.metrics import write_metrics
from cfvqa.evaluation.predictions import DIFFERENCE, join_predictions, write_predictions
from cfvqa.stages.asking import Asked, Decoding, ask, exchange_images, pair_set
from cfvqa.stages.building import plain
from cfvqa.stages.closed_answers import FILE, ClosedAnswers
from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.progress import StageConsole
from cfvqa.stages.run_folders import run_lock
from cfvqa.stages.schema import ranks
from cfvqa.stages.scoring import questions_of, score_file, score_run
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.tracking import track_evaluation
from cfvqa.stages.trained import TrainedReader, load_reader
from cfvqa.stages.vqa import blind, vqa

CONTENT = 4
"""Of the tables of predictions and metrics; another number, and every evaluation is made again."""


def evaluation(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage `runs/<name>/evaluation`, made if need be."""
    source, extracted = tables(config, console), features(config, console)
    trained, control = vqa(config, console), blind(config, console)
    settings = {key: value for key, value in plain(config.evaluation).items() if key != "blind"}
    shaping = {key: value for key, value in settings.items() if key != "batch_size"}
    stage_id = identify(CONTENT, shaping, trained.id, control.id)
    stage = Stage("evaluation", Path(config.runs) / str(config.name) / "evaluation", stage_id)

    def make(folder: Path) -> dict[str, str]:
        read = load_tables(source)
        store = FeatureStore(extracted.folder)
        reader = load_reader(trained.folder)
        asking = _Asking(settings, store, console, _decoding(settings["decoding"], read.questions))
        questions = questions_of(read, settings["split"])
        difference = questions.filter(pl.col("question_type") == DIFFERENCE)
        answers = asking.ask(reader, questions, "asking the reader")
        swapped = asking.ask(reader, difference, "asking with swapped images", swapped=True)
        controls = {
            name: asking.ask(reader, shown, f"asking with {name.replace('_', ' ')}")
            for name, shown in _controls(difference, settings["seed"]).items()
        }
        blind_answers = asking.ask(load_reader(control.folder), questions, "asking the blind control")
        metrics = score_run(settings, read, answers, swapped, controls, blind_answers)
        metrics["data"] |= {"tables": source.id, "features": extracted.id, "reader": trained.id}
        write_predictions(answers.predictions, folder)
        _write_answers(asking.decoding, folder)
        write_metrics(metrics, folder / "metrics.json")
        track_evaluation(config, metrics, read, answers.predictions)
        show(metrics, console)
        return {"changes.f1": _number(metrics["changes"]["f1"])}

    with run_lock(stage, console):
        if not trained.whole:
            raise InputError(f"{trained.folder} holds another training by now: choose another name=...")
        return ensure(stage, make, console)


def evaluate_file(config: DictConfig, console: StageConsole) -> Path:
    """Score a file of answers (`predictions`); write `metrics.json` and `predictions.parquet` of `runs/<name>`.

    `question_only` is not among its baselines: that control is trained on features, which a stranger's answers do
    not need.
    """
    folder = Path(config.runs) / str(config.name) / "evaluation"
    if folder.with_name("vqa").exists():
        raise InputError(
            f"name={config.name} is a run with a reader of its own: give the answers of the file another name=..."
        )
    source = tables(config, console)
    read = load_tables(source)
    settings = plain(config.evaluation)
    file = Path(config.predictions)
    predictions = join_predictions(file, questions_of(read, settings["split"]))
    given = {"strategy": "given in a file", "file": file.name, "sha256": sha256(file.read_bytes()).hexdigest()}
    figures = score_file(settings, read, predictions, given)
    figures["data"] |= {"tables": source.id}
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(predictions, folder)
    write_metrics(figures, folder / "metrics.json")
    show(figures, console)
    return folder / "metrics.json"


@dataclass(frozen=True)
class _Asking:
    """How questions are asked.

    Attributes:
        settings: the config block `evaluation`.
        store: features of the images.
        console: where progress is shown.
        decoding: how answers are found.
    """

    settings: dict[str, Any]
    store: FeatureStore
    console: StageConsole
    decoding: Decoding

    def ask(self, reader: TrainedReader, questions: pl.DataFrame, title: str, *, swapped: bool = False) -> Asked:
        """Ask; with main and reference image `swapped` where that is said."""
        return ask(
            reader,
            pair_set(reader, questions, self.store),
            batch_size=self.settings["batch_size"],
            decoding=self.decoding,
            seed=self.settings["seed"],
            console=self.console,
            swapped=swapped,
            title=title,
        )


def _decoding(settings: dict[str, Any], questions: pl.DataFrame) -> Decoding:
    """Return how answers are found; a closed list is of training questions."""
    if not ranks(settings):
        return Decoding(settings)
    return Decoding(settings, ClosedAnswers.of_training(questions, settings.get("candidates")))


def _write_answers(decoding: Decoding, folder: Path) -> None:
    """Leave the closed list for those who ask the run later; of an evaluation before, none stays."""
    (folder / FILE).unlink(missing_ok=True)
    if decoding.closed is not None:
        decoding.closed.save(folder)


def _controls(difference: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Return name -> difference questions whose images say less than they should, or nothing."""
    return {
        "shuffled_reference": exchange_images(difference, ("reference_image",), seed=seed),
        "shuffled_pair": exchange_images(difference, ("main_image", "reference_image"), seed=seed),
        "no_reference": difference.with_columns(reference_image=pl.lit(None, dtype=pl.String)),
    }


def show(metrics: dict[str, Any], console: StageConsole) -> None:
    """Print the headline figures beside the blind baselines."""
    table = Table(title="difference questions and the others", title_justify="left")
    table.add_column("answers of", no_wrap=True)  # narrow terminals break the titles of figures, never a name
    for column in ("change F1", "direction", "CIDEr", "BLEU-4", "other types exact"):
        table.add_column(column, justify="right", overflow="fold")
    rows = {"the model": metrics} | metrics.get("baseline", {}) | metrics.get("control", {})
    for name, figures in rows.items():
        difference = figures["by_type"].get("difference", {})
        cells = [figures["changes"]["f1"], figures["changes"]["direction_accuracy"], difference.get("cider")]
        cells += [difference.get("bleu_4"), figures["other_types"]["exact_match"]]
        table.add_row(name, *map(_number, cells))
    console.print(table)
    for name, score in metrics.get("labels", {}).items():
        console.print(f"a reader without any error, {name.replace('_', ' ')}: {score:.3f}", highlight=False)
    if "flip" in metrics:
        flip = metrics["flip"]
        console.print(f"flip consistency {_number(flip['consistency'])} of {flip['n']} questions", highlight=False)


def _number(value: float | None) -> str:
    """Write a figure; a dash where it is not defined, as without any question of the kind."""
    return "-" if value is None else f"{value:.3f}"
