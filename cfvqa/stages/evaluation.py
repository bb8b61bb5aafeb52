"""The evaluation stage: ask the reader and score its answers beside the baselines; judge contrasts."""

from dataclasses import replace
from pathlib import Path

import polars as pl
from omegaconf import DictConfig
from torch import nn

from cfvqa.data.feature_store import FeatureStore
from cfvqa.errors import InputError
from cfvqa.evaluation.grounding import Pointing, pointing
from cfvqa.evaluation.metrics import MEANING, Figures, add_tests, read_metrics, write_metrics
from cfvqa.evaluation.predictions import PREDICTIONS, join_predictions, write_predictions
from cfvqa.evaluation.report_figures import dig
from cfvqa.evaluation.retrieval import Retrieval
from cfvqa.evaluation.zero_shot import ZeroShot
from cfvqa.files import digest_of
from cfvqa.language.questions import DIFFERENCE
from cfvqa.objectives.base import Contrast
from cfvqa.progress import StageConsole
from cfvqa.settings.building import plain
from cfvqa.settings.reader import contrasts_of
from cfvqa.settings.schema import ANSWERS
from cfvqa.sources.tables import Tables
from cfvqa.stages.asking import (
    Asking,
    Decoding,
    exchange_images,
    questions_of,
    shaping_answers,
    training,
)
from cfvqa.stages.baselines import FIGURES, baselines
from cfvqa.stages.closed_answers import FILE
from cfvqa.stages.contrasting import Comparing
from cfvqa.stages.evaluation_table import show, written
from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage, ensure, identify
from cfvqa.stages.run_folders import run_lock
from cfvqa.stages.scoring import data_of, score_file, score_run
from cfvqa.stages.tables import load_tables, tables
from cfvqa.stages.tracking import track_evaluation
from cfvqa.stages.trained import TrainedReader, load_reader
from cfvqa.stages.vqa import vqa
from cfvqa.stages.word_maps import attended_by_words, local_of


def evaluation_folder(config: DictConfig) -> Path:
    """Return where an evaluation lies: `runs/<name>/evaluation` holds the answers of the finished reader.

    What else is judged lies beside it under the name of its phase, so that no reader loses the figures of its answers.
    """
    run, settings = Path(config.runs) / str(config.name), config.evaluation
    if settings.phase is None and ANSWERS in settings.tasks:
        return run / "evaluation"
    return run / f"evaluation_{judged_phase(config)}"


def judged_phase(config: DictConfig) -> str:
    """Return the phase whose best weights are judged."""
    return str(config.evaluation.phase or list(config.phases)[-1])


def judged_contrasts(config: DictConfig) -> dict[str, Contrast]:
    """Return the contrasts that the judged phase trains with, by name."""
    blocks = {"phases": plain(config.phases), "objective": plain(config.objective)}
    return contrasts_of(blocks, judged_phase(config))


def evaluation(config: DictConfig, console: StageConsole) -> Stage:
    """Return the stage `runs/<name>/evaluation` (see `evaluation_folder`), made if need be."""
    source, extracted = tables(config, console), features(config, console)
    trained = vqa(config, console)
    settings = {key: value for key, value in plain(config.evaluation).items() if key != "blind"}
    beside = baselines(config, console) if ANSWERS in settings["tasks"] else None
    stage_id = identify(MEANING, shaping_answers(settings), trained.id, beside and beside.id)
    stage = Stage("evaluation", evaluation_folder(config), stage_id)

    def make(folder: Path) -> dict[str, str]:
        read = load_tables(source)
        reader = load_reader(trained.folder, settings["phase"])
        asking = Asking(
            settings, FeatureStore(extracted.folder), console, Decoding.of(settings["decoding"], read.questions)
        )
        metrics: Figures = {"interval": {}, "undefined": {}, "data": data_of(read, settings)}
        predictions = None
        if beside is not None:
            metrics, predictions = _judge_answers(asking, read, reader, read_metrics(beside.folder / FIGURES))
            metrics = add_tests(
                metrics, {"word_grounding": _pointing_of_words(config, asking, read, reader, predictions)}
            )
        metrics = add_tests(metrics, _judge_contrasts(config, asking, read, reader))
        metrics["data"] |= {"tables": source.id, "features": extracted.id, "reader": trained.id}
        metrics["data"] |= {"phase": judged_phase(config)}
        (folder / PREDICTIONS).unlink(missing_ok=True)  # of other settings
        if predictions is not None:
            write_predictions(predictions, folder)
        _write_answers(asking.decoding, folder)
        write_metrics(metrics, folder / "metrics.json")
        show(metrics, console)
        track_evaluation(config, metrics, read, predictions, console)
        return _facts(metrics)

    with run_lock(stage, console):
        if not trained.whole:
            raise InputError(f"{trained.folder} holds another training by now: choose another name=...")
        return ensure(stage, make, console)


