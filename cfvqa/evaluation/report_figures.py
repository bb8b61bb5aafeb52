"""From `metrics.json` to what the page shows of it."""

from collections.abc import Mapping
from typing import Any

from cfvqa.evaluation.charts import Figure, Whisker, number
from cfvqa.evaluation.report import FindingRow, Headline, Panel, TextRow, TextTable
from cfvqa.evaluation.text_scores import FIGURES
from cfvqa.language.questions import DIFFERENCE

Metrics = Mapping[str, Any]

_MODEL = "the model"
_SYSTEMS = {
    "question_only": ("question only", "trained on the same questions, but never shown an image"),
    "majority": ("majority", "always the most frequent training answer to the type of question"),
    "constant": ("constant", "the same changes in every answer, those that score best so in training"),
    "prior": ("prior", "the right template, with findings drawn as often as they occur in training"),
    "shuffled_reference": (
        "shuffled reference",
        "the model, shown a reference image of another subject; it need not fall to the level of the blind: the main "
        "image is still the right one, and what is new in it is new beside most other subjects too",
    ),
    "shuffled_pair": (
        "shuffled pair",
        "the model, shown both images of another subject; here nothing is right but the question",
    ),
    "no_reference": (
        "no reference",
        "the model, shown the main image alone: what it still answers, it does not take from a comparison",
    ),
}
_PANELS = {
    "changes.f1": (
        "Change F1",
        "Precision and recall of changes in one figure; a change is right if its finding, direction and levels are.",
    ),
    "changes.precision": ("Precision", "Of the changes that were answered, the share that is true."),
    "changes.recall": ("Recall", "Of the true changes, the share that was answered."),
    "changes.direction_accuracy": (
        "Direction accuracy",
        "Of the findings that truth and answer both call added or removed, the share that goes the right way.",
    ),
    "changes.level_accuracy": ("Level accuracy", "Of the true changes of level, the share with the right levels."),
    "changes.unchanged_accuracy": (
        "Unchanged accuracy",
        "Of the difference questions where nothing has changed, the share that was answered so.",
    ),
    "changes.hallucinated_per_100": (
        "Hallucinated findings",
        "Findings that 100 answers to difference questions name although they have not changed; the fewer, the better. "
        "Answers that do not read as changes are left out.",
    ),
    "grounding.pointing_1": (
        "Pointing accuracy",
        "Of the difference questions with a change whose regions are labelled, the share in which the region of most "
        "attention is one of them; the same for the first three regions; for the words of those answers that name "
        "findings, which are other questions, where words have learned to look; for regions drawn at random; and for "
        "the regions that hold a change of most training pairs, whatever the images show.",
    ),
    "calibration.error": (
        "Calibration error",
        "How far the scores of answers to difference questions are from the share of them that is right; 0 is best.",
    ),
    "other_types.exact_match": (
        "Other types, exact match",
        "Of the questions about one image, the share that was answered in the words of the truth.",
    ),
    "flip.consistency": (
        "Flip consistency",
        "Of all difference questions, the share whose answer turns around when the two images are exchanged; of those "
        "whose answer reports a change, the same; and the mean overlap of the changes in both answers.",
    ),
}
_UNSEEN = {
    "chance_1": "at random",
    "chance_3": "at random, three",
    "constant_1": "always the same",
    "constant_3": "always the same three",
}
"""What points without any image."""

_NO_PARTS = ("changes.f1", "other_types.exact_match", "changes.hallucinated_per_100", "calibration.error")
"""The headlines, and figures that are best at 0: the lowest of them are no weakness."""
_PARTS = tuple(name for name in _PANELS if name not in _NO_PARTS)
_COLUMNS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", "exact match")


def figure_at(metrics: Metrics, name: str) -> Figure:
    """Return the figure with a dotted name, its interval, and why it is not there if it is not."""
    value, interval = dig(metrics, name), dig(metrics, f"interval.{name}") or (None, None)
    if value is None:
        return Figure(None, None, None, metrics.get("undefined", {}).get(name, "not measured"))
    low, high = (None if end is None else float(end) for end in interval)
    return Figure(float(value), low, high)


