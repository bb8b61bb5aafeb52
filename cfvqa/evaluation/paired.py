"""Two systems on the same questions: what differs, and whether it could be chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import count_changes
from cfvqa.evaluation.flip import flips
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

POINTING = "pointing@1"
"""The figure that takes the findings table."""

_STATISTICS: dict[str, Statistic] = {
    "change F1": f1,
    "direction accuracy": ratio,
    "level accuracy": ratio,
    "hallucinated per 100": ratio,
    "flip consistency": ratio,
    "CIDEr": ratio,
    POINTING: ratio,
    "others exact": ratio,
}
_DRAWS_EACH = 200  # a comparison: a difference that no draw turns around keeps a p below 0.01 behind the correction
_PIECE = 1000  # draws at once, for which is held how often each takes each subject
_IS_DIFFERENCE = pl.col("question_type") == DIFFERENCE


def _of_changes(table: pl.DataFrame, scorer: TextScorer) -> Counts:
    counts = count_changes(table)
    cider = cider_of(scorer.tokenize(table["answer"]), scorer.tokenize(table["prediction"]))
    return {
        "change F1": counts.found,
        "direction accuracy": counts.direction,
        "level accuracy": counts.level,
        "hallucinated per 100": counts.hallucinated,
        "flip consistency": _as_mean(flips(table)),
        "CIDEr": _as_mean(cider),
    }


def _of_others(table: pl.DataFrame) -> Counts:
    return {"others exact": _as_mean(exact_matches(table["answer"].to_list(), table["prediction"].to_list()))}


def _as_mean(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones(len(values))])


@dataclass(frozen=True, slots=True)
class Paired:
    """Systems beside the first one.

    Attributes:
        differences: name of each of them -> its figures.
        left_out: figure -> those of them for which it is not defined, or is not for the first one.
        draws: of the bootstrap; no p is below 2 / (draws + 1).
    """

    differences: dict[str, list[Difference]]
    left_out: dict[str, list[str]]
    draws: int


@dataclass(frozen=True)
class _Comparison:
    """A figure of two systems.

    Attributes:
        other: the system beside the first one.
        figure: its name.
        counts: (N, 2 K) those of the first one, and behind them those of the other.
    """

    other: str
    figure: str
    counts: np.ndarray

    def values(self, sums: np.ndarray) -> np.ndarray:
        """Return (2, ...) the figure of both systems from sums (..., 2 K)."""
        return np.stack([_STATISTICS[self.figure](half) for half in np.split(sums, 2, axis=-1)])


@dataclass(frozen=True)
class _Part:
    """Questions of one kind.

    Attributes:
        subjects: of the N questions.
        counts: name of a system -> its counts.
    """

    subjects: list[str]
    counts: dict[str, Counts]

    def comparisons(self) -> list[_Comparison]:
        """Return every figure that both the first system and another one have."""
        first, *others = self.counts
        both = [
            _Comparison(name, figure, _of_both(counts, self.counts[name][figure]))
            for name in others
            for figure, counts in self.counts[first].items()
        ]
        return [one for one in both if np.isfinite(one.values(one.counts.sum(0))).all()]


def compare_paired(
    systems: Mapping[str, pl.DataFrame], findings: pl.DataFrame | None = None, *, draws: int = 1000, seed: int = 0
) -> Paired:
    """Compare every system with the first one, figure by figure.

    Args:
        systems: name -> its table of predictions; all of the same questions.
        findings: the findings table, which says where changes are; None leaves pointing out.
        draws: of the bootstrap at least; many comparisons take more, as Holm multiplies p by their number.
        seed: of the bootstrap.

    Returns:
        All systems but the first. A question where only one of two has an attention is in no figure of these two.
    """
    parts = _parts(_in_one_order(systems), findings)
    compared = [(part.subjects, part.comparisons()) for part in parts]
    draws = max(draws, _DRAWS_EACH * sum(len(comparisons) for _, comparisons in compared))
    rows = [row for subjects, comparisons in compared for row in _differences(subjects, comparisons, draws, seed)]
    corrected = holm([row.p for _, row in rows])
    found: dict[str, list[Difference]] = {name: [] for name in list(systems)[1:]}
    for (name, row), p in zip(rows, corrected, strict=True):
        found[name].append(replace(row, p_corrected=p))
    return Paired(found, _left_out(found), draws)


def _left_out(found: Mapping[str, list[Difference]]) -> dict[str, list[str]]:
    there = {name: {row.figure for row in rows} for name, rows in found.items()}
    lacking = {figure: [name for name in found if figure not in there[name]] for figure in _STATISTICS}
    return {figure: names for figure, names in lacking.items() if names}


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


def _parts(systems: dict[str, pl.DataFrame], findings: pl.DataFrame | None) -> list[_Part]:
    """Count every system once, over the questions of each kind."""
    pairs = {name: table.filter(_IS_DIFFERENCE) for name, table in systems.items()}
    others = {name: table.filter(~_IS_DIFFERENCE) for name, table in systems.items()}
    scorer = TextScorer()
    scorer.tokenize(text for table in pairs.values() for name in ("answer", "prediction") for text in table[name])
    pointed = {name: {} for name in pairs} if findings is None else _pointing(pairs, findings)
    counted = [
        (pairs, {name: _of_changes(table, scorer) | pointed[name] for name, table in pairs.items()}),
        (others, {name: _of_others(table) for name, table in others.items()}),
    ]
    subjects = [next(iter(tables.values()))["subject_id"].to_list() for tables, _ in counted]
    return [_Part(names, counts) for names, (_, counts) in zip(subjects, counted, strict=True) if names]


def _pointing(pairs: dict[str, pl.DataFrame], findings: pl.DataFrame) -> dict[str, Counts]:
    """Return whether each answer to a question with a change whose regions are labelled points; NaN where none can."""
    asked = next(iter(pairs.values()))
    held = held_regions(asked, places_of(findings, asked))
    return {name: {POINTING: _pointed(table, held)} for name, table in pairs.items()}


def _pointed(table: pl.DataFrame, held: np.ndarray) -> np.ndarray:
    known = held.any(1) & table["attention_main"].is_not_null().to_numpy()
    counts = np.full((len(table), 2), np.nan)
    counts[known] = _as_mean(pointing_hits(attention_of(table.filter(known)), held[known])[1])
    return counts


def _of_both(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return the counts of two systems side by side; a question that one of them cannot be judged by counts nothing."""
    both = np.hstack([one, two])
    return np.where(np.isnan(both).any(1, keepdims=True), 0, both)


