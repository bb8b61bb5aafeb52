"""Grounding: does a model look where something has changed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import Changes, parse_truth
from cfvqa.evaluation.intervals import SubjectBootstrap
from cfvqa.evaluation.predictions import DIFFERENCE
from cfvqa.language.grammar import ChangeKind
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.regions import REGION_INDEX, REGIONS

Places = dict[tuple[str, str], set[int]]
"""(image, node) -> the regions where the finding is labelled."""


@dataclass(frozen=True, slots=True)
class Pointing:
    """How often the regions that a model attends to most hold a change.

    Attributes:
        n: difference questions with a change whose regions are labelled, and with an attention.
        pointing_1, pointing_3: share of them in which a changed region is the first, among the first three.
        chance_1, chance_3: the same for regions drawn at random.
        pointing_1_interval, pointing_3_interval: [low, high], 95 % bootstrap by subject.
    """

    n: int
    pointing_1: float
    pointing_3: float
    chance_1: float
    chance_3: float
    pointing_1_interval: list[float]
    pointing_3_interval: list[float]


def pointing(predictions: pl.DataFrame, findings: pl.DataFrame, *, seed: int = 0, draws: int = 1000) -> Pointing | None:
    """Compare the attention of the answers to difference questions with the regions of the true changes.

    Args:
        predictions: table of predictions; the attention to both images is added up, region by region.
        findings: the findings table; where it has no rows of regions nothing can be said.
        seed: of the bootstrap.
        draws: of the bootstrap.

    Returns:
        The figures; None where no question has both an attention and regions of its changes.
    """
    asked = predictions.filter((pl.col("question_type") == DIFFERENCE) & pl.col("attention_main").is_not_null())
    true = changed_regions(asked, places_of(findings))
    rows = [row for row, regions in enumerate(true) if regions]
    if not rows:
        return None
    known = asked[rows]
    order = np.argsort(-_attention(known), axis=1, kind="stable")
    held = np.zeros(order.shape, dtype=bool)
    for place, row in enumerate(rows):
        held[place, sorted(true[row])] = True
    first = np.take_along_axis(held, order, axis=1)[:, :3]
    sizes = held.sum(1)
    bootstrap = SubjectBootstrap(
        known.get_column("subject_id").to_list(), draws=draws, generator=np.random.default_rng(seed)
    )
    one, three = first[:, 0].astype(np.float64), first.any(1).astype(np.float64)
    return Pointing(
        n=len(rows),
        pointing_1=float(one.mean()),
        pointing_3=float(three.mean()),
        chance_1=float(np.mean([_chance(size, 1) for size in sizes])),
        chance_3=float(np.mean([_chance(size, 3) for size in sizes])),
        pointing_1_interval=bootstrap.mean(one),
        pointing_3_interval=bootstrap.mean(three),
    )


def places_of(findings: pl.DataFrame) -> Places:
    """Return where the findings of each image are labelled."""
    there = findings.filter(pl.col("region").is_not_null() & (pl.col("presence") == "yes"))
    places: Places = {}
    for image, node, region in there.select("image_id", "finding", "region").iter_rows():
        places.setdefault((image, node), set()).add(REGION_INDEX[region])
    return places


def changed_regions(questions: pl.DataFrame, places: Places) -> list[set[int]]:
    """Return, for each difference question, the regions in which its true answer says that something has changed.

    What is new is where the main image shows it, what is gone where the reference image did, and what has another
    level where either does.
    """
    rows = questions.select("question_id", "main_image", "reference_image", "answer").iter_rows()
    return [
        _regions(parse_truth(question_id, answer), main, reference, places)
        for question_id, main, reference, answer in rows
    ]


def _regions(changes: Changes, main: str, reference: str, places: Places) -> set[int]:
    found: set[int] = set()
    for change in changes:
        images = {ChangeKind.ADDED: [main], ChangeKind.REMOVED: [reference]}.get(change.kind, [main, reference])
        for image in images:
            found |= places.get((image, NODE_OF_ANSWER.get(change.finding, "")), set())
    return found


def _attention(predictions: pl.DataFrame) -> np.ndarray:
    """Return the attention (N, R) to the regions of both images together."""
    return sum(_rows(predictions[name].to_list()) for name in ("attention_main", "attention_reference"))


def _rows(values: Sequence[Sequence[float] | None]) -> np.ndarray:
    return np.array([[0.0] * len(REGIONS) if row is None else row for row in values], dtype=np.float64)


def _chance(size: int, drawn: int) -> float:
    """Return the chance that one of `drawn` regions is among `size` of all."""
    return 1 - comb(len(REGIONS) - int(size), drawn) / comb(len(REGIONS), drawn)
