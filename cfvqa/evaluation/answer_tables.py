"""From `metrics.json` to the two small tables of the page about answers to difference questions."""

from cfvqa.evaluation.changes import NO_CHANGE
from cfvqa.evaluation.charts import Figure
from cfvqa.evaluation.report import SmallRow, SmallTable
from cfvqa.evaluation.report_figures import Metrics, dig
from cfvqa.language.grammar import ChangeKind

_KINDS = (ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.LEVEL, NO_CHANGE)


def answer_tables_of(metrics: Metrics) -> tuple[SmallTable, ...]:
    """Return what was taken for what and, of answers with a score, what is left if the model may abstain."""
    return (_confusion(metrics), *([_abstaining(metrics)] if metrics.get("calibration") else []))


def _confusion(metrics: Metrics) -> SmallTable:
    counts = metrics["changes"]["confusion"]
    rows = (
        SmallRow(f"{kind} ({sum(counts[kind].values()):,})", tuple(_share(counts[kind], said) for said in _KINDS))
        for kind in _KINDS
    )
    return SmallTable(
        "What was taken for what",
        "Of the findings that have truly been added, removed, or have changed their level (in brackets how many), the "
        "share that answers call so. Of those without a change only the findings that an answer names are counted.",
        tuple(f"answered: {kind}" for kind in _KINDS),
        tuple(rows),
    )


def _share(given: Metrics, answered: str) -> Figure:
    total = sum(given.values())
    if answered not in given:
        return Figure(None, reason="findings that nobody names have no number")
    return Figure(given[answered] / total) if total else Figure(None, reason="there is no such finding")


def _abstaining(metrics: Metrics) -> SmallTable:
    found = metrics["calibration"]
    intervals = dig(metrics, "interval.calibration.risk") or {}
    risks = (
        SmallRow(f"{float(coverage):.0%}", (Figure(risk, *intervals.get(coverage, (None, None))),))
        for coverage, risk in found["risk"].items()
    )
    return SmallTable(
        "If the model may abstain",
        f"Of the {found['n']:,} answers to difference questions those with the highest scores are kept: the share of "
        "these that is wrong in some change.",
        ("share that is wrong",),
        tuple(risks),
    )
