"""Questions and answers made from the labels of ChestX-ray14, in the grammar of Medical-Diff-VQA."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from cfvqa.language import questions as ask
from cfvqa.language.grammar import changes_between, write_changes
from cfvqa.sources.image_labels import Labels, question_row, questions_about
from cfvqa.sources.tables import SCHEMAS


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
        found = image["found"]
        absent = [finding for finding in findings if finding not in found]
        asked = questions_about(Labels(found, absent, image["view"], abnormal=bool(found)), rng)
        rows += [question_row(image, None, number, parts) for number, parts in enumerate(asked)]
        if before is not None and before["subject_id"] == image["subject_id"]:
            answer = write_changes(changes_between(dict.fromkeys(found), dict.fromkeys(before["found"])))
            rows.append(question_row(image, before["image_id"], len(asked), (ask.DIFFERENCE, ask.WHAT_CHANGED, answer)))
        before = image
    return pl.DataFrame(rows, schema=SCHEMAS["questions"], orient="row")
