"""The order of main and reference image: made and checked here, and nowhere else."""

import polars as pl

from cfvqa.errors import InputError
from cfvqa.language.grammar import flip_answer

POLICIES = ("error", "swap", "drop")


def order_pairs(questions: pl.DataFrame, images: pl.DataFrame, *, on_reversed: str) -> tuple[pl.DataFrame, int]:
    """Make the main image the later one in every difference question.

    Release 1.0.0 of Medical-Diff-VQA breaks this in about half of its pairs.

    Args:
        questions: rows with main_image, reference_image, question_type, answer.
        images: rows with image_id, study_order.
        on_reversed: "error" stops, "swap" exchanges the images and reverses the answer, "drop" leaves out.

    Returns:
        The ordered questions, and how many pairs were reversed. Studies of one day count as ordered.
    """
    if on_reversed not in POLICIES:
        raise InputError(f"source.on_reversed is '{on_reversed}': choose one of {', '.join(POLICIES)}")
    order = dict(zip(images["image_id"], images["study_order"], strict=True))
    main = questions["main_image"].replace_strict(order, return_dtype=pl.Int32)
    reference = questions["reference_image"].replace_strict(order, default=None, return_dtype=pl.Int32)
    wrong = ((questions["question_type"] == "difference") & (main < reference)).fill_null(value=False)
    count = int(wrong.sum())
    if count == 0:
        return questions, 0
    if on_reversed == "error":
        first = questions.filter(wrong)["question_id"][0]
        raise InputError(
            f"{count} difference questions have their main image before their reference image, the first is "
            f"'{first}': choose source.on_reversed=swap or source.on_reversed=drop"
        )
    return (_swap(questions, wrong) if on_reversed == "swap" else questions.filter(~wrong)), count


def _swap(questions: pl.DataFrame, wrong: pl.Series) -> pl.DataFrame:
    flipped = [
        flip_answer(answer) if reverse else answer for answer, reverse in zip(questions["answer"], wrong, strict=True)
    ]
    return questions.with_columns(
        pl.when(wrong).then("reference_image").otherwise("main_image").alias("main_image"),
        pl.when(wrong).then("main_image").otherwise("reference_image").alias("reference_image"),
        pl.Series("answer", flipped, dtype=pl.String),
    ).filter(pl.col("answer").is_not_null())
