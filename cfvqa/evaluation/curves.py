"""Learning curves: from the `metrics.csv` of a training to small charts."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cfvqa.errors import InputError
from cfvqa.evaluation.charts import Line, Point

_KINDS = (("train", "training"), ("val", "validation"))
_NAMES = {"map_50": "mAP@0.5", "auroc": "macro AUROC", "giou": "GIoU loss"}


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure over the epochs.

    Attributes:
        title: its name.
        lines: training and validation, as far as they were logged.
        best: (epoch, value) of the checkpoint that was kept, in the chart of the figure that chose it.
    """

    title: str
    lines: tuple[Line, ...]
    best: Point | None = None

    def last(self, kind: str) -> float | None:
        """Return the last value of one line; None where it was not logged."""
        return next((line.points[-1][1] for line in self.lines if line.kind == kind and line.points), None)


@dataclass(frozen=True, slots=True)
class Curve:
    """The charts of one training.

    Attributes:
        title: what was trained.
        note: a sentence below the title.
        charts: the figure that chose the checkpoint first, then the loss, then its parts.
    """

    title: str
    note: str
    charts: tuple[Chart, ...]

    @property
    def single(self) -> bool:
        """Whether there is one epoch at most: figures for a table, not curves."""
        return all(len(line.points) < 2 for chart in self.charts for line in chart.lines)


def curve_of(file: Path, *, title: str, monitor: str, mode: str, note: str = "") -> Curve:
    """Read the learning curves of one training.

    Args:
        file: its `metrics.csv`: a row for each time something was logged, columns epoch (from 0) and train/...
            or val/...
        title: what was trained.
        monitor: the column that chose the checkpoint.
        mode: "min" or "max" of it.
        note: further words.
    """
    points = _points(file)
    names = {name.split("/", 1)[1] for name in points}
    first = [monitor.split("/", 1)[1], "loss"]
    ordered = [name for name in dict.fromkeys(first) if name in names] + sorted(names - set(first))
    best = _best(points.get(monitor, ()), mode)
    kept = "" if best is None else f"The checkpoint of epoch {best[0]:g} was kept."
    charts = tuple(_chart(name, points, best if name == first[0] else None) for name in ordered)
    return Curve(title, " ".join(part for part in (note, kept) if part), charts)


def _points(file: Path) -> dict[str, tuple[Point, ...]]:
    """Return column -> (epoch from 1, value); the last value of an epoch counts, of a resumed run too."""
    try:
        table = pl.read_csv(file, infer_schema_length=None)
        kinds = tuple(f"{kind}/" for kind, _ in _KINDS)
        columns = [name for name in table.columns if name.startswith(kinds)]
        values = table.select("epoch", pl.col(columns).cast(pl.Float64))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{file}: no readable learning curve ({error}); train again, or restore the file") from error
    found = {}
    for name in columns:
        finite = values.select("epoch", name).filter(pl.col(name).is_finite())
        by_epoch = finite.group_by("epoch").last().sort("epoch")
        found[name] = tuple((epoch + 1.0, value) for epoch, value in by_epoch.iter_rows())
    return found


def _best(points: tuple[Point, ...], mode: str) -> Point | None:
    choose = min if mode == "min" else max
    return choose(points, key=lambda point: point[1]) if points else None


def _chart(name: str, points: dict[str, tuple[Point, ...]], best: Point | None) -> Chart:
    lines = (Line(words, kind, points.get(f"{kind}/{name}", ())) for kind, words in _KINDS)
    return Chart(_NAMES.get(name, name.replace("_", " ")), tuple(line for line in lines if line.points), best)
