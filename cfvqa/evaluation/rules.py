"""A reader by rule: the classifier's findings, cut at a probability and compared. What a trained reader must beat.

Beside the reader without any error (`labels`) it says where errors come from: what it loses, the findings have lost;
what a trained reader loses more, the reader has.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from cfvqa.evaluation.labels import Levels, answers_between
from cfvqa.vocabulary.findings import FINDING_INDEX
from cfvqa.vocabulary.levels import SEVERITY

_CUTS = np.linspace(0.05, 0.95, 19)
_NEVER = 2.0
"""Cut of a finding that no cut tells: above every probability."""


@dataclass(frozen=True)
class SeenFindings:
    """What a classifier sees in N images.

    Attributes:
        row_of: image id -> row.
        probability: (N, F) of a finding anywhere in the image.
        severity: (N, F) int, 1 to 3.
    """

    row_of: dict[str, int]
    probability: np.ndarray
    severity: np.ndarray


@dataclass(frozen=True)
class Rule:
    """When a finding is there, and what its levels are called.

    Attributes:
        names: node of the graph -> name in answers.
        cuts: node -> probability from which it is there; above 1 where no cut found it in a labelled image.
        words: (node, severity) -> level word; nodes without levels have none.
    """

    names: dict[str, str]
    cuts: dict[str, float]
    words: dict[tuple[str, int], str]


def learn_rule(findings: pl.DataFrame, seen: SeenFindings, names: dict[str, str]) -> Rule | None:
    """Choose for every node the cut with the best F1 over labelled images, and its most frequent level words.

    Args:
        findings: labels of whole images; those of other images are left out.
        seen: in other images than those that the rule answers about; best in some that nothing was trained on.
        names: of `labels.names_of_nodes`.

    Returns:
        None where none of the images is labelled.
    """
    labels = findings.filter(
        pl.col("region").is_null() & (pl.col("presence") == "yes") & pl.col("image_id").is_in(list(seen.row_of))
    )
    if not len(labels):
        return None
    true = np.zeros(seen.probability.shape, dtype=bool)
    for image, node in labels.select("image_id", "finding").iter_rows():
        true[seen.row_of[image], FINDING_INDEX[node]] = True
    cuts = {node: _best_cut(seen.probability[:, FINDING_INDEX[node]], true[:, FINDING_INDEX[node]]) for node in names}
    return Rule(names, cuts, _level_words(labels))


def _best_cut(probability: np.ndarray, true: np.ndarray) -> float:
    found = probability[:, None] >= _CUTS
    right = (found & true[:, None]).sum(0)
    f1 = 2 * right / np.maximum(found.sum(0) + true.sum(), 1)
    return float(_CUTS[f1.argmax()]) if f1.any() else _NEVER


def _level_words(labels: pl.DataFrame) -> dict[tuple[str, int], str]:
    graded = labels.filter(pl.col("level").is_in(list(SEVERITY))).with_columns(
        severity=pl.col("level").replace_strict(SEVERITY, return_dtype=pl.Int64, default=None)
    )
    counts = graded.group_by("finding", "severity", "level").len().sort("len", "level", descending=[True, False])
    first = counts.unique(["finding", "severity"], keep="first", maintain_order=True)
    return {(node, severity): level for node, severity, level in first.select("finding", "severity", "level").rows()}


def answers_by_rule(questions: pl.DataFrame, seen: SeenFindings, rule: Rule) -> list[str]:
    """Return what the rule answers to difference questions about images that were seen."""
    found = {image: _findings_of(row, seen, rule) for image, row in seen.row_of.items()}
    return answers_between(questions, found)


def _findings_of(row: int, seen: SeenFindings, rule: Rule) -> Levels:
    there = [node for node, cut in rule.cuts.items() if seen.probability[row, FINDING_INDEX[node]] >= cut]
    return {rule.names[node]: rule.words.get((node, int(seen.severity[row, FINDING_INDEX[node]]))) for node in there}
