"""What cfvqa-compare does: the figures of finished runs beside the settings in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.table import Table

from cfvqa.errors import InputError
from cfvqa.evaluation.charts import Figure
from cfvqa.evaluation.metrics import read_metrics
from cfvqa.evaluation.report_figures import dig, figure_at
from cfvqa.stages.kinds import shown
from cfvqa.stages.run_folders import differences, settings_in
from cfvqa.stages.table_files import write_table

_FIGURES = {
    "change F1": "changes.f1",
    "direction": "changes.direction_accuracy",
    "level": "changes.level_accuracy",
    "others exact": "other_types.exact_match",
    "flip": "flip.consistency",
    "CIDEr": "by_type.difference.cider",
    "BLEU-4": "by_type.difference.bleu_4",
}


@dataclass(frozen=True)
class Compared:
    """A run among others.

    Attributes:
        name: of the run.
        settings: in which the runs differ, dotted key -> value.
        figures: by title.
        asked: which questions it was judged by: ids of the tables, and the split.
    """

    name: str
    settings: dict[str, Any]
    figures: dict[str, Figure]
    asked: tuple[str, str]


def compare(config: DictConfig, console: Console) -> list[Compared]:
    """Print the runs of the config side by side; with `to`, write `comparison.csv` and `comparison.md` there too.

    Raises:
        InputError: if `runs` is no list of two runs at least, or one of them is not there or was not judged.
    """
    if not isinstance(config.runs, ListConfig) or len(config.runs) < 2:
        raise InputError("runs: give two runs at least, 'runs=[runs/A,runs/B]'")
    folders = [_folder(str(run)) for run in config.runs]
    held = [settings_in(folder / "vqa") for folder in folders]
    keys = sorted({key for other in held for key in differences(held[0], other)})
    runs = [_compared(folder, settings, keys) for folder, settings in zip(folders, held, strict=True)]
    header, rows = _cells(runs, keys)
    table = Table(title="figures with 95 % intervals by subject", title_justify="left")
    for title, *cells in zip(header, *rows, strict=True):  # a column a run: a terminal is high, not wide
        if title == header[0]:
            for name in (title, *cells):
                table.add_column(name, overflow="fold")
        else:
            table.add_row(title, *cells)
    console.print(table)
    if len({run.asked for run in runs}) > 1:
        console.print("note: these runs were not judged by the same questions; their figures do not compare")
    if config.to is not None:
        files = write_table(header, rows, Path(config.to).expanduser(), "comparison")
        console.print(f"written    {files[0]}, {files[1]}", soft_wrap=True)
    return runs


def _folder(name: str) -> Path:
    """Return the folder of a run, given itself or by its name in `runs`."""
    for folder in (Path(name).expanduser(), Path("runs") / name):
        if (folder / "evaluation" / "metrics.json").is_file():
            return folder
    raise InputError(f"runs: {name} is no judged run: give folders of runs, and judge them first (cfvqa-evaluate)")


def _compared(folder: Path, settings: dict[str, Any], keys: Sequence[str]) -> Compared:
    file = folder / "evaluation" / "metrics.json"
    metrics = read_metrics(file)
    try:
        figures = {title: figure_at(metrics, key) for title, key in _FIGURES.items()}
        asked = (metrics["data"]["tables"], metrics["data"]["split"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged ({error!r}): judge the run again, cfvqa-evaluate") from error
    return Compared(folder.name, {key: dig(settings, key) for key in keys}, figures, asked)


def _cells(runs: Sequence[Compared], keys: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [run.name, *(_word(run.settings[key]) for key in keys), *(_shown(run.figures[title]) for title in _FIGURES)]
        for run in runs
    ]
    return ["run", *keys, *_FIGURES], rows


def _word(value: Any) -> str:
    """Return a setting as a user writes it; of a whole block that others lack, only that it is there."""
    return "there" if isinstance(value, dict) else shown(value)


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.3f}{interval}"
