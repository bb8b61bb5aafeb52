"""From `metrics.json` to small tables of what the contrasts have learned, for a terminal and for the page."""

from cfvqa.evaluation.charts import Figure
from cfvqa.evaluation.report import SmallRow, SmallTable
from cfvqa.evaluation.report_figures import Metrics, figure_at

_DIRECTIONS = {"pair_to_answer": "pair to answer", "answer_to_pair": "answer to pair"}
_RECALLS = ("1", "5", "10")
_KINDS = ("added", "removed")


def tables_of(metrics: Metrics) -> tuple[SmallTable, ...]:
    """Return the tables of the tasks that were judged."""
    made = {"retrieval": _retrieval, "zero_shot": _zero_shot}
    return tuple(table(metrics) for name, table in made.items() if name in metrics)


def page_tables_of(metrics: Metrics) -> tuple[SmallTable, ...]:
    """Return the same tables, and that of single findings."""
    return (*tables_of(metrics), *([_by_finding(metrics)] if "zero_shot" in metrics else []))


def _retrieval(metrics: Metrics) -> SmallTable:
    figures, rows = metrics["retrieval"], []
    for name, label in _DIRECTIONS.items():
        place, found = f"retrieval.{name}", figures[name]
        recalls = tuple(figure_at(metrics, f"{place}.recall_{depth}") for depth in _RECALLS)
        rows.append(SmallRow(label, (*recalls, figure_at(metrics, f"{place}.median_rank"))))
        chances = (*(found[f"chance_{depth}"] for depth in _RECALLS), found["chance_rank"])
        rows.append(SmallRow("by chance", tuple(map(Figure, chances))))
    return SmallTable(
        "Retrieval",
        f"Of {figures['pair_to_answer']['n']:,} pairs and their answers, how often what belongs together is among the "
        "first 1, 5, 10 of all. Answers with equal texts are one: each is right for the other's pair, by chance too.",
        (*(f"recall@{depth}" for depth in _RECALLS), "median rank"),
        tuple(rows),
    )


def _zero_shot(metrics: Metrics) -> SmallTable:
    figures = metrics["zero_shot"]
    rows = (
        *(
            SmallRow(f"{kind}, mean of {len(figures[kind])} findings", (figure_at(metrics, f"zero_shot.{kind}_macro"),))
            for kind in _KINDS
        ),
        SmallRow(f"unchanged, {figures['unchanged']['n']:,} pairs", (figure_at(metrics, "zero_shot.unchanged.auroc"),)),
    )
    return SmallTable(
        "Zero-shot",
        f"How well the sentence of one change tells {figures['n']:,} pairs apart: "
        "area under the ROC curve. Chance is 0.5.",
        ("AUROC",),
        rows,
    )


def _by_finding(metrics: Metrics) -> SmallTable:
    figures = metrics["zero_shot"]
    counts = {name: [figures[kind].get(name, {}).get("n", 0) for kind in _KINDS] for name in _findings(figures)}
    rows = (
        SmallRow(
            f"{name} ({added:,} added, {removed:,} removed)",
            tuple(figure_at(metrics, f"zero_shot.{kind}.{name}.auroc") for kind in _KINDS),
        )
        for name, (added, removed) in counts.items()
    )
    return SmallTable("Zero-shot by finding", "In brackets, of how many pairs it is true.", _KINDS, tuple(rows))


def _findings(figures: Metrics) -> list[str]:
    return sorted({name for kind in _KINDS for name in figures[kind]})
