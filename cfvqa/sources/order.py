"""The order of main and reference image: made and checked here, and nowhere else."""

from typing import Literal, get_args

import polars as pl

from cfvqa.errors import InputError, check_choice
from cfvqa.language.grammar import flip_answer
from cfvqa.language.keywords import answer_keywords
from cfvqa.language.questions import DIFFERENCE

Policy = Literal["error", "swap", "drop"]


def reversed_pairs(questions: pl.DataFrame, images: pl.DataFrame) -> pl.Series:
    """Return which difference questions have their main study before their reference study.

    Args:
        questions: rows with main_image, reference_image, question_type.
        images: rows with image_id, study_order. Studies of one order (the same day) count as ordered.
    """
    order = dict(zip(images["image_id"], images["study_order"], strict=True))
    main = questions["main_image"].replace_strict(order, default=None, return_dtype=pl.Int32)
    reference = questions["reference_image"].replace_strict(order, default=None, return_dtype=pl.Int32)
    return ((questions["question_type"] == DIFFERENCE) & (main < reference)).fill_null(value=False)


def order_pairs(
    questions: pl.DataFrame, images: pl.DataFrame, *, on_reversed: Policy
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Make the main image the later one in every difference question.

    Release 1.0.0 of Medical-Diff-VQA breaks this in about half of its pairs.

    Args:
        questions: the table.
        images: rows with image_id, study_order.
        on_reversed: "error" stops, "swap" exchanges the images and reverses answer and keywords, "drop" leaves out.

    Returns:
        The ordered questions, and how many pairs were reversed, by what became of them.
    """
    check_choice("source.on_reversed", on_reversed, get_args(Policy))
    wrong = reversed_pairs(questions, images)
    count = int(wrong.sum())
    if count == 0:
        return questions, {}
    if on_reversed == "error":
        first = questions.filter(wrong).row(0, named=True)
        raise InputError(
            f"{count} difference questions have their main image before their reference image, the first is "
            f"'{first['question_id']}' of main image '{first['main_image']}': choose source.on_reversed=swap or "
            "source.on_reversed=drop"
        )
    if on_reversed == "drop":
        return questions.filter(~wrong), {"reversed pair: dropped": count}
    swapped = _swap(questions, wrong)
    lost = len(questions) - len(swapped)
    return swapped, {"reversed pair: swapped": count - lost, "reversed pair: dropped, its answer does not parse": lost}


def _swap(questions: pl.DataFrame, wrong: pl.Series) -> pl.DataFrame:
    flipped = [flip_answer(answer) for answer in questions.filter(wrong)["answer"]]
    keywords = [None if answer is None else answer_keywords(DIFFERENCE, answer) for answer in flipped]
    turned = questions.filter(wrong).with_columns(
        pl.col("reference_image").alias("main_image"),
        pl.col("main_image").alias("reference_image"),
        pl.Series("answer", flipped, dtype=pl.String),
        pl.Series("keywords", keywords, dtype=pl.String),
    )
    number = pl.Series("number", range(len(questions)), dtype=pl.UInt32)
    numbered = questions.with_columns(number)
    both = pl.concat([numbered.filter(~wrong), turned.with_columns(number.filter(wrong))])
    return both.sort("number").drop("number").drop_nulls("answer")
