"""Where the figures of a training and of an evaluation go: `metrics.csv`, and the tracker of the config, if any."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig
from rich.console import Console

from cfvqa.errors import InputError
from cfvqa.settings.building import TRACKERS, build
from cfvqa.sources.image_files import read_image
from cfvqa.sources.tables import Tables
from cfvqa.training.curve_logger import CurveLogger
from cfvqa.training.ranks import rank
from cfvqa.training.trackers import Row, TrackedRun, Tracker

_SUMMARY = ("changes", "other_types", "by_type", "flip", "retrieval", "zero_shot", "interval")
_LONG = {"changes": ("by_finding",), "zero_shot": ("added", "removed")}  # figures of each finding
_SAMPLE_COLUMNS = ("question", "answer", "prediction", "main image", "reference image")


def tracker_of(config: DictConfig) -> Tracker | None:
    """Return the tracker of the config, None where `metrics.csv` is all."""
    block = config.logger.tracker
    return None if block is None else build(block, "logger.tracker", TRACKERS)


@contextmanager
def training_loggers(config: DictConfig, folder: Path, run: TrackedRun) -> Iterator[list[Logger]]:
    """Yield the loggers of a training: that of `folder/metrics.csv`, which the report draws, and the tracker's."""
    if rank() > 0:
        yield []
        return
    with _tracked(tracker_of(config), run) as logger:
        yield [CurveLogger(folder), *([] if logger is None else [logger])]


def track_evaluation(
    config: DictConfig, metrics: Mapping[str, Any], read: Tables, answers: pl.DataFrame | None, console: Console
) -> None:
    """Send the figures of an evaluation to the tracker; questions and images only with `logger.share_samples`.

    Args:
        config: of the run.
        metrics: content of `metrics.json`.
        read: the tables that the questions are of.
        answers: the table of predictions; None where no answer was judged.
        console: gets a warning where the tracker cannot be reached: the evaluation is not thrown away for that.
    """
    try:
        _track(config, metrics, read, answers)
    except InputError as error:
        console.print(
            f"warning: the tracker has not got all of this evaluation: {error}; its figures lie in metrics.json; to "
            "send them later, delete the folder of the evaluation and give the command again",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _track(config: DictConfig, metrics: Mapping[str, Any], read: Tables, answers: pl.DataFrame | None) -> None:
    tracker, name = tracker_of(config), str(config.name)
    run = TrackedRun(name, "evaluation", str(config.group), Path(config.runs) / name)
    with _tracked(tracker, run) as logger:
        if tracker is None or logger is None:
            return
        logger.log_metrics(_summary(metrics), step=0)
        if answers is None:
            return
        tracker.log_table(logger, "findings", *_findings(metrics))
        if config.logger.get("share_samples", False):
            tracker.log_table(logger, "samples", _SAMPLE_COLUMNS, _samples(read, answers, config.report.pairs))


def sending_lines(config: DictConfig, folders: Sequence[Path]) -> list[str]:
    """Return what a user may do to send what the folders hold to their tracker; nothing where it is there, or none."""
    tracker = tracker_of(config)
    commands = [] if tracker is None else [tracker.sending(folder) for folder in folders]
    return [
        f"send       {command}  # figures and settings, kept on this machine till then"
        for command in commands
        if command
    ]


@contextmanager
def _tracked(tracker: Tracker | None, run: TrackedRun) -> Iterator[Logger | None]:
    if tracker is None:
        yield None
        return
    logger = tracker.start(run)
    try:
        yield logger
    finally:
        tracker.end(logger)


def _summary(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of the model and the change F1 of what it is compared with, by dotted names."""
    kept = {name: metrics[name] for name in _SUMMARY if name in metrics}
    figures = dict(_flat(_short(kept) | {"interval": _short(kept["interval"])}))
    for place in ("baseline", "control"):
        others = metrics.get(place, {})
        figures |= dict(_flat({place: {name: other["changes"]["f1"] for name, other in others.items()}}))
    return figures


def _short(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures without those of each finding."""
    whole = {name: value for name, value in figures.items() if name not in _LONG}
    kept = {name: figures[name].items() for name in _LONG if name in figures}
    return whole | {
        name: {key: value for key, value in pairs if key not in _LONG[name]} for name, pairs in kept.items()
    }


def _flat(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}{name}.")
        elif isinstance(value, list):
            yield from ((f"{place}{name}.{end}", limit) for end, limit in zip(("low", "high"), value, strict=True))
        elif value is not None:
            yield f"{place}{name}", float(value)


def _findings(metrics: Mapping[str, Any]) -> tuple[tuple[str, ...], list[Row]]:
    columns = ("n", "precision", "recall", "f1")
    scores = metrics["changes"]["by_finding"]
    return ("finding", *columns), [[name, *(one[column] for column in columns)] for name, one in scores.items()]


def _samples(read: Tables, answers: pl.DataFrame, count: int) -> list[Row]:
    """Return the first answers with their images, (H, W) arrays of bytes."""
    paths = dict(read.images.select("image_id", "path").iter_rows())

    def picture(image: str | None) -> Any:
        return None if image is None else (read_image(read.root / paths[image]) * 255).round().astype("uint8")

    texts = answers.select("question", "answer", "prediction", "main_image", "reference_image").head(count)
    return [[*row[:3], picture(row[3]), picture(row[4])] for row in texts.iter_rows()]
