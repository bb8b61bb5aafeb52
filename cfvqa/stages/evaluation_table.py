"""What an evaluation prints: the headline figures of each task beside what needs no image."""

from typing import Any

from rich.table import Table

from cfvqa.evaluation.contrast_tables import tables_of
from cfvqa.progress import StageConsole


def show(metrics: dict[str, Any], console: StageConsole) -> None:
    """Print the headline figures of each task."""
    if "changes" in metrics:
        _show_answers(metrics, console)
    for small in tables_of(metrics):
        table = Table(title=small.title, title_justify="left")
        table.add_column("", no_wrap=True)
        for column in small.columns:
            table.add_column(column, justify="right", overflow="fold")
        for row in small.rows:
            table.add_row(row.label, *(written(figure.value) for figure in row.figures))
        console.print(table)


def _show_answers(metrics: dict[str, Any], console: StageConsole) -> None:
    """Print the figures of answers beside the blind baselines."""
    table = Table(title="difference questions and the others", title_justify="left")
    table.add_column("answers of", no_wrap=True)  # narrow terminals break the titles of figures, never a name
    for column in ("change F1", "direction", "CIDEr", "BLEU-4", "other types exact"):
        table.add_column(column, justify="right", overflow="fold")
    rows = {"the model": metrics} | metrics.get("baseline", {}) | metrics.get("control", {})
    if "rules" in metrics:
        rows["findings by rule"] = metrics["rules"]
    for name, figures in rows.items():
        difference = figures["by_type"].get("difference", {})
        cells = [figures["changes"]["f1"], figures["changes"]["direction_accuracy"], difference.get("cider")]
        cells += [difference.get("bleu_4"), figures["other_types"]["exact_match"]]
        table.add_row(name, *map(written, cells))
    console.print(table)
    if unparsed := metrics["changes"]["unparsed"]:
        what = f"{unparsed} of {metrics['changes']['n']} answers to difference questions"
        console.print(f"{what} cannot be read, and count as answers without any change", highlight=False)
    for name, score in metrics.get("labels", {}).items():
        console.print(f"a reader without any error, {name.replace('_', ' ')}: {score:.3f}", highlight=False)
    if "flip" in metrics:
        flip = metrics["flip"]
        console.print(f"flip consistency {written(flip['consistency'])} of {flip['n']} questions", highlight=False)
    for name, what in (("grounding", "region of most attention"), ("word_grounding", "region of most words")):
        if name in metrics:
            console.print(f"{what} {_pointed(metrics[name])}", highlight=False)


def _pointed(found: dict[str, Any]) -> str:
    """Write how often a region holds a change, beside what needs no image."""
    shares = [written(found[key]) for key in ("pointing_1", "chance_1", "constant_1")]
    return "holds a change in {} of {} questions; at random {}, always the same region {}".format(
        shares[0], found["n"], *shares[1:]
    )


def written(value: float | None) -> str:
    """Write a figure; a dash where it is not defined, as without any question of the kind."""
    return "-" if value is None else f"{value:.3f}"