def headline_of(metrics: Metrics) -> Headline:
    """Return the headline figures of the model beside the blind baselines and the control."""
    systems = _systems(metrics)
    panels = tuple(_panel(name, systems, metrics) for name in _PANELS)
    figure, blind = figure_at(metrics, "changes.f1"), _best_blind(metrics)
    shown = {**metrics.get("baseline", {}), **metrics.get("control", {})}
    return Headline(
        figure=figure,
        best_blind=blind,
        verdict=_verdict(figure, metrics),
        weakest=_weakest(metrics),
        panels=panels,
        asked=_asked(metrics),
        warning=_warning(metrics),
        systems=tuple(_explained(name, metrics) for name in _SYSTEMS if name in shown),
    )


def text_table_of(metrics: Metrics) -> TextTable:
    """Return the text scores by type of question."""
    rows = (
        TextRow(kind, scores["n"], tuple(scores[name] for name in FIGURES))
        for kind, scores in sorted(metrics["by_type"].items(), key=lambda item: (item[0] != DIFFERENCE, item[0]))
    )
    scorers = (tuple(scorer[part] for part in ("name", "version", "scale")) for scorer in metrics["scorers"].values())
    return TextTable(_COLUMNS, tuple(rows), tuple(scorers))


def finding_rows_of(metrics: Metrics) -> tuple[FindingRow, ...]:
    """Return the scores of changes by finding, the most frequent first."""
    blind = dig(metrics, "baseline.question_only.changes.by_finding") or {}
    rows = (
        FindingRow(name, s["n"], s["precision"], s["recall"], s["f1"], blind.get(name, {}).get("f1"))
        for name, s in metrics["changes"]["by_finding"].items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.n, row.name)))


def _explained(name: str, metrics: Metrics) -> tuple[str, str]:
    """Return label and meaning of what the model is compared with, and what a reader without any error scores there."""
    label, meaning = _SYSTEMS[name]
    bound, unparsed = dig(metrics, f"labels.{name}"), dig(metrics, f"baseline.{name}.changes.unparsed")
    if bound is not None:
        meaning += f"; a reader that knows the labels scores {number(bound)}"
    if unparsed:
        meaning += f"; {unparsed:,} of its answers did not read as changes, and count as answers without any"
    return label, meaning


def dig(figures: Any, name: str) -> Any:
    """Return what a dotted name leads to in nested mappings; None where it leads nowhere."""
    for part in name.split("."):
        figures = figures.get(part) if isinstance(figures, Mapping) else None
    return figures


def _systems(metrics: Metrics) -> list[tuple[str, Metrics, str]]:
    """List label, figures and kind of mark of the model and all that it is compared with."""
    systems = [(_MODEL, metrics, "model")]
    for group, kind in (("baseline", "blind"), ("control", "control")):
        figures = metrics.get(group, {})
        systems += [(_SYSTEMS[name][0], figures[name], kind) for name in _SYSTEMS if name in figures]
    return systems


def _panel(name: str, systems: list[tuple[str, Metrics, str]], metrics: Metrics) -> Panel:
    title, meaning = _PANELS[name]
    rows = (Whisker(label, figure_at(figures, name), kind) for label, figures, kind in systems)
    # The flip test is taken by the model alone, and the control answers difference questions only.
    kept = (row for row in rows if row.kind == "model" or row.figure.reason not in ("not measured", "no such question"))
    parts = {"flip.consistency": _flip_rows, "grounding.pointing_1": _pointing_rows}.get(name)
    return Panel(title, meaning, (*kept, *(parts(metrics) if parts else ())))


def _flip_rows(metrics: Metrics) -> tuple[Whisker, ...]:
    flip = metrics.get("flip")
    if flip is None:
        return ()
    changed = figure_at(metrics, "flip.consistency_changed")
    return (
        Whisker(f"the {flip['n_changed']:,} that report a change", changed, "part"),
        Whisker("overlap", figure_at(metrics, "flip.jaccard"), "part"),
    )


