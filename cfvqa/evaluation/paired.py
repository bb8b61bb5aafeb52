"""Two systems on the same questions: what differs, and whether it could be chance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import count_changes
from cfvqa.evaluation.intervals import PERCENTILES, Statistic, SubjectBootstrap, f1, ratio
from cfvqa.evaluation.predictions import DIFFERENCE
from cfvqa.evaluation.text_scores import exact_matches


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of a system beside that of the first one.

    Attributes:
        figure: its name.
        first, other: its values.
        difference: other - first.
        interval: [low, high] of the difference, 95 % bootstrap by subject; each draw takes the same subjects of both.
        p: two-sided: how often a difference as far on the other side of 0, or farther, is drawn.
        p_corrected: of all comparisons that were made together (Holm, 1979).
    """

    figure: str
    first: float
    other: float
    difference: float
    interval: list[float]
    p: float
    p_corrected: float


@dataclass(frozen=True)
class _Figure:
    """A figure that is a ratio of sums over questions."""

    statistic: Statistic
    counts: Callable[[pl.DataFrame], np.ndarray]


def _exact(table: pl.DataFrame) -> np.ndarray:
    right = exact_matches(table["answer"].to_list(), table["prediction"].to_list())
    return np.column_stack([right, np.ones(len(right))])


_OF_CHANGES = {
    "change F1": _Figure(f1, lambda table: count_changes(table).found),
    "direction accuracy": _Figure(ratio, lambda table: count_changes(table).direction),
    "level accuracy": _Figure(ratio, lambda table: count_changes(table).level),
    "hallucinated per 100": _Figure(ratio, lambda table: count_changes(table).hallucinated),
}
_OF_OTHERS = {"others exact": _Figure(ratio, _exact)}


def compare_paired(
    systems: Mapping[str, pl.DataFrame], *, draws: int = 1000, seed: int = 0
) -> dict[str, list[Difference]]:
    """Compare every system with the first one, figure by figure.

    Args:
        systems: name -> its table of predictions; all of the same questions.
        draws: of the bootstrap; no p is below 1 / draws.
        seed: of the bootstrap.

    Returns:
        Name -> differences, of all systems but the first. What is not defined for one of two is left out.
    """
    names = list(systems)
    found = {name: _differences(systems[names[0]], systems[name], draws, seed) for name in names[1:]}
    corrected = iter(holm([difference.p for rows in found.values() for difference in rows]))
    return {name: [_with(difference, next(corrected)) for difference in rows] for name, rows in found.items()}


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in their order (Holm, Scandinavian Journal of Statistics 1979)."""
    order = np.argsort(values, kind="stable")
    scaled = np.asarray(values, dtype=np.float64)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return corrected.tolist()


def _differences(first: pl.DataFrame, other: pl.DataFrame, draws: int, seed: int) -> list[Difference]:
    other = first.select("question_id").join(other, on="question_id", how="left", maintain_order="left")
    is_difference = (first["question_type"] == DIFFERENCE).to_numpy()
    rows: list[Difference] = []
    for chosen, figures in ((is_difference, _OF_CHANGES), (~is_difference, _OF_OTHERS)):
        if chosen.any():
            kept = pl.Series(chosen)
            rows += _of_part(first.filter(kept), other.filter(kept), figures, draws, seed)
    return rows


def _of_part(
    first: pl.DataFrame, other: pl.DataFrame, figures: Mapping[str, _Figure], draws: int, seed: int
) -> list[Difference]:
    bootstrap = SubjectBootstrap(first["subject_id"].to_list(), draws=draws, generator=np.random.default_rng(seed))
    rows = []
    for name, figure in figures.items():
        one, two = figure.counts(first), figure.counts(other)
        values = [float(figure.statistic(counts.sum(0))) for counts in (one, two)]
        drawn = figure.statistic(bootstrap.sums(two)) - figure.statistic(bootstrap.sums(one))
        drawn = drawn[np.isfinite(drawn)]
        if np.isfinite(values).all() and len(drawn):
            low, high = np.percentile(drawn, PERCENTILES)
            rows.append(Difference(name, *values, values[1] - values[0], [float(low), float(high)], _p(drawn), 1.0))
    return rows


def _p(drawn: np.ndarray) -> float:
    """Return the two-sided p of no difference: twice the smaller share of draws on one side of 0."""
    below, above = (np.count_nonzero(drawn <= 0) + 1, np.count_nonzero(drawn >= 0) + 1)
    return float(min(1.0, 2 * min(below, above) / (len(drawn) + 1)))


def _with(difference: Difference, corrected: float) -> Difference:
    fields = {name: getattr(difference, name) for name in Difference.__slots__}
    return Difference(**fields | {"p_corrected": corrected})
