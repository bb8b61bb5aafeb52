"""What cfvqa-compare does: the figures of finished runs beside the settings in which they differ, and pair by pair."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.table import Table

from cfvqa.comparing.disagreement_page import write_disagreements
from cfvqa.comparing.judged_by import JudgedBy
from cfvqa.errors import InputError
from cfvqa.evaluation.charts import Figure
from cfvqa.evaluation.metrics import decoding_in, read_metrics
from cfvqa.evaluation.paired import POINTING, Difference, compare_paired
from cfvqa.evaluation.predictions import SCHEMA
from cfvqa.evaluation.report_figures import dig, figure_at
from cfvqa.files import damage_named, make_folder
from cfvqa.settings.kinds import shown
from cfvqa.sources.tables import SCHEMAS
from cfvqa.stages.run_folders import differences, settings_in
from cfvqa.table_files import write_latex, write_table

_FIGURES = {
    "change F1": "changes.f1",
    "direction": "changes.direction_accuracy",
    "level": "changes.level_accuracy",
    "others exact": "other_types.exact_match",
    "flip": "flip.consistency",
    "CIDEr": "by_type.difference.cider",
    "BLEU-4": "by_type.difference.bleu_4",
    "pointing": "grounding.pointing_1",
    "unparsed": "changes.unparsed",
}
_TITLES = ("run", "figure", "of the first", "of this run", "difference", "95 % interval", "p", "p corrected")


@dataclass(frozen=True)
class Compared:
    """A run among others.

    Attributes:
        name: of the run.
        settings: in which the runs differ, dotted key -> value.
        figures: by title.
        judged: by what.
        answers: its table of predictions.
    """

    name: str
    settings: dict[str, Any]
    figures: dict[str, Figure]
    judged: JudgedBy
    answers: pl.DataFrame


def compare(config: DictConfig, console: Console) -> list[Compared]:
    """Print the runs of the config side by side, and how each differs from the first on the same questions.

    With `to`, both tables are written there, `comparison` and `differences`: .csv, .md and .tex, and
    `disagreements.html`, the pairs of which they say different things.

    Raises:
        InputError: if `runs` is no list of two different runs at least, one of them is not there or was not judged, or
            they were judged by different questions, or scored by different versions.
    """
    if not isinstance(config.runs, ListConfig) or len(config.runs) < 2:
        raise InputError("runs: give two runs at least, 'runs=[runs/A,runs/B]'")
    folders = [_folder(str(run)) for run in config.runs]
    _check_names([folder.name for folder in folders])
    held = [_settings_of(folder) for folder in folders]
    keys = sorted({key for other in held for key in differences(held[0], other)})
    runs = [_compared(folder, settings, keys) for folder, settings in zip(folders, held, strict=True)]
    _check_asked(runs)
    if config.to is not None:
        make_folder(Path(config.to), "to")
    header, rows = _cells(runs, keys)
    table = Table(title="figures with 95 % intervals by subject", title_justify="left")
    for title in header:
        table.add_column(title, overflow="fold")
    for cells in rows:
        table.add_row(*cells)
    console.print(table)
    pairs = _paired(runs, config, console)
    if config.to is not None:
        folder = Path(config.to)
        for name, titles, cells in (("comparison", header, rows), ("differences", _TITLES, pairs)):
            files = (*write_table(titles, cells, folder, name), write_latex(titles, cells, folder, name))
            console.print(f"written    {', '.join(map(str, files))}", soft_wrap=True)
        console.print(_page_line(config, runs, folder), soft_wrap=True)
    return runs


def _page_line(config: DictConfig, runs: Sequence[Compared], folder: Path) -> str:
    """Write the page of disagreements, and return the line that says so, or why there is none."""
    page = write_disagreements(config, {run.name: run.answers for run in runs}, runs[0].judged.data, folder)
    return f"no page of pairs: {_no_tables(config, runs)}" if page is None else f"written    {page}"


def _tables_of(config: DictConfig, runs: Sequence[Compared]) -> Path:
    return Path(config.work) / "tables" / runs[0].judged.data["tables"]


def _no_tables(config: DictConfig, runs: Sequence[Compared]) -> str:
    return f"tables {runs[0].judged.data['tables']} are not in work={config.work}; give the folder that has them"


def _check_asked(runs: Sequence[Compared]) -> None:
    first = runs[0]
    for run in runs[1:]:
        first.judged.check_same(run.judged)
        if not _asked(run).equals(_asked(first)):
            raise InputError(
                f"runs: {first.name} and {run.name} answer different questions, or have other true answers: judge them "
                "again"
            )


def _asked(run: Compared) -> pl.DataFrame:
    """Return the questions of a run and their true answers, in one order for all runs."""
    return run.answers.select("question_id", "answer").sort("question_id")


def _paired(runs: Sequence[Compared], config: DictConfig, console: Console) -> list[list[str]]:
    """Print how the runs differ from the first one, and what is left out; return the rows of `_TITLES`."""
    file = _tables_of(config, runs) / "findings.parquet"
    findings = _table(file, SCHEMAS["findings"]) if file.is_file() else None
    drawn = {"draws": config.evaluation.draws, "seed": config.evaluation.seed}
    found = compare_paired({run.name: run.answers for run in runs}, findings, **drawn)
    rows = [[name, *_written(row)] for name, rows in found.differences.items() for row in rows]
    console.print(_paired_table(rows, runs[0].name, found.draws))
    if findings is None:
        console.print(f"no pointing: {_no_tables(config, runs)}", soft_wrap=True)
    lacking = {name: some for name, some in found.left_out.items() if name != POINTING or findings is not None}
    if lacking:
        said = "; ".join(f"{figure} of {', '.join(names)}" for figure, names in lacking.items())
        console.print(f"left out, as it or {runs[0].name} has no such figure: {said}", soft_wrap=True)
    return rows


def _written(row: Difference) -> list[str]:
    low, high = row.interval
    figures = [f"{row.first:.3f}", f"{row.other:.3f}", f"{row.difference:+.3f}", f"{low:+.3f} to {high:+.3f}"]
    return [row.figure, *figures, _p(row.p), _p(row.p_corrected)]


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _paired_table(rows: list[list[str]], first: str, draws: int) -> Table:
    table = Table(
        title=f"beside {first}, on the same questions; p corrected for {len(rows)} comparisons (Holm); "
        f"by {draws:,} draws no p can be below {2 / (draws + 1):.1g}"
    )
    for title in _TITLES:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"runs: {name} is there twice: give each run once, and each another name")


def _folder(name: str) -> Path:
    """Return the folder of a run, given itself or by its name in `runs`."""
    for folder in (Path(name).expanduser(), Path("runs") / name):
        if (folder / "evaluation" / "metrics.json").is_file():
            return folder
    raise InputError(f"runs: {name} is no judged run: give folders of runs, and judge them first (cfvqa-evaluate)")


def _settings_of(folder: Path) -> dict[str, Any]:
    """Return what shapes a run, nested: its training, the vision models that it reads with, how its answers decode."""
    decode = read_metrics(folder / "evaluation" / "metrics.json").get("decode")
    decode = decode if isinstance(decode, Mapping) else {}
    decoding = decoding_in(decode) | {name: value for name, value in decode.items() if name == "strategy"}
    return settings_in(folder / "vqa") | _vision_of(folder / "vqa" / "reader.json") | {"decoding": decoding}


def _vision_of(file: Path) -> dict[str, Any]:
    """Return what a reader records of its vision models, but for where they lie, or of the features in their place.

    With what was taken from the labels instead (extraction.truth); nothing of a run without a reader.
    """
    if not file.is_file():
        return {}
    try:
        description = json.loads(file.read_text())
        told = {"extraction": {"truth": description.get("truth", "none")}}
        if "published" in description:
            return told | {"published": description["published"]}
        vision = description["vision"]
        return told | {name: {key: one[key] for key in ("id", "network", "image_size")} for name, one in vision.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged ({error!r}): give the command that trained the run again") from error


def _compared(folder: Path, settings: dict[str, Any], keys: Sequence[str]) -> Compared:
    file = folder / "evaluation" / "metrics.json"
    metrics = read_metrics(file)
    with damage_named(file, "judge the run again, cfvqa-evaluate"):
        figures = {title: figure_at(metrics, key) for title, key in _FIGURES.items()}
        judged = JudgedBy.of(folder.name, metrics)
    answers = _answers(file.with_name("predictions.parquet"))
    return Compared(folder.name, {key: dig(settings, key) for key in keys}, figures, judged, answers)


def _answers(file: Path) -> pl.DataFrame:
    answers = _table(file, SCHEMA)
    wrong = [name for name, kind in SCHEMA.items() if answers.schema[name] != kind]
    wrong += [name for name in ("question_id", "answer", "prediction") if answers[name].null_count()]
    if wrong or answers["question_id"].is_duplicated().any():
        what = f"its column {wrong[0]} is not as it was written" if wrong else "it answers a question twice"
        raise InputError(f"{file} is damaged ({what}): delete its folder, and judge the run again")
    return answers


def _table(file: Path, columns: Iterable[str]) -> pl.DataFrame:
    try:
        return pl.read_parquet(file, columns=list(columns))
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).splitlines()[0]
        raise InputError(
            f"{file} is missing, damaged or of an earlier version ({said}): delete its folder, and judge the run again"
        ) from error


def _cells(runs: Sequence[Compared], keys: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return a row a setting and figure and a column a run: there are many of the former, few of the latter."""
    settings = [[key, *(_word(run.settings[key]) for run in runs)] for key in keys]
    figures = [[title, *(_shown(run.figures[title]) for run in runs)] for title in _FIGURES]
    return ["run", *(run.name for run in runs)], settings + figures


def _word(value: Any) -> str:
    """Return a setting as a user writes it; of a whole block that others lack, only that it is there."""
    return "there" if isinstance(value, dict) else shown(value)


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.3f}{interval}"
