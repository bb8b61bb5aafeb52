"""A share of the subjects is labelled: always the same, and never half of a subject."""

import polars as pl
import pytest

from cfvqa.data.pair_data import some_subjects

QUESTIONS = pl.DataFrame(
    [(f"q{subject}-{number}", f"s{subject}") for subject in range(50) for number in range(1 + subject % 4)],
    schema=["question_id", "subject_id"],
    orient="row",
)


@pytest.mark.parametrize(("share", "subjects"), [(0.1, 5), (0.3, 15), (1.0, 50), (0.001, 1)])
def test_it_is_a_share_of_the_subjects_with_all_their_questions(share, subjects):
    some = some_subjects(QUESTIONS, share, 1)
    assert some["subject_id"].n_unique() == subjects
    assert len(some) == len(QUESTIONS.filter(pl.col("subject_id").is_in(some["subject_id"].unique().to_list())))
    assert some.equals(some_subjects(QUESTIONS, share, 1))


def test_a_larger_share_holds_a_smaller_one_and_another_seed_takes_others():
    small, large = (set(some_subjects(QUESTIONS, share, 1)["subject_id"]) for share in (0.1, 0.3))
    assert small < large
    assert small != set(some_subjects(QUESTIONS, 0.1, 2)["subject_id"])
