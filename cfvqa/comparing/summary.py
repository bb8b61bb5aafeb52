"""What cfvqa-summary does: every judged run of a folder in one table, and each system over its seeds."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student
from yaml import YAMLError

from cfvqa.comparing.judged_by import JudgedBy
from cfvqa.errors import InputError
from cfvqa.evaluation.metrics import decoding_in, read_metrics
from cfvqa.evaluation.report_figures import dig
from cfvqa.files import DAMAGE
from cfvqa.stages.identity import SUCCESS
from cfvqa.stages.run_folders import differences, settings_in, stored_config
from cfvqa.table_files import write_table

SUMMARY, SYSTEMS = "summary", "systems"
"""Names of the tables: a row a run; a row a system."""

_RULES = "rules"
"""Name of the row of no reader at all, and of its figures in `metrics.json`."""

_FIGURES = {
    "changes_f1": "changes.f1",
    "direction_accuracy": "changes.direction_accuracy",
    "level_accuracy": "changes.level_accuracy",
    "cider": "by_type.difference.cider",
    "bleu_4": "by_type.difference.bleu_4",
    "flip_consistency": "flip.consistency",
    "pointing_1": "grounding.pointing_1",
    "hallucinated_per_100": "changes.hallucinated_per_100",
    "unparsed": "changes.unparsed",
    "others_exact": "other_types.exact_match",
}
_COSTS = ("parameters", "seconds")
_PRINTED = {
    "variant": "variant",
    "label_fraction": "labels",
    "changes_f1": "change F1",
    "cider": "CIDEr",
    "flip_consistency": "flip",
}
"""What of a system a terminal of 80 columns has room for, and its headings there; the files have all."""

_CONFIDENCE = 0.95
_ASIDE = re.compile(r"\.[0-9a-f]{12}(\.\d+)?$")


@dataclass(frozen=True)
class Judged:
    """A judged run.

    Attributes:
        folder: of the run.
        variant: of the config.
        seed: of the reader.
        label_fraction: share of the training subjects whose questions the last phase asked.
        judged: by what.
        settings: what shapes its reader, but for the seed, and how it decodes.
        figures: by the names of columns; None where one is not defined.
        features: id of what it reads.
        ruled: the same figures of a rule over the findings of the features, without any reader; empty where none is.
    """

    folder: Path
    variant: str
    seed: int
    label_fraction: float
    judged: JudgedBy
    settings: dict[str, Any]
    figures: dict[str, float | None]
    features: str | None
    ruled: dict[str, float | None]


def summarise(config: DictConfig, console: Console) -> Path:
    """Write `summary` and `systems` (.csv, .md) beside the judged runs of the folder `runs`; print the second.

    `summary` has a row a run; `systems` the mean of each system over its seeds, with a 95 % interval of the mean by
    Student's t, and a row `rules`: what no reader at all scores, by a rule over the findings that all of them read.

    Raises:
        InputError: if there is no judged run, one is damaged, or they were judged by different questions, or scored by
            different versions.
    """
    if isinstance(config.runs, ListConfig):
        raise InputError("runs: give one folder of judged runs, runs=FOLDER")
    folder = Path(config.runs)
    judged = [file.parent.parent for file in sorted(folder.glob("*/evaluation/metrics.json"))]
    own = [run for run in judged if _is_of_a_reader(run)]
    if not own:
        raise InputError(f"runs={folder} holds no judged run: give the folder of runs, or judge them (cfvqa-evaluate)")
    if left := [run.name for run in judged if run not in own]:
        console.print(f"left out: {', '.join(left)}: answers of files, and runs kept aside", soft_wrap=True)
    if unfinished := [run.name for run in sorted(folder.glob("*")) if _is_of_a_reader(run) and run not in judged]:
        console.print(f"left out: {', '.join(unfinished)}: not judged yet (cfvqa-evaluate goes on)", soft_wrap=True)
    runs = sorted(map(_judged, own), key=lambda run: (run.variant, -run.label_fraction, run.seed))
    _check_alike(runs)
    columns = [*_FIGURES, *_COSTS]
    header = ["variant", "seed", "label_fraction", *columns]
    rows = [
        [run.variant, str(run.seed), f"{run.label_fraction:g}", *(_cell(run.figures[name]) for name in columns)]
        for run in runs
    ]
    table, _ = write_table(header, rows, folder, SUMMARY)
    header, rows = _systems(runs, columns)
    _, page = write_table(header, rows, folder, SYSTEMS)
    console.print(_shown(header, rows))
    console.print(f"every run: {table}; every system: {page}", highlight=False, soft_wrap=True)
    return table


def _is_of_a_reader(run: Path) -> bool:
    """Whether a run has a reader of its own, and was not kept aside for another of its name (NAME.ID)."""
    return (run / "vqa").is_dir() and not _ASIDE.search(run.name)


def _check_alike(runs: Sequence[Judged]) -> None:
    """Refuse runs that were judged differently, and such as are no seeds of one system: they would be averaged.

    Raises:
        InputError: naming two runs, and in what they differ or do not.
    """
    first: dict[tuple[str, float], Judged] = {}
    for run in runs:
        runs[0].judged.check_same(run.judged)
        other = first.setdefault((run.variant, run.label_fraction), run)
        if changed := differences(other.settings, run.settings):
            raise InputError(
                f"{other.folder} and {run.folder} are both variant {run.variant}, but differ in {', '.join(changed)}: "
                "give one of them another folder of runs, or a variant of its own"
            )
        if other is not run and other.seed == run.seed:
            raise InputError(f"{other.folder} and {run.folder} are the same seed of one system: take one away")


def _judged(run: Path) -> Judged:
    metrics = read_metrics(run / "evaluation" / "metrics.json")
    try:
        config = stored_config(run / "config.yaml")
        *_, last = config["phases"].values()
        done = json.loads((run / "vqa" / SUCCESS).read_text())
        return Judged(
            folder=run,
            variant=str(config["variant"]),
            seed=int(config["seed"]),
            label_fraction=float(last.get("label_fraction", 1.0)),
            judged=JudgedBy.of(str(run), metrics),
            settings={name: value for name, value in settings_in(run / "vqa").items() if name != "seed"}
            | {"decoding": decoding_in(metrics["decode"])},
            figures={name: dig(metrics, key) for name, key in _FIGURES.items()}
            | {"parameters": float(done["facts"]["parameters"].replace(",", "")), "seconds": float(done["seconds"])},
            features=metrics["data"].get("features"),
            ruled={name: dig(metrics, f"{_RULES}.{key}") for name, key in _FIGURES.items() if _RULES in metrics},
        )
    except (*DAMAGE, OSError, OmegaConfBaseException, YAMLError) as error:
        raise InputError(f"{run} is no whole run ({error}): train and judge it again, or take it away") from error


def _systems(runs: Sequence[Judged], columns: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return a row a variant and share of labels, and one of the rule, best change F1 first."""
    groups: dict[tuple[str, float], list[Judged]] = {}
    for run in runs:
        groups.setdefault((run.variant, run.label_fraction), []).append(run)
    rows = [
        ([variant, f"{fraction:g}", str(len(some))], {name: [run.figures[name] for run in some] for name in columns})
        for (variant, fraction), some in groups.items()
    ]
    rows += _ruled(runs, columns)
    rows.sort(key=lambda row: -_mean(row[1]["changes_f1"]))
    return ["variant", "label_fraction", "seeds", *columns], [
        [*names, *(_spread(values[name]) for name in columns)] for names, values in rows
    ]


