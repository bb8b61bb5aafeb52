"""Grounding: does a model look where something has changed?

Regions of one attention stand in no order, as in `retrieval`: one that looks at all alike has the figures of chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cfvqa.evaluation.changes import Changes
from cfvqa.evaluation.intervals import SubjectBootstrap
from cfvqa.evaluation.retrieval import Places
from cfvqa.language.grammar import ChangeKind, parse_changes
from cfvqa.language.questions import DIFFERENCE
from cfvqa.vocabulary.findings import NODE_OF_ANSWER
from cfvqa.vocabulary.regions import REGION_INDEX, REGIONS

Labelled = dict[tuple[str, str], set[int]]
"""(image, node) -> the regions where the finding is labelled."""

_COUNTS = (1, 3)
"""Regions of most attention."""


@dataclass(frozen=True, slots=True)
class Pointing:
    """How often the regions that a model attends to most hold a change.

    Attributes:
        n: difference questions with a change whose regions are labelled, and with an attention.
        pointing_1, pointing_3: share of them in which a changed region is the first, among the first three.
        chance_1, chance_3: the same for regions drawn at random.
        constant_1, constant_3: the same for the one region, the three regions, that hold a change of most training
            pairs, whatever the images show; NaN where no training pair has a change whose regions are labelled.
        pointing_1_interval, pointing_3_interval: [low, high], 95 % bootstrap by subject.
    """

    n: int
    pointing_1: float
    pointing_3: float
    chance_1: float
    chance_3: float
    constant_1: float
    constant_3: float
    pointing_1_interval: list[float]
    pointing_3_interval: list[float]


def pointing(
    predictions: pl.DataFrame, findings: pl.DataFrame, train: pl.DataFrame, *, seed: int = 0, draws: int = 1000
) -> Pointing | None:
    """Compare the attention of the answers to difference questions with the regions of the true changes.

    Args:
        predictions: table of predictions; the attention to both images is added up, region by region.
        findings: the findings table; where it has no rows of regions nothing can be said.
        train: questions table of the training split, which says where most changes are.
        seed: of the bootstrap.
        draws: of the bootstrap.

    Returns:
        The figures; None where no question has both an attention and regions of its changes.
    """
    asked = predictions.filter((pl.col("question_type") == DIFFERENCE) & pl.col("attention_main").is_not_null())
    held = held_regions(asked, places_of(findings, asked))
    known, held = asked.filter(held.any(1)), held[held.any(1)]
    if not len(known):
        return None
    found = {f"pointing_{count}": hits for count, hits in pointing_hits(attention_of(known), held).items()}
    learning = train.filter(pl.col("question_type") == DIFFERENCE)
    learned = held_regions(learning, places_of(findings, learning))
    level = pointing_hits(np.zeros(held.shape), held)
    bootstrap = SubjectBootstrap(known["subject_id"].to_list(), draws=draws, seed=seed)
    return Pointing(
        n=len(known),
        **{name: float(hits.mean()) for name, hits in found.items()},
        **{f"chance_{count}": float(hits.mean()) for count, hits in level.items()},
        **{f"constant_{count}": _constant(held, learned, count) for count in _COUNTS},
        **{f"{name}_interval": bootstrap.mean(hits) for name, hits in found.items()},
    )


def pointing_hits(attention: np.ndarray, held: np.ndarray) -> dict[int, np.ndarray]:
    """Return, for 1 and 3, (N,) the chance that a region that holds a change is among that many of most attention.

    Args:
        attention: (N, R).
        held: (N, R) bool, the regions that hold a change: one at least.

    Raises:
        ValueError: if an attention is no number, which would count as a hit.
    """
    if not np.isfinite(attention).all():
        raise ValueError("an attention to regions is not finite: mend the model's region_attention or token_regions")
    best = np.where(held, attention, -np.inf).max(1, keepdims=True)
    level = attention == best
    places = Places(above=(attention > best).sum(1), beside=(level & ~held).sum(1), hits=(level & held).sum(1))
    return {count: places.recall(count) for count in _COUNTS}


def held_regions(questions: pl.DataFrame, places: Labelled) -> np.ndarray:
    """Return (N, R) bool: which regions hold a change that the true answer to a difference question names."""
    held = np.zeros((len(questions), len(REGIONS)), dtype=bool)
    for row, regions in enumerate(changed_regions(questions, places)):
        held[row, sorted(regions)] = True
    return held


def _constant(held: np.ndarray, learned: np.ndarray, count: int) -> float:
    """Return the share of pairs with a change in one of the regions (N, R) that hold one of most training pairs."""
    chosen, left = [], learned[learned.any(1)]
    if not len(left):
        return float("nan")
    for _ in range(count):  # each next to those before it: of the pairs that have no change in them
        chosen.append(int(left.sum(0).argmax()))
        left = left[~left[:, chosen[-1]]]
    return float(held[:, chosen].any(1).mean())


def places_of(findings: pl.DataFrame, questions: pl.DataFrame) -> Labelled:
    """Return where the findings of each image that questions are about are labelled."""
    images = pl.concat([questions["main_image"], questions["reference_image"]]).unique()
    labelled = pl.col("region").is_not_null() & (pl.col("presence") == "yes")
    there = findings.filter(labelled & pl.col("image_id").is_in(images.implode()))
    places: Labelled = {}
    for image, node, region in there.select("image_id", "finding", "region").iter_rows():
        places.setdefault((image, node), set()).add(REGION_INDEX[region])
    return places


def changed_regions(questions: pl.DataFrame, places: Labelled) -> list[set[int]]:
    """Return, for each difference question, the regions in which its true answer says that something has changed.

    What is new is where the main image shows it, what is gone where the reference image did, and what has another
    level where either does. An answer that does not parse names no change.
    """
    rows = questions.select("main_image", "reference_image", "answer").iter_rows()
    return [_regions(parse_changes(answer) or frozenset(), main, reference, places) for main, reference, answer in rows]


def _regions(changes: Changes, main: str, reference: str, places: Labelled) -> set[int]:
    found: set[int] = set()
    for change in changes:
        images = {ChangeKind.ADDED: [main], ChangeKind.REMOVED: [reference]}.get(change.kind, [main, reference])
        for image in images:
            found |= places.get((image, NODE_OF_ANSWER.get(change.finding, "")), set())
    return found


def attention_of(predictions: pl.DataFrame) -> np.ndarray:
    """Return the attention (N, R) to the regions of both images together."""
    return sum(_rows(predictions[name].to_list()) for name in ("attention_main", "attention_reference"))


def _rows(values: Sequence[Sequence[float] | None]) -> np.ndarray:
    rows = [[0.0] * len(REGIONS) if row is None else row for row in values]
    return np.array(rows, dtype=np.float64).reshape(-1, len(REGIONS))