def _facts(metrics: Figures) -> dict[str, str]:
    """Return the headline of each task."""
    names = ("changes.f1", "retrieval.pair_to_answer.recall_1", "zero_shot.added_macro", "zero_shot.removed_macro")
    return {name: written(dig(metrics, name)) for name in names if name.partition(".")[0] in metrics}


def evaluate_file(config: DictConfig, console: StageConsole) -> Path:
    """Score a file of answers (`predictions`); write `metrics.json` and `predictions.parquet` of `runs/<name>`.

    `question_only` is not among its baselines: that control is trained on features, which a stranger's answers do
    not need.

    Raises:
        InputError: if more than answers shall be judged, or the run has a reader of its own.
    """
    if list(config.evaluation.tasks) != [ANSWERS] or config.evaluation.phase is not None:
        raise InputError("a file holds answers and nothing else: leave evaluation.tasks and evaluation.phase out")
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
    given = {"strategy": "given in a file", "file": file.name, "sha256": digest_of(file)}
    figures = score_file(settings, read, predictions, given)
    figures["data"] |= {"tables": source.id}
    with run_lock(Stage("evaluation", folder, given["sha256"]), console):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").unlink(missing_ok=True)  # of other answers
        write_predictions(predictions, folder)
        write_metrics(figures, folder / "metrics.json")
    show(figures, console)
    return folder / "metrics.json"


def _judge_answers(
    asking: Asking, read: Tables, reader: TrainedReader, beside: dict[str, Figures]
) -> tuple[Figures, pl.DataFrame]:
    """Return the figures of a reader's answers beside those of the baselines, and the answers."""
    settings = asking.settings
    questions = questions_of(read, settings["split"])
    difference = questions.filter(pl.col("question_type") == DIFFERENCE)
    answers = asking.ask(reader, questions, "asking the reader")
    swapped = asking.ask(reader, difference, "asking with swapped images", swapped=True)
    controls = {
        name: asking.ask(reader, shown, f"asking with {name.replace('_', ' ')}")
        for name, shown in controls_of(reader.model, difference, settings["seed"]).items()
    }
    turned = swapped.predictions.select("question_id", swapped="prediction")
    both = answers.predictions.drop("swapped").join(turned, on="question_id", how="left", maintain_order="left")
    answers = replace(answers, predictions=both)
    return score_run(settings, read, answers, controls, beside, asking.store), answers.predictions


def _pointing_of_words(
    config: DictConfig, asking: Asking, read: Tables, reader: TrainedReader, predictions: pl.DataFrame
) -> Pointing | None:
    """Return whether the words of answers look where something has changed; None where they have not learned to."""
    contrast = local_of(judged_contrasts(config))
    if contrast is None:
        return None
    attended = attended_by_words(reader, contrast, predictions, asking.store)
    drawn = {"seed": asking.settings["seed"], "draws": asking.settings["draws"]}
    return pointing(attended, read.findings, training(read), **drawn)


def _judge_contrasts(
    config: DictConfig, asking: Asking, read: Tables, reader: TrainedReader
) -> dict[str, Retrieval | ZeroShot]:
    """Return the figures of the tasks that need no answer; nothing where none is asked for."""
    tasks = [task for task in asking.settings["tasks"] if task != ANSWERS]
    if not tasks:
        return {}
    contrasts = judged_contrasts(config)
    comparing = Comparing(reader, contrasts, asking.store, training(read), asking.settings, asking.console)
    questions = questions_of(read, asking.settings["split"])
    return {task: comparing.judge(task, questions) for task in tasks}


def _write_answers(decoding: Decoding, folder: Path) -> None:
    """Leave the closed list for those who ask the run later; of an evaluation before, none stays."""
    (folder / FILE).unlink(missing_ok=True)
    if decoding.closed is not None:
        decoding.closed.save(folder)


def controls_of(model: nn.Module, difference: pl.DataFrame, seed: int) -> dict[str, pl.DataFrame]:
    """Return name -> difference questions whose images say less than they should, or nothing.

    A reader that puts such answers together (see `models.outputs.Reader`) is not asked without a reference image: it
    would have them written by a part that has never learned to.
    """
    shown = {
        "shuffled_reference": exchange_images(difference, ("reference_image",), seed=seed),
        "shuffled_pair": exchange_images(difference, ("main_image", "reference_image"), seed=seed),
    }
    if not hasattr(model, "answer"):
        shown["no_reference"] = difference.with_columns(reference_image=pl.lit(None, dtype=pl.String))
    return shown