def _ruled(runs: Sequence[Judged], columns: Sequence[str]) -> list[tuple[list[str], dict[str, list[float | None]]]]:
    """Return the row of the rule: it is one for all runs over the same features."""
    found = {run.features: run.ruled for run in runs if run.ruled}
    names = {features: _RULES if len(found) == 1 else f"{_RULES} of features {features}" for features in found}
    return [
        ([names[features], "-", "-"], {name: [figures.get(name)] for name in columns})
        for features, figures in found.items()
    ]


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("-inf")


def _spread(values: Sequence[float | None]) -> str:
    """Return mean ± half of the interval, the mean alone of a single value, and of how many seeds if not of all."""
    known = np.array([value for value in values if value is not None], dtype=float)
    if not len(known):
        return "-"
    mean = _cell(float(known.mean()))
    some = f" ({len(known)} of {len(values)})" if len(known) < len(values) else ""
    if len(known) == 1 or np.ptp(known) == 0:
        return mean + some
    half = student.ppf((1 + _CONFIDENCE) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return f"{mean} ± {_cell(float(half))}{some}"


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def _shown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title="mean over the seeds ± half of its 95 % interval", title_justify="left")
    for name, heading in _PRINTED.items():
        table.add_column(heading, overflow="fold", justify="left" if name == header[0] else "right")
    for row in rows:
        table.add_row(*(row[header.index(name)] for name in _PRINTED))
    return table