def _pointing_rows(metrics: Metrics) -> tuple[Whisker, ...]:
    if "grounding" not in metrics:
        return ()
    return (
        Whisker("first three regions", figure_at(metrics, "grounding.pointing_3"), "part"),
        *_word_rows(metrics),
        *(Whisker(label, figure_at(metrics, f"grounding.{name}"), "part") for name, label in _UNSEEN.items()),
    )


def _word_rows(metrics: Metrics) -> tuple[Whisker, ...]:
    if "word_grounding" not in metrics:
        return ()
    label = f"words of {metrics['word_grounding']['n']:,} answers"
    return (Whisker(label, figure_at(metrics, "word_grounding.pointing_1"), "part"),)


def _best_blind(metrics: Metrics) -> tuple[str, Figure] | None:
    found = [(label, figure_at(figures, "changes.f1")) for label, figures, kind in _systems(metrics) if kind == "blind"]
    scored = [(label, figure) for label, figure in found if figure.value is not None]
    return max(scored, key=lambda item: item[1].value) if scored else None


def _verdict(figure: Figure, metrics: Metrics) -> str:
    """Say whether the model is told apart from those that see no image."""
    blind = [figure_at(figures, "changes.f1") for _, figures, kind in _systems(metrics) if kind == "blind"]
    highs = [other.high for other in blind if other.high is not None]
    if figure.low is None or not highs:
        return "There is nothing to compare it with."
    if figure.low > max(highs):
        return "Its interval lies above those of all blind baselines: these answers are no guesses from the question."
    return "Its interval does not clear the blind baselines: this figure does not show that the model uses the images."


def _weakest(metrics: Metrics) -> str:
    """Name the lowest figures beside the headline, which alone would only praise."""
    changes = [(_PANELS[name][0].lower(), figure_at(metrics, name).value, "") for name in _PARTS]
    types = [
        (kind, scores["exact_match"], f" ({scores['n']:,} questions)")
        for kind, scores in metrics["by_type"].items()
        if kind != DIFFERENCE
    ]
    groups = (("Weakest of the changes", changes), ("Weakest of the other types, by exact match", types))
    named = ((title, _lowest(figures)) for title, figures in groups)
    return " ".join(f"{title}: {words}." for title, words in named if words)


def _lowest(figures: list[tuple[str, float | None, str]]) -> str:
    """Write the two lowest of figures, given as name, value and what follows the value."""
    defined = sorted((value, name, more) for name, value, more in figures if value is not None)
    return ", ".join(f"{name} {number(value)}{more}" for value, name, more in defined[:2])


def _asked(metrics: Metrics) -> str:
    changes, others = metrics["changes"], metrics["other_types"]
    parts = [f"{changes['n']:,} difference questions and {others['n']:,} questions of other types."]
    parts.append("Intervals are 95 % bootstrap intervals that draw whole subjects.")
    if changes["unparsed"]:
        parts.append(f"{changes['unparsed']:,} answers did not read as changes and count as answers without any.")
    if changes.get("unparsed_truth"):
        parts.append(
            f"{changes['unparsed_truth']:,} more, whose true answers do not read so, are in no figure of changes."
        )
    return " ".join(parts)


def _warning(metrics: Metrics) -> str:
    start = (
        "Text scores reward the template: an answer with every change reversed keeps most of its words, and so most "
        "of its BLEU."
    )
    prior = dig(metrics, "baseline.prior")
    bleu, f1 = dig(prior, "by_type.difference.bleu_4"), dig(prior, "changes.f1")
    if bleu is None or f1 is None:
        return start
    return (
        f"{start} Here the baseline prior, which sees no image at all, has BLEU-4 {number(bleu)} on difference "
        f"questions and a change F1 of {number(f1)}. So the headline is what an answer says of each finding."
    )
