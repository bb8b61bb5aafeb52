"""Two systems on the same questions: what differs, and whether it could be chance.

Flip consistency is not among the figures: it takes the answers to swapped images, and runs do not keep these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import count_changes
from cfvqa.evaluation.grounding import attention_of, held_regions, places_of, pointing_hits
from cfvqa.evaluation.intervals import Statistic, SubjectBootstrap, bounds, f1, ratio
from cfvqa.evaluation.text_scores import TextScorer, cider_of, exact_matches
from cfvqa.language.questions import DIFFERENCE


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
    "CIDEr": ratio,
    "pointing@1": ratio,
    "others exact": ratio,
}
_IS_DIFFERENCE = pl.col("question_type") == DIFFERENCE


def _of_changes(table: pl.DataFrame, scorer: TextScorer) -> Counts:
    counts = count_changes(table)
    cider = cider_of(scorer.tokenize(table["answer"]), scorer.tokenize(table["prediction"]))
    return {
        "change F1": counts.found,
        "direction accuracy": counts.direction,
        "level accuracy": counts.level,
        "hallucinated per 100": counts.hallucinated,
        "CIDEr": _as_mean(cider),
    }


def _of_others(table: pl.DataFrame) -> Counts:
    return {"others exact": _as_mean(exact_matches(table["answer"].to_list(), table["prediction"].to_list()))}


def _as_mean(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones(len(values))])


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
    systems: Mapping[str, pl.DataFrame], findings: pl.DataFrame | None = None, *, draws: int = 1000, seed: int = 0
) -> dict[str, list[Difference]]:
    """Compare every system with the first one, figure by figure.

    Args:
        systems: name -> its table of predictions; all of the same questions.
        findings: the findings table, which says where changes are; None leaves pointing out.
        draws: of the bootstrap; no p is below 1 / draws.
        seed: of the bootstrap.

    Returns:
        Name -> differences, of all systems but the first. What is not defined for one of two is left out.
    """
    parts = _parts(_in_one_order(systems), findings, draws, seed)
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


def _in_one_order(systems: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the tables with their questions in the order of the first one."""
    ids = next(iter(systems.values())).select("question_id")
    return {
        name: ids.join(table, on="question_id", how="left", maintain_order="left") for name, table in systems.items()
    }


def _parts(systems: dict[str, pl.DataFrame], findings: pl.DataFrame | None, draws: int, seed: int) -> list[_Part]:
    """Count every system once, over the questions of each kind."""
    pairs = {name: table.filter(_IS_DIFFERENCE) for name, table in systems.items()}
    others = {name: table.filter(~_IS_DIFFERENCE) for name, table in systems.items()}
    scorer = TextScorer()
    scorer.tokenize(text for table in pairs.values() for name in ("answer", "prediction") for text in table[name])
    counted = [
        (pairs, {name: _of_changes(table, scorer) for name, table in pairs.items()}),
        *([] if findings is None else [_pointing(pairs, findings)]),
        (others, {name: _of_others(table) for name, table in others.items()}),
    ]
    return [
        _Part(SubjectBootstrap(subjects, draws=draws, seed=seed), counts)
        for tables, counts in counted
        if (subjects := next(iter(tables.values()))["subject_id"].to_list())
    ]


def _pointing(
    pairs: dict[str, pl.DataFrame], findings: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], dict[str, Counts]]:
    """Return the answers to questions with a change whose regions are labelled, where all systems have an attention."""
    asked = next(iter(pairs.values()))
    held = held_regions(asked, places_of(findings, asked))
    attended = [table["attention_main"].is_not_null().to_numpy() for table in pairs.values()]
    known = held.any(1) & np.all(attended, axis=0)
    tables = {name: table.filter(known) for name, table in pairs.items()}
    hits = {name: pointing_hits(attention_of(table), held[known])[1] for name, table in tables.items()}
    return tables, {name: {"pointing@1": _as_mean(values)} for name, values in hits.items()}


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
