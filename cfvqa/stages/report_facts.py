"""What ran, in words: the settings, counts, ids, versions and times that a report ends with."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from omegaconf import DictConfig

from cfvqa.evaluation.metrics import decoding_in
from cfvqa.evaluation.report import Facts
from cfvqa.progress import StageConsole
from cfvqa.settings.building import plain
from cfvqa.stages.baselines import baselines
from cfvqa.stages.features import features
from cfvqa.stages.identity import Stage
from cfvqa.stages.importing import imports
from cfvqa.stages.tables import TablesStage, tables
from cfvqa.stages.vision import anatomy, findings
from cfvqa.stages.vqa import blind, vqa

_PACKAGES = ("cfvqa", "torch", "torchvision", "lightning", "transformers", "tokenizers", "numpy", "polars")
_VALUES = {"None": "none", "True": "yes", "False": "no"}

Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ran:
    """The finished stages behind an evaluation, in their order; imported features have no vision models."""

    tables: TablesStage
    anatomy: Stage | None
    findings: Stage | None
    features: Stage
    reader: Stage
    control: Stage
    baselines: Stage
    evaluation: Stage

    @classmethod
    def behind(cls, config: DictConfig, judged: Stage, console: StageConsole) -> "Ran":
        """Find the stages behind a finished evaluation; all are there, so that nothing is made.

        Args:
            config: of the run.
            judged: its evaluation.
            console: of the command, for which the data set was looked through, and which has named the stages already.
        """
        vision = (None, None) if imports(config) else (anatomy(config, console), findings(config, console))
        stages = (stage(config, console) for stage in (features, vqa, blind, baselines))
        return cls(tables(config, console), *vision, *stages, judged)

    def named(self) -> dict[str, Stage]:
        """Return the stages by their titles on the page."""
        stages = {title: getattr(self, name) for name, title in _TITLES.items()}
        return {title: stage for title, stage in stages.items() if stage is not None}


_TITLES = {
    "tables": "tables",
    "anatomy": "anatomy detector",
    "findings": "finding classifier",
    "features": "features",
    "reader": "reader",
    "control": "blind control",
    "baselines": "baselines",
    "evaluation": "evaluation",
}


def facts_of(config: DictConfig, ran: Ran, metrics: Mapping[str, Any]) -> tuple[Facts, ...]:
    """Return everything of a run that does not depend on time."""
    data = json.loads((ran.tables.folder / "dataset.json").read_text())
    return (
        Facts("Data", _data(config, data)),
        Facts("Vision models", _vision(config, ran)),
        Facts("Reader", _reader(config, ran)),
        Facts("Phases of the reader", tuple((name, _phase(phase)) for name, phase in plain(config.phases).items())),
        Facts("Evaluation", _evaluation(config, metrics)),
        Facts("Stage ids", tuple((title, stage.id) for title, stage in ran.named().items())),
        Facts("Versions", (("Python", platform.python_version()), *((name, version(name)) for name in _PACKAGES))),
    )


def notes_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a reader of a page must know before any figure: whose images it shows."""
    device = "This is research software, no medical device."
    if data["name"] == "phantom":
        return (f"Figures on the phantom say nothing of patients: its radiographs are drawn. {device}",)
    keep = (
        f"This page holds images and texts of the data set {data['name']} (licence: {data['licence']}): keep it on "
        "this machine."
    )
    return keep, device


def times_of(ran: Ran, metrics: Mapping[str, Any]) -> Rows:
    """Return how long each stage took to make, and how fast answers were written."""
    rows = [(title, f"{stage.seconds:,.1f} s") for title, stage in ran.named().items()]
    speed = metrics["decode"].get("answers_per_second")
    return (*rows, ("answers", f"{speed:,.0f} a second")) if speed is not None else tuple(rows)


def words(value: Any) -> str:
    """Write a setting in words: a class by its name with its arguments, a list by its items."""
    if isinstance(value, Mapping):
        name = str(value.get("_target_", "")).rsplit(".", 1)[-1]
        rest = ", ".join(f"{key} {words(item)}" for key, item in value.items() if not key.startswith("_"))
        return f"{name} ({rest})" if name and rest else name or rest
    if isinstance(value, list):
        return " ".join(words(item) for item in value)
    return _VALUES.get(str(value), str(value))


def _data(config: DictConfig, data: Mapping[str, Any]) -> Rows:
    skipped = "; ".join(f"{reason}: {count:,}" for reason, count in sorted(data["skipped"].items())) or "nothing"
    counts = tuple((name.replace("_", " "), f"{count:,}") for name, count in data["counts"].items())
    return (
        ("data set", f"{data['source']}, version {data['version']}"),
        ("licence", data["licence"]),
        ("split", words(config.source.split)),
        ("limit", words(config.limit)),
        ("subjects", f"{data['subjects']:,}"),
        *counts,
        ("left out", skipped),
    )


def _vision(config: DictConfig, ran: Ran) -> Rows:
    rows: list[tuple[str, str]] = []
    for name, stage in (("detector", ran.anatomy), ("classifier", ran.findings)):
        if stage is None:
            return (("features", "imported, published ones (extraction.published)"),)
        block = plain(config[name])
        training = block["training"]
        rows.append((name, words(block["network"])))
        rows.append(("training", words({key: training[key] for key in training if key != "workers"})))
        rows.append(("on test", test_figure(stage) or "no test subjects"))
    told = words(config.extraction.truth)
    return (("image side", f"{config.image_size} pixels"), *rows, ("taken from the labels instead", told))


def test_figure(stage: Stage) -> str:
    """Return the headline figure on test subjects of a vision stage in words; empty where there is none."""
    file = stage.folder / "test.json"
    figures = json.loads(file.read_text()) if file.is_file() else {}
    names = {"test/map_50": "mAP@0.5", "test/auroc": "macro AUROC"}
    return ", ".join(f"{names[name]} {figures[name]:.3f}" for name in names if name in figures)


def _reader(config: DictConfig, ran: Ran) -> Rows:
    return (
        ("model", words(plain(config.model.network))),
        ("text", words(plain(config.text))),
        ("parameters", ran.reader.facts().get("parameters", "not recorded")),
        ("of the blind control", ran.control.facts().get("parameters", "not recorded")),
        ("seed", words(config.seed)),
        ("precision", words(config.precision)),
        ("compiled", words(config.compile)),
        ("trainer", words(plain(config.trainer))),
        ("pairs", words({key: value for key, value in plain(config.pairs).items() if key != "workers"})),
    )


def _phase(phase: Mapping[str, Any]) -> str:
    epochs = "1 epoch" if phase["epochs"] == 1 else f"{phase['epochs']} epochs"
    return (
        f"{epochs}, {phase['units_per_batch']} pairs or single images a batch; objectives "
        f"{words(phase['objectives'])}; {words(phase['optimizer'])}; {words(phase['schedule'])}; "
        f"checkpoint by {phase['monitor']}"
    )


def _evaluation(config: DictConfig, metrics: Mapping[str, Any]) -> Rows:
    decoding = decoding_in(metrics["decode"])
    settings = config.evaluation
    return (
        ("split", words(settings.split)),
        ("decoding", words(decoding)),
        ("bootstrap", f"{settings.draws:,} draws of subjects, seed {settings.seed}"),
    )
