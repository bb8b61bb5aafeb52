"""Two systems on the same questions: what differs, and whether it could be chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import count_changes
from cfvqa.evaluation.intervals import Statistic, SubjectBootstrap, bounds, f1, ratio
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


Counts = dict[str, np.ndarray]
"""Name of a figure -> per-question values (N, K) whose sums it is computed from."""

_STATISTICS: dict[str, Statistic] = {
    "change F1": f1,
    "direction accuracy": ratio,
    "level accuracy": ratio,
    "hallucinated per 100": ratio,
    "others exact": ratio,
}


def _of_changes(table: pl.DataFrame) -> Counts:
    counts = count_changes(table)
    return {
        "change F1": counts.found,
        "direction accuracy": counts.direction,
        "level accuracy": counts.level,
        "hallucinated per 100": counts.hallucinated,
    }


def _of_others(table: pl.DataFrame) -> Counts:
    right = exact_matches(table["answer"].to_list(), table["prediction"].to_list())
    return {"others exact": np.column_stack([right, np.ones(len(right))])}


@dataclass(frozen=True)
class _Part:
    """Questions of one kind.

    Attributes:
        bootstrap: of their subjects, shared by all systems.
        counts: name of a system -> its counts.
    """

    bootstrap: SubjectBootstrap
    counts: dict[str, Counts]


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
    parts = _parts(systems, draws, seed)
    first, *others = systems
    found = {name: [row for part in parts for row in _differences(part, first, name)] for name in others}
    corrected = iter(holm([row.p for rows in found.values() for row in rows]))
    return {name: [replace(row, p_corrected=next(corrected)) for row in rows] for name, rows in found.items()}


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in their order (Holm, Scandinavian Journal of Statistics 1979)."""
    order = np.argsort(values, kind="stable")
    scaled = np.asarray(values, dtype=np.float64)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return corrected.tolist()


def _parts(systems: Mapping[str, pl.DataFrame], draws: int, seed: int) -> list[_Part]:
    """Count every system once, over the questions of each kind in the order of the first system."""
    first = next(iter(systems.values()))
    in_order = {
        name: first.select("question_id").join(table, on="question_id", how="left", maintain_order="left")
        for name, table in systems.items()
    }
    is_difference = pl.col("question_type") == DIFFERENCE
    parts = []
    for kind, count in ((is_difference, _of_changes), (~is_difference, _of_others)):
        subjects = first.filter(kind)["subject_id"].to_list()
        if subjects:
            bootstrap = SubjectBootstrap(subjects, draws=draws, generator=np.random.default_rng(seed))
            parts.append(_Part(bootstrap, {name: count(table.filter(kind)) for name, table in in_order.items()}))
    return parts


def _differences(part: _Part, first: str, other: str) -> list[Difference]:
    rows = []
    for name, one in part.counts[first].items():
        two, statistic = part.counts[other][name], _STATISTICS[name]
        values = [float(statistic(counts.sum(0))) for counts in (one, two)]
        drawn = statistic(part.bootstrap.sums(two)) - statistic(part.bootstrap.sums(one))
        drawn = drawn[np.isfinite(drawn)]
        if np.isfinite(values).all() and len(drawn):
            rows.append(Difference(name, *values, values[1] - values[0], bounds(drawn), _p(drawn), 1.0))
    return rows


def _p(drawn: np.ndarray) -> float:
    """Return the two-sided p of no difference: twice the smaller share of draws on one side of 0."""
    below, above = (np.count_nonzero(drawn <= 0) + 1, np.count_nonzero(drawn >= 0) + 1)
    return float(min(1.0, 2 * min(below, above) / (len(drawn) + 1)))
