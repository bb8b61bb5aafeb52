"""Small charts as inline SVG: dots with whiskers, learning curves, bars.

Colours are classes that the style sheet of the page fills in, so that light and dark schemes and print share one
drawing. Words are escaped here: labels may hold anything.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

Point = tuple[float, float]

DASH = "–"
"""Stands where a figure is not defined."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; None where it is not defined, and then why.

    Attributes:
        value, low, high: the figure and the bounds of its interval.
        reason: why there is no value; empty where there is one.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Whisker:
    """One row of an interval plot.

    Attributes:
        label: whose figure it is.
        figure: what is drawn, 0 or more.
        kind: class of its mark: "model", "part" (a further figure of the model), "blind" or "control".
    """

    label: str
    figure: Figure
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart.

    Attributes:
        name: "training" or "validation", in words.
        kind: its class: "train" or "val".
        points: (epoch, value), by epoch.
    """

    name: str
    kind: str
    points: tuple[Point, ...]


def number(value: float | None, digits: int = 3) -> str:
    """Write a figure, or a dash where there is none."""
    return DASH if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


# Geometry of an interval plot, in units of its view box.
_WIDTH, _LABELS, _VALUES, _ROW, _TOP = 340, 124, 44, 21, 4


def interval_plot(rows: Sequence[Whisker], *, title: str) -> Markup:
    """Draw figures as dots on their 95 % intervals, one row each, from 0 to 1 or as far as the largest reaches."""
    drawn = [row.figure for row in rows if row.figure.value is not None]
    steps = ticks(0.0, max([1.0, *(figure.high or figure.value for figure in drawn)]))
    across = partial(_across, end=steps[-1])
    bottom = _TOP + _ROW * len(rows)
    said = "; ".join(f"{row.label} {number(row.figure.value)}" for row in rows)
    scale = Markup("").join(_grid_line(across(tick), bottom, f"{tick:g}") for tick in steps)
    marks = Markup("").join(_whisker(row, _TOP + _ROW * (place + 0.5), across) for place, row in enumerate(rows))
    return _svg("intervals", _WIDTH, bottom + 18, f"{title}: {said}", scale + marks)


def _across(value: float, end: float) -> float:
    return _LABELS + max(value, 0.0) / end * (_WIDTH - _LABELS - _VALUES - 10)


def _grid_line(x: float, bottom: float, label: str) -> Markup:
    line = Markup('<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(x, _TOP, bottom)
    return line + Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        x, bottom + 14, label
    )


def _whisker(row: Whisker, y: float, across: Callable[[float], float]) -> Markup:
    figure = row.figure
    parts = [Markup('<text x="0" y="{:.1f}">{}</text>').format(y + 4, row.label)]
    if figure.value is not None:
        if figure.low is not None and figure.high is not None:
            ends = across(figure.low), across(figure.high)
            parts.append(Markup('<line class="whisker" x1="{0:.1f}" x2="{1:.1f}" y1="{2}" y2="{2}"/>').format(*ends, y))
        parts.append(Markup('<circle class="dot" cx="{:.1f}" cy="{}" r="4.5"/>').format(across(figure.value), y))
    value = Markup('<text class="value" x="{}" y="{:.1f}" text-anchor="end">{}</text>')
    parts.append(value.format(_WIDTH, y + 4, number(figure.value)))
    return Markup('<g class="{}">{}</g>').format(row.kind, Markup("").join(parts))


# Geometry of a line chart, in units of its view box.
_CHART_WIDTH, _CHART_HEIGHT = 260, 150
_LEFT, _RIGHT, _UPPER, _LOWER = 40, 252, 8, 128


@dataclass(frozen=True, slots=True)
class _Axes:
    """The ranges that a line chart shows."""

    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, point: Point) -> Point:
        return (
            _LEFT + (_RIGHT - _LEFT) * _share(point[0], self.x),
            _LOWER - (_LOWER - _UPPER) * _share(point[1], self.y),
        )


def line_chart(lines: Sequence[Line], *, title: str, best: Point | None = None) -> Markup:
    """Draw curves over epochs; `best` is the point of the checkpoint that was kept, which gets a mark."""
    drawn = [line for line in lines if line.points]
    points = [point for line in drawn for point in line.points]
    if not points:
        return Markup('<p class="empty">{}</p>').format("no values")
    steps = ticks(min(value for _, value in points), max(value for _, value in points))
    epochs = sorted({epoch for epoch, _ in points})
    axes = _Axes((epochs[0], epochs[-1]), (steps[0], steps[-1]))
    scale = [_value_tick(axes, step) for step in steps] + [_epoch_tick(axes, epoch) for epoch in _ends(epochs)]
    curves = [_curve(axes, line) for line in drawn]
    mark = [] if best is None else [_point("best", axes.place(best), 5.0)]
    said = "; ".join(f"{line.name} {line.points[-1][1]:.3g} after epoch {line.points[-1][0]:g}" for line in drawn)
    return _svg("curve", _CHART_WIDTH, _CHART_HEIGHT, f"{title}: {said}", Markup("").join(scale + curves + mark))


def ticks(low: float, high: float) -> list[float]:
    """Return two to five round numbers, evenly spaced, that reach from below `low` to above `high`."""
    size = max(abs(low), abs(high), 1e-9)
    span = high - low if high - low > 1e-6 * size else size  # a flat line: more digits would show noise
    unit = 10.0 ** math.floor(math.log10(span))
    step = next(unit * factor for factor in (0.5, 1, 2, 5, 10) if span / (unit * factor) <= 3)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [count * step for count in range(first, last + 1)]


def _share(value: float, ends: tuple[float, float]) -> float:
    return 0.5 if ends[0] == ends[1] else (value - ends[0]) / (ends[1] - ends[0])


def _ends(epochs: Sequence[float]) -> list[float]:
    return [epochs[0]] if len(epochs) == 1 else [epochs[0], epochs[-1]]


def _value_tick(axes: _Axes, value: float) -> Markup:
    x, y = _LEFT, axes.place((0.0, value))[1]
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(x, _RIGHT, y, y)
    text = Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>')
    return line + text.format(x - 5, y + 4, f"{value:.4g}" if value else "0")


def _epoch_tick(axes: _Axes, epoch: float) -> Markup:
    text = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>')
    return text.format(axes.place((epoch, 0.0))[0], _LOWER + 16, epoch)


def _curve(axes: _Axes, line: Line) -> Markup:
    places = [axes.place(point) for point in line.points]
    if len(places) == 1:
        return _point(line.kind, places[0], 3.0)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return Markup('<polyline class="{}" points="{}"/>').format(line.kind, path)


def _point(kind: str, place: Point, radius: float) -> Markup:
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(kind, *place, radius)


def bar(value: float | None, *, mark: float | None = None, title: str) -> Markup:
    """Draw a share from 0 to 1 as a bar, with a tick at `mark` to compare it with."""
    length = 100 * min(max(value or 0.0, 0.0), 1.0)
    content = Markup('<rect class="track" width="100" height="8" y="2" rx="2"/>')
    content += Markup('<rect class="filled" width="{:.1f}" height="8" y="2" rx="2"/>').format(length)
    if mark is not None:
        at = 100 * min(max(mark, 0.0), 1.0)
        content += Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="12"/>').format(at)
    return _svg("bar", 100, 12, title, content)


def _svg(kind: str, width: float, height: float, title: str, content: Markup) -> Markup:
    svg = Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return svg.format(kind, width, height, title, content)
