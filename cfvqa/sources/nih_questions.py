"""Questions and answers made from the labels of ChestX-ray14, in the grammar of Medical-Diff-VQA."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from cfvqa.language import questions as ask
from cfvqa.language.grammar import changes_between, write_changes
from cfvqa.language.keywords import answer_keywords
from cfvqa.sources.tables import SCHEMAS

Asked = tuple[str, str, str]
"""Question type, question, answer."""


def ask_questions(images: pl.DataFrame, findings: Sequence[str], seed: int) -> pl.DataFrame:
    """Return the questions that labels answer.

    What is drawn for an image depends on the seed and the image alone. The image before an image, of the same
    subject, is its reference.

    Args:
        images: one row an image, ordered by subject and follow-up: image_id, subject_id, study_order, view, split,
            and `found`, its findings as answers name them, in canonical order.
        findings: all that the labels can say.
        seed: of the findings that presence questions ask for.
    """
    rows: list[tuple[Any, ...]] = []
    before: dict[str, Any] | None = None
    for image in images.iter_rows(named=True):
        rng = np.random.default_rng((seed, int(image["subject_id"]), image["study_order"]))
        asked = _about_one(image["found"], findings, image["view"], rng)
        rows += [_row(image, None, number, *parts) for number, parts in enumerate(asked)]
        if before is not None and before["subject_id"] == image["subject_id"]:
            answer = write_changes(changes_between(dict.fromkeys(image["found"]), dict.fromkeys(before["found"])))
            rows.append(_row(image, before["image_id"], len(asked), ask.DIFFERENCE, ask.WHAT_CHANGED, answer))
        before = image
    return pl.DataFrame(rows, schema=SCHEMAS["questions"], orient="row")


def _about_one(found: list[str], findings: Sequence[str], view: str, rng: np.random.Generator) -> list[Asked]:
    asked = [("abnormality", ask.ANY_ABNORMALITY, ask.yes_no(bool(found)))]
    absent = [finding for finding in findings if finding not in found]
    if found:
        asked.append(("abnormality", ask.ABNORMALITIES, ask.list_answer(found)))
        asked.append(("presence", ask.presence(str(rng.choice(found))), "yes"))
    if absent:
        asked.append(("presence", ask.presence(str(rng.choice(absent))), "no"))
    if view in ("PA", "AP"):
        asked.append(("view", ask.VIEW, ask.view_answer(view)))
    return asked


def _row(
    image: dict[str, Any], reference: str | None, number: int, kind: str, question: str, answer: str
) -> tuple[Any, ...]:
    question_id = f"{image['image_id']}-{number}"
    keywords = answer_keywords(kind, answer)
    subject, main, split = image["subject_id"], image["image_id"], image["split"]
    return (question_id, subject, main, reference, kind, question, answer, keywords, split)
