"""What labels of whole images become: rows of the findings table, and questions in the grammar of Medical-Diff-VQA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from cfvqa.language import questions as ask
from cfvqa.language.keywords import answer_keywords
from cfvqa.sources.tables import conform

Asked = tuple[str, str, str]
"""Question type, question, answer."""


@dataclass(frozen=True)
class Labels:
    """What is labelled in an image, in the words of answers.

    Attributes:
        found, absent: findings that are there and that are not, in canonical order.
        view: PA, AP, or anything else where it is not known.
        abnormal: whether anything is there, with a name in answers or without.
        complete: whether `found` is all of it.
        side: finding -> "left" or "right", where it lies on one side alone.
    """

    found: Sequence[str]
    absent: Sequence[str]
    view: str
    abnormal: bool
    complete: bool = True
    side: Mapping[str, str] = field(default_factory=dict)


def questions_about(labels: Labels, rng: np.random.Generator) -> list[Asked]:
    """Return the questions about one image that its labels answer; `rng` draws the findings that are asked for."""
    asked = [("abnormality", ask.ANY_ABNORMALITY, ask.yes_no(labels.abnormal))]
    if labels.found:
        if labels.complete:
            asked.append(("abnormality", ask.ABNORMALITIES, ask.list_answer(labels.found)))
        asked.append(("presence", ask.presence(str(rng.choice(labels.found))), "yes"))
    if labels.absent:
        asked.append(("presence", ask.presence(str(rng.choice(labels.absent))), "no"))
    if labels.view in ("PA", "AP"):
        asked.append(("view", ask.VIEW, ask.view_answer(labels.view)))
    if labels.side:
        finding = str(rng.choice(list(labels.side)))
        asked.append(("location", ask.side(finding), ask.side_answer(labels.side[finding])))
    return asked


def question_row(image: Mapping[str, Any], reference: str | None, number: int, asked: Asked) -> tuple[Any, ...]:
    """Return a row of the questions table.

    Args:
        image: image_id, subject_id and split of the main image.
        reference: image_id of the reference image, if there is one.
        number: of the question, among those with this main image.
        asked: what is asked and answered.
    """
    kind, question, answer = asked
    question_id = f"{image['image_id']}-{number}"
    subject, main, split = image["subject_id"], image["image_id"], image["split"]
    return (question_id, subject, main, reference, kind, question, answer, answer_keywords(kind, answer), split)


def whole_image_findings(images: pl.DataFrame, nodes: Sequence[str]) -> pl.DataFrame:
    """Return a row for every image and node, present or absent.

    Args:
        images: image_id, and `nodes`: those that are present.
        nodes: all that the labels can say.
    """
    crossed = images.select("image_id", "nodes").join(pl.DataFrame({"finding": nodes}), how="cross")
    present = pl.col("nodes").list.contains(pl.col("finding"))
    return conform(
        crossed.with_columns(
            region=pl.lit(None, dtype=pl.String),
            presence=pl.when(present).then(pl.lit("yes")).otherwise(pl.lit("no")),
            level=pl.lit(None, dtype=pl.String),
        ),
        "findings",
    )
