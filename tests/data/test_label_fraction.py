"""A share of the subjects is labelled: always the same, and never half of a subject."""

from collections import Counter

import polars as pl
import pytest

from cfvqa.data.pair_data import PairData, some_subjects
from cfvqa.data.pair_sets import PairSettings

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


class NoFeatures:
    def missing(self, image_ids):
        return []


def loader(share):
    table = QUESTIONS.with_columns(
        main_image="i" + pl.col("question_id"),
        reference_image=pl.lit(None, pl.String),
        split=pl.lit("train"),
        question_type=pl.lit("presence"),
        question=pl.lit("is there edema?"),
        answer=pl.lit("yes"),
    )
    data = PairData(
        table, store=NoFeatures(), tokenizer=None, settings=PairSettings(), units_per_batch=4, label_fraction=share
    )
    return data.train_dataloader()


def test_an_epoch_is_as_long_with_fewer_labels_and_shows_each_of_them_equally_often():
    few, all_of_them = loader(0.1), loader(1.0)
    assert len(few) == len(all_of_them)
    times = Counter(row for batch in few.batches for row in batch)
    assert len(times) == len(some_subjects(QUESTIONS, 0.1, 1))
    assert max(times.values()) - min(times.values()) <= 1