def _differences(
    subjects: list[str], comparisons: Sequence[_Comparison], draws: int, seed: int
) -> list[tuple[str, Difference]]:
    return [
        (one.other, _difference(one.figure, one.values(one.counts.sum(0)), drawn[np.isfinite(drawn)]))
        for one, drawn in zip(comparisons, _drawn(subjects, comparisons, draws, seed), strict=True)
    ]


def _drawn(subjects: list[str], comparisons: Sequence[_Comparison], draws: int, seed: int) -> Sequence[np.ndarray]:
    """Return the drawn differences (draws,) of every comparison; each draw takes the same subjects in all of them."""
    if not comparisons:
        return []
    generator, counts = np.random.default_rng(seed), np.hstack([one.counts for one in comparisons])
    edges = np.cumsum([one.counts.shape[1] for one in comparisons])[:-1]
    pieces = []
    for start in range(0, draws, _PIECE):
        some = SubjectBootstrap(subjects, draws=min(_PIECE, draws - start), seed=generator)
        sums = np.split(some.sums(counts), edges, axis=1)
        pieces.append([np.diff(one.values(each), axis=0)[0] for one, each in zip(comparisons, sums, strict=True)])
    return [np.concatenate(drawn) for drawn in zip(*pieces, strict=True)]


def _difference(figure: str, values: np.ndarray, drawn: np.ndarray) -> Difference:
    first, other = map(float, values)
    return Difference(figure, first, other, other - first, bounds(drawn), _p(drawn), 1.0)


def _p(drawn: np.ndarray) -> float:
    """Return the two-sided p of no difference: twice the smaller share of draws on one side of 0."""
    below, above = (np.count_nonzero(drawn <= 0) + 1, np.count_nonzero(drawn >= 0) + 1)
    return float(min(1.0, 2 * min(below, above) / (len(drawn) + 1)))
